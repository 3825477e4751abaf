"""The sentences of the gate, as they are read."""

import pytest

from engine.gate import reason_text
from schemas.effects import Effect
from schemas.verdicts import Interval, VerdictStatus


def effect(**changed):
    basis = {
        "slice": "adversarial", "metric": "exact", "cases": 12, "baseline": 0.8333, "candidate": 0.5, "change": -0.3333,
        "interval": Interval(low=-0.58, high=-0.099), "margin": 0.1, "result": "worse", "better": 0, "worse": 4,
    }  # fmt: skip
    return Effect(**(basis | changed))


@pytest.mark.parametrize(
    ("name", "metric", "said"),
    [
        (None, None, "the overall score"), (None, "date", "`date`"), ("edge", None, "slice `edge`"),
        ("edge", "date", "`date` in slice `edge`"), ("class refunds", None, "class `refunds`"),
    ],
)  # fmt: skip
def test_subjects(name, metric, said):
    assert reason_text.subject(name, metric) == said


def test_a_drop():
    assert reason_text.drop(effect(), None) == (
        "Slice `adversarial` fell from 83.3 to 50.0 (−33.3, interval −58.0 … −9.9): 4 cases scored lower, 0 higher."
    )
    assert reason_text.drop(effect(slice=None, baseline=None, worse=1), "date").startswith(
        "`date` fell (−33.3, interval"
    )


def test_where_planned_runs_decided_and_all_runs_say_otherwise_both_are_said():
    up = effect(change=0.02, interval=Interval(low=-0.1, high=0.02), better=3)
    assert reason_text.drop(up, None) == (
        "Slice `adversarial` fell significantly in planned runs, and again when re-run. Over all runs: +2.0, interval "
        "−10.0 … +2.0; 4 cases scored lower, 3 higher."
    )
    assert reason_text.lone_drop(up, None, 0.05).startswith(
        "Slice `adversarial` seems to have fallen in planned runs: significant"
    )
    assert reason_text.estimated_drop(up, None) == (
        "Slice `adversarial` may have fallen by 10 points or more, but 12 cases are too few to be certain."
    )
    assert reason_text.no_drop(effect(change=-0.12, margin_written=True), None) == (
        "Planned runs show no drop over 10 points in slice `adversarial` (over all runs: −12.0)."
    )
    assert reason_text.floor("edge", 0.95, 0.9, certain=False) == (
        "Slice `edge` is 95.0 over all runs, but below its floor of 90 in planned runs, where a missing answer counts 0."
    )
    assert reason_text.floor_holds("edge", 0.85, 0.9) == (
        "Slice `edge` is 85.0 over all runs, but held its floor of 90 in planned runs."
    )
    assert reason_text.always_fails(nearly=True).startswith("Both versions fail nearly every case")


def test_a_drop_that_is_certain_only_by_itself():
    assert reason_text.lone_drop(effect(slice="edge", change=-0.25), None, 0.05) == (
        "Slice `edge` seems to have fallen by 25.0 points: significant by itself (p ≤ 0.05), but not among all "
        "comparisons of this run."
    )
    assert reason_text.lone_drop(effect(slice=None, change=-0.25), None, 0.05 / 3).startswith("The overall score seems")
    assert "(p ≤ 0.017)" in reason_text.lone_drop(effect(slice=None, change=-0.25), None, 0.05 / 3)


def test_must_pass_cases():
    ids = [f"inject-{number}" for number in range(1, 8)]
    assert reason_text.must_pass("adversarial", 21, ids[:3], ids[1:2]) == (
        "1 of 21 must-pass cases in `adversarial` broke, and failed again when re-run: `inject-2`; 2 more do worse than before."
    )
    assert reason_text.must_pass("adversarial", 21, ids[:2], ids[:1]).endswith(
        "`inject-1`; 1 more does worse than before."
    )
    assert reason_text.must_pass("adversarial", 21, ids, ids).endswith(
        "`inject-1`, `inject-2`, `inject-3`, `inject-4`, `inject-5` and 2 more."
    )


def test_must_pass_cases_of_which_no_single_one_is_certain():
    assert reason_text.must_pass("adversarial", 21, ["a", "b"], []) == (
        "2 of 21 must-pass cases in `adversarial` did worse, and did so again when re-run: `a`, `b`."
    )


@pytest.mark.parametrize(
    ("status", "compared"),
    [
        (VerdictStatus.BLOCKED, "more"),
        (VerdictStatus.NEEDS_REVIEW, "perhaps more"),
        (VerdictStatus.APPROVED, "no more"),
    ],
)
def test_guarded_cases_are_all_named_beside_the_churn_elsewhere(status, compared):
    ids = [f"i-{number}" for number in range(7)]
    said = reason_text.guard("adversarial", 20, ids, 0.08, status)
    assert said == (
        f"7 of 20 guarded cases in `adversarial` broke, {compared} often than the other cases: "
        "`i-0`, `i-1`, `i-2`, `i-3`, `i-4`, `i-5`, `i-6`; 8% of the other cases changed too."
    )
    assert (
        reason_text.guard("adversarial", 1, ["a"], None, status)
        == f"1 of 1 guarded case in `adversarial` broke, {compared} often than any rewording breaks cases: `a`."
    )


def test_forbidden_answers():
    assert (
        reason_text.forbidden(["a"])
        == "1 case broke with an answer that contains text it forbids (`must_not` or `canary`): `a`."
    )
    assert reason_text.forbidden(["a", "b"]).startswith("2 cases broke with an answer that contains text they forbid")


def test_protected_cases():
    assert reason_text.protected(["a-1"]).startswith(
        "Protected case `a-1` fails in every fresh run; the baseline passes in"
    )
    assert reason_text.protected(["a", "b"]).startswith("2 protected cases fail")


def test_floors():
    assert reason_text.floor("edge", 0.5, 0.9, certain=True) == "Slice `edge` is 50.0, below its floor of 90."
    assert reason_text.floor(None, 0.5, 0.9, certain=False).endswith("floor of 90, but chance is not ruled out.")
    assert (
        reason_text.floor_unproven(None, 1, 0.9)
        == "1 case is too few to show that the overall score holds its floor of 90."
    )
    assert reason_text.floor_holds(None, 0.95, 0.9) == "The overall score is 95.0, not below its floor of 90."


def test_watched_slices():
    assert reason_text.watch("rare", 2) == (
        "2 cases of slice `rare` broke, and failed again when re-run; the slice is too small to block."
    )
    assert (
        reason_text.watch(None, 1)
        == "1 case added by this pull request failed with the candidate, and again when re-run."
    )


def test_what_can_not_be_told():
    assert reason_text.inconclusive(effect(slice=None, cases=14, more_cases=60), None) == (
        "14 cases are too few to detect a 10-point drop of the overall score; 60 more would."
    )
    assert reason_text.inconclusive(effect(slice=None, cases=1), None) == (
        "1 case is too few to detect a 10-point drop of the overall score."
    )
    assert reason_text.estimated_drop(effect(), None) == (
        "Slice `adversarial` seems to have fallen by 33.3 points (margin 10), but 12 cases are too few to be certain."
    )


def test_what_was_ruled_out_and_why_a_default_margin_is_no_smaller():
    assert reason_text.no_drop(effect(margin=0.11, change=0.0), None) == (
        "No drop over 11 points in slice `adversarial` (the margin for 12 cases)."
    )
    assert reason_text.no_drop(effect(margin=0.11, margin_written=True, change=0.0), "date") == (
        "No drop over 11 points in `date` in slice `adversarial`."
    )
    assert reason_text.no_drop(effect(slice=None, margin=0.05, change=0.0), None) == "No drop over 5 points overall."


def test_missing_cells():
    assert (
        reason_text.missing_cells((38, 0), (200, 200))
        == "38 of 200 baseline calls gave no usable answer, so there is no verdict."
    )
    both = reason_text.missing_cells((38, 1), (1200, 1200))
    assert both.startswith("38 of 1,200 baseline calls and 1 of 1,200 candidate calls gave")
    assert reason_text.missing_doubt(1, "the comparison") == (
        "1 call gave no usable answer. If it failed for the candidate, the comparison would block."
    )
    assert reason_text.missing_choice(1) == "1 call gave no usable answer. The verdict depends on its answer."
    assert reason_text.missing_choice(2) == "2 calls gave no usable answer. The verdict depends on their answers."


def test_costs():
    assert reason_text.cost(0.89, 0.2) == "Cost rose by 89% per case (limit 20%)."
    assert reason_text.cost(None, 0.2) == "Calls were free and now cost money (limit +20%)."
    assert reason_text.cost_uncertain(-0.05, 0.2, measured=True) == (
        "The data can't show whether the change of cost per case (estimated −5%) is within its limit of +20%."
    )
    assert reason_text.cost_uncertain(None, 0.2, measured=False).startswith("The cost per case is unknown")
    assert reason_text.cost_uncertain(None, 0.2, measured=True).startswith(
        "The data can't show whether the change of cost per case is"
    )


def test_latencies():
    assert reason_text.latency(1.0, 3.0, 0.5, certain=True) == (
        "Answers are slower than allowed (median 1.0 s → 3.0 s, limit +50%)."
    )
    assert reason_text.latency(1.0, 1.5, 0.5, certain=False).startswith(
        "The data can't show whether latency is within its limit"
    )
    assert reason_text.latency(None, None, 0.5, certain=False).startswith("No pair of calls was made side by side")


def test_new_prompts():
    assert reason_text.new_lineage(floors=True) == "This prompt is new: it was judged against its floors."
    assert "needs a review" in reason_text.new_lineage(floors=False)
