"""The numbers that are shown: levels, changes, intervals, counts and how sure it all is."""

import numpy as np
import pytest

from engine.gate.bounds import ALPHA
from engine.gate.design import History
from engine.gate.weights import weights
from schemas.gate_config import Floor, GateConfig, Margins, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.verdicts import Interval, VerdictStatus
from tests.gate.play import Answers, plan_of, play, steady_history

MUST_PASS = GateConfig(adversarial=SlicePolicy.MUST_PASS)
QUARTER = GateConfig(margin=Margins(slices={"edge": 0.25}))
FIXED = GateConfig(mode="fixed")


def parts(**sizes):
    return [(name,) for name, size in sizes.items() for _ in range(size)]


def same(case, arm, repetition):
    return 1.0


def shown(plan, answers, width=None):
    decision, _ = play(plan, answers, width)
    return {effect.slice: effect for effect in (decision.overall, *decision.slices)}


def bounds(effect):
    return (round(effect.interval.low, 4), round(effect.interval.high, 4))


# Levels and counts


def test_levels_changes_and_counts_are_those_of_the_slice():
    """Of 40 edge cases 10 break and 5 are fixed; the 60 typical ones stand."""

    def answer(case, arm, r):
        if case < 10:
            return float(arm == 0)
        return float(arm == 1) if case < 15 else 1.0

    effects = shown(plan_of(100, slices=parts(edge=40, typical=60), gate=FIXED), answer)
    said = {name: (e.baseline, e.candidate, e.change, e.worse, e.better) for name, e in effects.items()}
    assert said[None] == pytest.approx((0.95, 0.90, -0.05, 10, 5))
    assert said["edge"] == pytest.approx((0.875, 0.75, -0.125, 10, 5))
    assert said["typical"] == pytest.approx((1.0, 1.0, 0.0, 0, 0))


def test_a_new_prompt_has_the_level_of_each_slice():
    effects = shown(plan_of(100, slices=parts(edge=40, typical=60), paired=False), lambda c, arm, r: float(c >= 20))
    assert [(name, e.baseline, e.candidate, e.result) for name, e in effects.items()] == [
        (None, None, pytest.approx(0.8), "no_data"),
        ("edge", None, 0.5, "no_data"),
        ("typical", None, 1.0, "no_data"),
    ]


def test_a_slice_with_unchanged_requests_has_a_level_only_if_something_is_stored_of_them():
    identical = [i < 10 for i in range(100)]
    plan = plan_of(100, slices=parts(edge=40, typical=60), identical=identical, gate=FIXED)
    effects = shown(plan, same)
    assert {name: e.baseline for name, e in effects.items()} == {None: None, "edge": None, "typical": 1.0}
    assert effects["edge"].change == 0.0
    known = plan_of(
        100, slices=parts(edge=40, typical=60), identical=identical, gate=FIXED, history=steady_history(100, score=0.5)
    )
    assert shown(known, same)["edge"].baseline == pytest.approx(0.875)


def test_a_case_that_lost_its_answers_has_no_level():
    plan = plan_of(60, slices=parts(edge=1, typical=59), gate=FIXED)
    effects = shown(plan, lambda case, arm, r: None if case == 0 and arm else 1.0)
    assert (effects["edge"].baseline, effects["edge"].candidate, effects["edge"].change) == (1.0, None, None)
    assert (effects["edge"].interval, effects["edge"].result, effects["edge"].compared) == (None, "no_data", 0)


# Intervals and what they are read as


def test_the_interval_is_made_of_both_bounds():
    """20 of 100 edge cases break, 2 of 200 typical ones are fixed: the same numbers by hand.

    Low: Bonett and Price with z(4%) at one look. High: the change + critical · root of the sum of squares."""
    plan = plan_of(300, slices=parts(edge=100, typical=200), gate=FIXED)
    mended = {200, 201}
    effects = shown(plan, lambda c, arm, r: float(arm == 1) if c in mended else float(arm == 0 or not 10 <= c < 30))
    low = -20 / 102 - 1.7507 * np.sqrt((20 + 2) / 102**2 - (20 / 102) ** 2 / 102)
    assert effects["edge"].interval.low == pytest.approx(low, abs=1e-4)
    critical = (effects["edge"].interval.high + 0.2) / np.sqrt(20 / 100**2)
    assert 1.5 < critical < 2.2
    assert effects["typical"].interval.high == pytest.approx(0.01 + critical * np.sqrt(2 / 200**2))
    assert [effects[name].result for name in (None, "edge", "typical")] == ["worse", "worse", "no_change"]


def test_where_everything_fell_the_interval_is_as_wide_as_the_falls_differ():
    """Not as wide as a break that hides among no cases that held: 100 points."""
    effect = shown(plan_of(40, gate=FIXED), lambda case, arm, r: 0.7 if arm == 0 else 0.5)[None]
    assert effect.result == "worse"
    assert -0.35 < effect.interval.low < -0.2


def test_a_clear_improvement_is_better():
    effects = shown(plan_of(100, gate=FIXED), lambda case, arm, r: float(arm == 1 or case >= 30))
    assert effects[None].result == "better"
    assert effects[None].interval.low > 0


def test_an_interval_stays_within_what_a_change_can_be():
    plan = plan_of(40, slices=parts(one=1, typical=39), gate=FIXED)
    risen = shown(plan, lambda case, arm, r: float(arm == 1 or case != 0))["one"]
    fallen = shown(plan, lambda case, arm, r: float(arm == 0 or case != 0))["one"]
    assert (risen.change, risen.interval.high, fallen.change, fallen.interval.low) == (1.0, 1.0, -1.0, -1.0)


def test_the_interval_contains_the_change():
    plan = plan_of(40, slices=parts(few=3, typical=37), gate=FIXED)
    for answer in (
        lambda case, arm, r: float(arm == 1 or case > 2),
        lambda case, arm, r: float(arm == 0 or case > 2),
        lambda case, arm, r: float(arm == 0) if case < 2 else float(arm == 1 or case > 2),
    ):
        for effect in shown(plan, answer).values():
            assert effect.interval.low <= effect.change <= effect.interval.high


def test_where_no_bound_was_computed_nothing_can_be_told():
    """A must-pass slice blocks before the bounds are there."""
    plan = plan_of(100, slices=parts(adversarial=10, typical=90), gate=MUST_PASS)
    effects = shown(plan, lambda c, arm, r: float(arm == 0 or c > 1))
    assert (effects["adversarial"].result, effects["adversarial"].interval) == ("worse", Interval(low=None, high=None))
    assert (effects["typical"].result, effects["typical"].interval) == ("too_few_cases", Interval(low=None, high=None))
    assert effects["typical"].more_cases is None
    assert effects["adversarial"].policy is SlicePolicy.MUST_PASS


def test_few_cases_that_all_held_can_not_tell_and_the_interval_says_why():
    effect = shown(plan_of(10), same)[None]
    assert (effect.result, effect.margin) == ("too_few_cases", 0.25)
    assert effect.interval.low == pytest.approx(-(1 - 0.04 ** (1 / 10)))


def test_a_case_that_fell_is_none_that_held():
    """12 cases of which one fell and three rose are no better than 11 that held."""
    level = lambda worse, better: lambda c, arm, r: float(arm == 0) if c < worse else float(arm or c >= worse + better)  # noqa: E731
    assert play(plan_of(11, gate=FIXED), level(0, 3))[0].status is VerdictStatus.INCONCLUSIVE
    assert play(plan_of(12, gate=FIXED), level(1, 3))[0].status is not VerdictStatus.APPROVED
    assert play(plan_of(12, gate=FIXED), level(0, 3))[0].status is VerdictStatus.APPROVED


def test_a_slice_whose_requests_are_all_unchanged_can_not_have_fallen():
    """Not even by half a point, though nobody could certify that from 30 cases."""
    gate = GateConfig(margin=Margins(slices={"edge": 0.005}))
    plan = plan_of(130, slices=parts(edge=30, typical=100), identical=[i < 30 for i in range(130)], gate=gate)
    decision, _ = play(plan, same)
    assert decision.status is VerdictStatus.APPROVED
    assert decision.slices[0].interval == Interval(low=0.0, high=0.0)
    assert decision.slices[0].result == "no_change"


# How many more cases


@pytest.mark.parametrize(
    ("breaks", "more"),
    [(0, 27), (1, 46)],
    ids=["prior variance 0.12: 31 would do", "observed variance 0.25: 50 would do"],
)
def test_more_cases_are_those_that_would_certify_the_margin(breaks, more):
    plan = plan_of(44, slices=parts(edge=4, typical=40), gate=QUARTER)
    effects = shown(plan, lambda c, arm, r: float(arm == 0 or c >= breaks))
    assert (effects["edge"].result, effects["edge"].more_cases) == ("too_few_cases", more)
    assert effects["typical"].more_cases is None


def test_more_cases_are_at_least_one():
    """60 cases would do for this margin, if 14 hadn't fallen where 6 rose."""
    plan = plan_of(60, gate=GateConfig(mode="fixed", margin=Margins(overall=0.2578)))
    effect = shown(plan, lambda case, arm, r: float(arm == 0) if case < 14 else float(arm or case >= 20))[None]
    assert (effect.result, effect.more_cases) == ("too_few_cases", 1)


def test_more_cases_are_counted_in_clusters():
    plan = plan_of(44, slices=parts(edge=4, typical=40), clusters=[f"k{i // 2}" for i in range(44)], gate=QUARTER)
    assert shown(plan, same)["edge"].more_cases == 22  # clusters of two cases; 29 single cases would do the same


# How sure it all is


def test_repetitions_are_those_of_the_cases_that_were_called():
    plan = plan_of(1000, identical=[i < 100 for i in range(1000)], flips=9_999)
    decision, _ = play(plan, lambda case, arm, r: float(arm == 0 or case % 8 > 0))
    assert decision.confidence.looks == 1
    assert decision.confidence.repetitions == 1.0


def test_the_flip_rate_is_that_of_the_first_metric_that_gates():
    """Twice the variance between runs: the share of pairs of runs that differ."""
    n = 50
    variances = np.column_stack([np.full(n, 0.3), np.full(n, 0.01), np.full(n, 0.02)])
    history = History(np.ones((n, 3)), variances)
    specs = (MetricSpec(name="note", gates=False), MetricSpec(name="exact"), MetricSpec(name="date", kind="field"))
    decision, _ = play(plan_of(n, metrics=specs, history=history), lambda case, arm, r: (1.0, 1.0, 1.0))
    assert decision.confidence.flip_rate == pytest.approx(0.02)
    assert [effect.metric for effect in decision.metrics] == ["exact", "date"]
    assert decision.confidence.hypotheses == 2


def test_one_metric_is_not_listed_beside_itself():
    decision, _ = play(plan_of(50), same)
    assert decision.metrics == ()
    assert decision.confidence.flip_rate is None


def test_a_must_pass_slice_that_breaks_while_its_mean_rises_does_not_say_that_it_fell():
    """Of 39 cases 4 break for good and 30 are fixed: the mean rose beyond chance, and the must-pass slice blocks."""
    plan = plan_of(100, slices=parts(adversarial=39, typical=61), gate=MUST_PASS)

    def answer(case, arm, r):
        return float(arm == 0) if case < 4 else float(arm == 1) if case < 34 else 1.0

    decision, _ = play(plan, answer)
    effect = decision.slices[0]
    assert decision.status is VerdictStatus.BLOCKED
    assert effect.change == pytest.approx(26 / 39)
    assert (effect.result, effect.interval) == ("worse", Interval(low=None, high=None))


def test_the_whole_error_rate_is_said_guarded_slices_included():
    decision, _ = play(plan_of(100, slices=parts(adversarial=10, typical=90)), same)
    assert decision.confidence.alpha == pytest.approx(ALPHA)
    assert decision.confidence.hypotheses == 3


def test_no_drop_is_larger_than_everything():
    decision, _ = play(plan_of(1), lambda case, arm, r: float(arm == 0))
    assert decision.confidence.can_rule_out == 1.0


def test_a_decision_names_its_design():
    plan = plan_of(50)
    assert play(plan, same)[0].digest == plan.digest


def test_a_new_prompt_has_costs_and_latency_too():
    gate = GateConfig(floor=Floor(overall=0.5))
    decision, _ = play(plan_of(50, paired=False, gate=gate), Answers(same))
    assert (decision.cost.result, decision.cost.limit) == ("no_data", 0.2)
    assert (decision.latency.result, decision.latency.pairs) == ("no_data", 0)


# Weights


def test_a_stratum_keeps_its_share_however_much_of_it_was_seen():
    """A quarter of the cases is `edge`; half of them is present, and all others."""
    plan = plan_of(40, slices=parts(edge=10, typical=30))
    present = np.array([i >= 5 for i in range(40)])
    overall, edge = weights(plan, None, present), weights(plan, "edge", present)
    assert overall[5:10] == pytest.approx(np.full(5, 0.25 / 5))
    assert overall[10:] == pytest.approx(np.full(30, 0.75 / 30))
    assert edge.sum() == pytest.approx(1.0)
    assert edge[10:].sum() == overall[:5].sum() == 0


def test_the_others_stand_for_a_stratum_of_which_nothing_is_present():
    plan = plan_of(40, slices=parts(edge=10, typical=30))
    overall = weights(plan, None, np.array([i >= 10 for i in range(40)]))
    assert overall[10:] == pytest.approx(np.full(30, 1 / 30))
    assert weights(plan, "edge", np.zeros(40, bool)).sum() == 0


# Small slices of a large test set, and how far a run must go


def test_few_cases_of_a_slice_are_few_however_many_others_there_are():
    """8 that held could hide a break of 25 points in one of ten tries."""
    gate = GateConfig(mode="fixed", margin=Margins(slices={"edge": 0.25}))
    effects = shown(plan_of(108, slices=parts(edge=8, typical=100), gate=gate), same)
    assert (effects["edge"].result, effects["typical"].result) == ("too_few_cases", "no_change")
    assert effects["edge"].interval.low == pytest.approx(-(1 - 0.04 ** (1 / 8)))


def test_how_many_more_cases_is_not_said_of_a_slice_that_was_not_run_to_its_end():
    plan = plan_of(1000, slices=parts(edge=500, typical=500))
    decision, _ = play(plan, lambda case, arm, r: float(arm == 0 or case >= 500 or case % 3 > 0))
    typical = decision.slices[1]
    assert decision.confidence.looks < 4
    assert (typical.result, typical.more_cases) == ("too_few_cases", None)
    assert typical.interval.low < 0


def test_a_floor_that_clearly_holds_takes_no_further_look():
    without, _ = play(plan_of(1000), same)
    floored, _ = play(plan_of(1000, gate=GateConfig(floor=Floor(overall=0.5))), same)
    assert floored.confidence.looks == without.confidence.looks < 4


def test_a_floor_of_a_slice_is_judged_once_the_slice_is_complete():
    """27 of 30 pass, a floor of 90: nothing is left to see of it after the first look."""
    gate = GateConfig(floor=Floor(slices={"edge": 0.9}))
    plan = plan_of(1030, slices=parts(edge=30, typical=1000), gate=gate)
    without, _ = play(plan_of(1030, slices=parts(edge=30, typical=1000)), lambda case, arm, r: float(case > 2))
    floored, _ = play(plan, lambda case, arm, r: float(case > 2))
    assert (floored.status, floored.confidence.looks) == (VerdictStatus.APPROVED, without.confidence.looks)
    assert floored.confidence.looks < 4


def test_a_floor_of_everything_can_be_shown():
    """A case exactly at its floor doesn't lie below it."""
    gate = GateConfig(floor=Floor(overall=1.0))
    assert play(plan_of(200, paired=False, gate=gate), same)[0].status is VerdictStatus.APPROVED


def test_the_floor_of_a_slice_may_hide_what_the_margin_of_the_slice_allows():
    gate = GateConfig(floor=Floor(slices={"edge": 0.9}))
    plan = plan_of(520, slices=parts(edge=20, typical=500), paired=False, gate=gate)
    assert play(plan, same)[0].status is VerdictStatus.APPROVED


def test_margins_are_those_that_are_written_for_the_slice_or_the_class():
    gate = GateConfig(margin=Margins(slices={"edge": 0.07}, classes={"a": 0.06}))
    plan = plan_of(20, slices=parts(edge=10, typical=10), labels=["a"] * 5 + ["b"] * 15, gate=gate)
    assert {h.slice: (h.margin, h.written, h.policy) for h in plan.hypotheses} == {
        None: (0.25, False, SlicePolicy.AVERAGE),
        "class a": (0.06, True, SlicePolicy.AVERAGE),
        "edge": (0.07, True, SlicePolicy.AVERAGE),
        "typical": (0.25, False, SlicePolicy.WATCH),
    }
