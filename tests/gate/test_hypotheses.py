"""What is tested, with which margin and under which policy."""

import pytest

from engine.gate.hypotheses import policy_of, written_margin
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from schemas.outcomes import MetricSpec
from tests.gate.play import plan_of, steady_history

AVERAGE, GUARD, WATCH = SlicePolicy.AVERAGE, SlicePolicy.GUARD, SlicePolicy.WATCH
MARGINS = Margins(
    overall=0.01,
    slice=0.02,
    slices={"edge": 0.03},
    metrics={"tone": 0.04, "date": 0.05},
    classes={"spam": 0.06},
    fields={"date": 0.07, "tone": 0.08},
)
SCORE, TONE, DATE = MetricSpec(name="exact"), MetricSpec(name="tone"), MetricSpec(name="date", kind="field")
OTHER_FIELD = MetricSpec(name="total", kind="field")


@pytest.mark.parametrize(
    ("name", "metric", "primary", "margin"),
    [
        (None, SCORE, True, 0.01),
        (None, TONE, False, 0.04),
        (None, DATE, False, 0.07),
        (None, OTHER_FIELD, False, 0.01),
        ("edge", SCORE, True, 0.03),
        ("typical", SCORE, True, 0.02),
        ("class spam", SCORE, True, 0.06),
        ("class ham", SCORE, True, None),
        ("edge", TONE, False, None),
    ],
)
def test_which_written_margin_holds(name, metric, primary, margin):
    assert written_margin(MARGINS, name, metric, primary) == margin


def test_a_field_without_a_margin_of_its_own_takes_the_metrics():
    margins = Margins(metrics={"date": 0.05})
    assert written_margin(margins, None, DATE, primary=False) == 0.05


@pytest.mark.parametrize(
    ("name", "narrowest", "policy"),
    [
        ("edge", 0.25, AVERAGE),
        ("edge", 0.26, WATCH),
        ("adversarial", 0.10, GUARD),
        ("adversarial", 0.26, GUARD),
        (None, 0.9, AVERAGE),
    ],
)
def test_how_a_slice_is_judged_where_nothing_is_written(name, narrowest, policy):
    assert policy_of(name, GateConfig(), narrowest, None) is policy


def test_a_margin_for_all_slices_does_not_judge_a_small_one_by_its_mean():
    """One that is written for this very slice does: then it is meant."""
    gate = GateConfig(margin=Margins(slice=0.1, slices={"named": 0.1}))
    assert policy_of("small", gate, 0.4, 0.1) is WATCH
    assert policy_of("named", gate, 0.4, 0.1) is AVERAGE


def test_what_is_written_for_the_adversarial_slice_is_for_it_alone():
    gate = GateConfig(adversarial=WATCH)
    assert policy_of("adversarial", gate, 0.4, None) is WATCH
    assert policy_of("edge", gate, 0.1, None) is AVERAGE
    both = GateConfig(adversarial=WATCH, slices={"adversarial": AVERAGE})
    assert policy_of("adversarial", both, 0.4, None) is AVERAGE


def test_default_margins_and_what_must_be_certified():
    """The first metric everywhere, the others overall."""
    metrics = (SCORE, TONE)
    plan = plan_of(4000, slices=[("edge",) if i < 2000 else () for i in range(4000)], metrics=metrics)
    said = [(h.slice, h.metric, h.margin, h.certifies) for h in plan.hypotheses]
    assert said == [(None, 0, 0.05, True), ("edge", 0, 0.10, True), (None, 1, 0.05, True), ("edge", 1, 0.10, False)]


def test_what_a_store_holds_changes_no_margin_and_no_policy():
    steady = plan_of(100, slices=[("edge",)] * 100, history=steady_history(100))
    assert steady.hypotheses == plan_of(100, slices=[("edge",)] * 100).hypotheses


def test_only_means_are_tested_for_harm():
    plan = plan_of(300, slices=[("adversarial",)] * 100 + [("edge",)] * 200)
    assert [(h.slice, h.tests_harm) for h in plan.hypotheses] == [(None, True), ("adversarial", False), ("edge", True)]
