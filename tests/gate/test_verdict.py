"""From decisions on lineages to the verdict on the pull request."""

import itertools

import pytest

from engine.gate.verdict import combine, passes
from schemas.verdicts import VerdictStatus

WORST_FIRST = ["blocked", "error", "needs_review", "inconclusive", "approved", "not_applicable"]


def test_the_worst_lineage_decides():
    for first, second in itertools.product(VerdictStatus, repeat=2):
        expected = min(first, second, key=lambda s: WORST_FIRST.index(s.value))
        assert combine([first, second]) is expected


def test_nothing_is_not_applicable():
    assert combine([]) is VerdictStatus.NOT_APPLICABLE


@pytest.mark.parametrize("policy", ["pass", "block"])
def test_what_the_required_check_does(policy):
    passing = {s.value for s in VerdictStatus if passes(s, policy)}
    assert passing == {"approved", "not_applicable"} | ({"inconclusive"} if policy == "pass" else set())
