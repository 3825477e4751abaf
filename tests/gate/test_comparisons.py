"""Preferences in the gate: a pair of runs is one observation, so single cases are tested by something else."""

import pytest

from schemas.gate_config import GateConfig, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.gate.play import chance, plan_of, play

METRICS = (MetricSpec(name="preference", kind="preference"), MetricSpec(name="usable answer", kind="usable"))
N = 60
LISTED = [("rules",) if case < 10 else () for case in range(N)]
POLICIES = {
    "must-pass": {"slices": LISTED, "gate": GateConfig(slices={"rules": SlicePolicy.MUST_PASS})},
    "guarded": {"slices": LISTED, "gate": GateConfig(slices={"rules": SlicePolicy.GUARD})},
    "protected": {"protected": [case < 10 for case in range(N)]},
}


def scores(listed, usable=True):
    """The listed cases always get the preference ``listed``; the others win as often as they lose."""

    def score(case, arm, repetition):
        if not arm:
            return 0.5, 1.0
        if case < 10:
            return listed, float(usable)
        return float(chance("pair", case, 1, repetition) < 0.5), 1.0

    return score


@pytest.mark.parametrize("policy", POLICIES)
def test_losing_comparisons_is_no_break_of_a_single_case(policy):
    """Six losses in a row are six coin flips, and not six failures against six passes."""
    decision, _ = play(plan_of(N, metrics=METRICS, **POLICIES[policy]), scores(0.0))
    codes = {reason.code for reason in decision.reasons}
    assert not codes & {ReasonCode.MUST_PASS, ReasonCode.GUARD, ReasonCode.PROTECTED}


@pytest.mark.parametrize("policy", POLICIES)
def test_unusable_answers_still_break_single_cases(policy):
    decision, _ = play(plan_of(N, metrics=METRICS, **POLICIES[policy]), scores(0.0, usable=False))
    assert decision.status is VerdictStatus.BLOCKED
    assert {reason.code for reason in decision.reasons} & {ReasonCode.MUST_PASS, ReasonCode.GUARD, ReasonCode.PROTECTED}


def test_losing_everywhere_blocks_without_the_smoke_test():
    decision, batches = play(plan_of(N, metrics=METRICS), lambda case, arm, repetition: (0.5 * (1 - arm), 1.0))
    assert decision.status is VerdictStatus.BLOCKED
    assert [reason.code for reason in decision.reasons] != [ReasonCode.SMOKE]
    assert "confirmation" in {batch.purpose for batch in batches}


def test_every_candidates_run_is_asked_for_beside_the_baselines():
    """Nothing else could be compared with it."""
    shared = {"slices": LISTED, "protected": [case % 7 == 0 for case in range(N)], "metrics": METRICS}
    for usable in (True, False):
        _, batches = play(plan_of(N, **shared), scores(0.0, usable=usable))
        for batch in batches:
            cells = list(zip(batch.cases.tolist(), batch.arms.tolist(), batch.repetitions.tolist(), strict=True))
            assert all((case, 0, repetition) in cells for case, arm, repetition in cells if arm)
