"""Formats of other libraries, read as those libraries read them.

benchmarks/formats_reference.py records what they render.
"""

import pytest

from adapters.sandbox import SandboxedRenderer
from engine.readers.dialects import fill_in
from tests.formats.libraries import LIBRARIES, agree, corpus, ours, recorded

CASES = corpus()
RECORDED = recorded()


@pytest.fixture(scope="module")
def renderer():
    with SandboxedRenderer(fill_in) as sandbox:
        yield sandbox


@pytest.mark.parametrize("case", CASES, ids=str)
def test_we_send_what_the_library_renders_or_say_why_not(renderer, case):
    sent = ours(renderer, case)
    theirs = RECORDED[str(case)]
    different = [library for library in case.libraries if not agree(sent, theirs[library])]
    assert not different or case.why
    assert theirs.get("ours", sent) == sent, "what is sent instead is recorded too"
    assert bool(different) == ("ours" in theirs)
    assert bool(case.why) == bool(different), "a reason without a difference is out of date"


def test_every_format_has_fifteen_cases_and_the_odd_ones_are_errors_with_a_place():
    for name, libraries in LIBRARIES.items():
        for library in libraries:
            assert sum(library in case.libraries for case in CASES if case.format == name) >= 15
