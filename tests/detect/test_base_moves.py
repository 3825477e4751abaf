"""Which verdicts a push to their base branch concerns."""

import pytest

from engine.publishing.base_moves import concerned_lineages
from tests.detect.pullrequests import CONFIG, PROMPT, TESTS, detected

CI = ".github/workflows/ci.yml"


@pytest.mark.parametrize(
    ("pushed", "concerned"),
    [
        ({"README.md": "x\n"}, frozenset()),
        ({"src/main.py": "x = 1\n"}, frozenset()),
        ({CI: "on: push # x\njobs: {a: {steps: [{uses: acme/prompt-verdict@v1}]}}\n"}, frozenset()),
        ({"prompts/triage.md": PROMPT + "!"}, {"triage"}),
        ({"tests/triage.jsonl": TESTS + '{"id": "new", "input": "x", "expected": "billing"}\n'}, {"triage"}),
        ({"tests/triage.jsonl": TESTS.replace("my bill", "the bill")}, {"triage"}),
        ({"promptverdict.yaml": CONFIG + "gate: {margin: {overall: 0.01}}\n"}, None),
        ({"promptverdict.yaml": CONFIG + "gate: {margin: {overall: 0.2}}\n"}, None),
        ({"promptverdict.yaml": "mode: inform\n" + CONFIG}, None),
        ({"svc/promptverdict.yaml": CONFIG}, None),
    ],
)
def test_what_a_push_to_base_concerns(repository, pushed, concerned):
    base = {CI: "on: push\njobs: {a: {steps: [{uses: acme/prompt-verdict@v1}]}}\n"}
    assert concerned_lineages(detected(repository, pushed, base=base)) == concerned
