"""The demonstration with a real model: what it stages, and, where its packages are installed, its verdict."""

from collections import Counter

import pytest

from demo.local_model import run
from engine.readers.prompts import read_prompt
from engine.readers.testsets import read_test_set

READY = run.ENVIRONMENT / ".ready"


def test_the_cases_and_all_prompts_can_be_read():
    cases = read_test_set(run.TESTS, run.cases().encode()).cases
    assert Counter(case.expected for case in cases) == dict.fromkeys(run.LABELS, 20)
    for text in (run.prompt(), *(edit.prompt for edit in run.EDITS)):
        prompt = read_prompt(run.PROMPT, {run.PROMPT: text.encode()})
        assert (prompt.unread, prompt.messages[-1].content) == ({}, "{{ticket}}")
    assert len({edit.prompt for edit in run.EDITS} | {run.prompt()}) == 4


@pytest.mark.slow
@pytest.mark.skipif(not READY.exists(), reason="the model isn't installed: run make demo-llm")
def test_a_real_model_blocks_the_broken_prompt(tmp_path):
    assert run.main(["--output", str(tmp_path / "demo"), "--edit", "broken", "--tickets", "6"]) == 0
