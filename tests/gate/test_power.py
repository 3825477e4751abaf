"""What a test set can tell, before any call."""

import pytest

from engine.commands.power import detectable, power
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from tests.gate.play import plan_of

TARGETS = (0.05, 0.10)


@pytest.mark.parametrize(
    ("drop", "variance", "cases"),
    [(0.10, 0.10, 101), (0.10, 0.20, 201), (0.05, 0.20, 804), (0.05, 0.05, 201), (0.20, 0.1, 51)],
)
def test_the_cases_for_eighty_percent_are_those_of_the_formula(drop, variance, cases):
    assert detectable(cases, variance) <= drop < detectable(cases - 1, variance)


def test_too_few_cases_detect_nothing():
    assert detectable(0, 0.1) is None
    assert detectable(5, 0.1) is None


def test_a_test_set_is_described_slice_by_slice():
    groups = [("adversarial",) if i < 10 else ("edge",) if i < 60 else ("typical",) for i in range(200)]
    overall, adversarial, edge, typical = power(plan_of(200, slices=groups), TARGETS)
    assert (overall.slice, overall.cases, overall.policy) == (None, 200, SlicePolicy.AVERAGE)
    assert overall.can_rule_out == pytest.approx(0.086, abs=0.001)
    assert overall.more_cases > 200
    assert adversarial.policy is SlicePolicy.GUARD
    assert (edge.cases, typical.cases) == (50, 140)
    assert edge.more_cases > typical.more_cases
    assert edge.detects == pytest.approx(0.2, abs=0.03)


def test_a_written_margin_is_the_target():
    row = power(plan_of(100, gate=GateConfig(margin=Margins(overall=0.2))), TARGETS)[0]
    assert (row.margin, row.written, row.more_cases) == (0.2, True, 0)


def test_a_margin_of_zero_needs_no_number():
    assert power(plan_of(100, gate=GateConfig(margin=Margins(overall=0.0))), TARGETS)[0].more_cases == 0


def test_clusters_count_once():
    row = power(plan_of(100, clusters=[f"k{i // 4}" for i in range(100)]), TARGETS)[0]
    assert (row.cases, row.clusters) == (100, 25)
