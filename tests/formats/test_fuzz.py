"""Whatever is in a file, it is read or refused with one line, within two seconds. More of it: benchmarks/fuzz_parsers.py."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.hostile_files import PARSERS, SAMPLES, hostile_file, survives

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("FUZZ", "80"))


@pytest.mark.parametrize("name", PARSERS)
def test_nothing_but_a_clear_refusal_gets_out(name):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def check(random):
        data = hostile_file(random, SAMPLES[name])
        begin = time.process_time()
        survives(PARSERS[name], data)
        assert time.process_time() - begin < 2

    check()


@pytest.mark.parametrize("name", PARSERS)
def test_the_samples_themselves_are_read(name):
    read = [survives(PARSERS[name], sample.encode()) for sample in SAMPLES[name]]
    assert all(read) or name in ("baml", "kernel")  # what they hold can't be sent
