"""Every reason whole: its data as well as its sentence, for whoever reads the JSON."""

import pytest

from schemas.gate_config import Floor, GateConfig, Margins, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.verdicts import Interval, VerdictStatus
from tests.gate.play import Answers, plan_of, play

FIXED = {"mode": "fixed"}
MUST_PASS = GateConfig(adversarial=SlicePolicy.MUST_PASS)
TWO = (MetricSpec(name="record"), MetricSpec(name="date", kind="field"))


def told(reason):
    """What a reason says, rounded; what it leaves open is left out."""

    def plain(value):
        if isinstance(value, Interval):
            return (plain(value.low), plain(value.high))
        return round(value, 4) if isinstance(value, float) else value

    given = {name: plain(getattr(reason, name)) for name in type(reason).model_fields}
    return {name: value for name, value in given.items() if value not in (None, (), "")}


def reasons(plan, answers, width=None):
    decision, _ = play(plan, answers, width)
    return [told(reason) for reason in decision.reasons]


def only(plan, answers, width=None):
    (reason,) = reasons(plan, answers, width)
    return reason


def same(case, arm, repetition):
    return 1.0


def breaks(cases):
    return lambda case, arm, repetition: float(arm == 0 or case not in cases)


def parts(**sizes):
    return [(name,) for name, size in sizes.items() for _ in range(size)]


def ids(*cases):
    return tuple(f"c{case}" for case in sorted(cases))


# Nothing to lose


@pytest.mark.parametrize("gate", [GateConfig(), GateConfig(**FIXED)])
def test_what_always_fails_can_not_fall_and_is_not_approved(gate):
    plan = plan_of(120, slices=parts(edge=40, typical=80), gate=gate)
    assert only(plan, lambda case, arm, r: 0.0) == {
        "code": "always_fails",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": (
            "Both versions fail every case that ran, so a drop can't be seen. Compare `expected` with the answers."
        ),
        "metric": "exact",
    }


@pytest.mark.parametrize(
    ("right", "says"),
    [
        ((3, 0), "Both versions fail nearly every case"),
        ((0, 3), "Both versions fail nearly every case"),
        ((5, 5), "Both versions fail nearly every case"),
        ((15, 12), "The candidate fails nearly every case"),
        ((12, 15), ""),
        ((40, 0), ""),  # a drop that blocks
        ((0, 40), ""),
    ],
)
def test_what_scores_less_than_the_margin_can_not_fall_by_more(right, says):
    plan = plan_of(120, gate=GateConfig(**FIXED))
    found = reasons(plan, lambda case, arm, r: float(case < right[arm]))
    said = [reason["sentence"] for reason in found if reason["code"] == "always_fails"]
    assert [sentence.startswith(says) for sentence in said] == [True] * bool(says)


# Drops


def test_a_drop():
    """20 of 100 edge cases break, 2 of 200 typical ones are fixed; one look, so p is 1 / (flips + 1)."""
    plan = plan_of(300, slices=parts(edge=100, typical=200), gate=GateConfig(**FIXED))
    mended = {200, 201}
    found = reasons(plan, lambda c, arm, r: float(arm == 1) if c in mended else float(arm == 0 or not 10 <= c < 30))
    assert found == [
        {
            "code": "drop",
            "status": VerdictStatus.BLOCKED,
            "sentence": "The overall score fell from 99.3 to 93.3 (−6.0, interval −8.7 … −3.2): 20 cases scored lower, 2 higher.",
            "metric": "exact",
            "estimate": -0.06,
            "interval": (-0.0874, -0.032),
            "margin": 0.0693,
            "p": 0.001,
            "look": 1,
            "cases": tuple(f"c{c}" for c in range(10, 30)),
        },
        {
            "code": "drop",
            "status": VerdictStatus.BLOCKED,
            "sentence": "Slice `edge` fell from 100.0 to 80.0 (−20.0, interval −26.9 … −12.0): 20 cases scored lower, 0 higher.",
            "slice": "edge",
            "metric": "exact",
            "estimate": -0.2,
            "interval": (-0.2691, -0.12),
            "margin": 0.1245,
            "p": 0.001,
            "look": 1,
            "cases": tuple(f"c{c}" for c in range(10, 30)),
        },
    ]


def test_a_drop_of_another_metric_says_which():
    plan = plan_of(300, slices=parts(edge=100, typical=200), gate=GateConfig(**FIXED), metrics=TWO)
    found = reasons(plan, lambda case, arm, r: (1.0, float(arm == 0 or not 10 <= case < 30)))
    assert [(r.get("slice"), r["metric"], r["p"]) for r in found] == [(None, "date", 0.001), ("edge", "date", 0.001)]
    assert found[1]["sentence"] == (
        "`date` in slice `edge` fell from 100.0 to 80.0 (−20.0, interval −26.9 … −12.0): 20 cases scored lower, 0 higher."
    )


TIGHT = GateConfig(**FIXED, margin=Margins(fields={"date": 0.01}))


def test_an_estimated_drop():
    """A drop of exactly its margin is beyond it; 3 of 3 that differ fell: p is about 1 / 8."""
    reason = only(plan_of(300, metrics=TWO, gate=TIGHT), lambda c, arm, r: (1.0, float(not (arm and c in (2, 4, 250)))))
    assert 0.1 < reason.pop("p") < 0.16
    assert reason == {
        "code": "estimated_drop",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": "`date` seems to have fallen by 1.0 points (margin 1), but 300 cases are too few to be certain.",
        "metric": "date",
        "estimate": -0.01,
        "interval": (-0.0229, 0.0),
        "margin": 0.01,
        "look": 1,
        "cases": ids(2, 4) + ids(250),
    }


def test_a_margin_that_can_not_be_certified():
    gate = GateConfig(**FIXED, margin=Margins(fields={"date": 0.005}))
    assert only(plan_of(300, metrics=TWO, gate=gate), lambda case, arm, r: (1.0, 1.0)) == {
        "code": "inconclusive",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "300 cases are too few to detect a 0.5-point drop of `date`; 55,038 more would.",
        "metric": "date",
        "estimate": 0.0,
        "interval": (-0.0107, 0.0),
        "margin": 0.005,
        "p": 1.0,
        "look": 1,
    }


def test_no_drop():
    plan = plan_of(300, slices=parts(edge=100, typical=200), gate=GateConfig(**FIXED), metrics=TWO)
    found = reasons(plan, lambda case, arm, r: (1.0, 1.0))
    assert [r["sentence"] for r in found] == [
        "No drop over 6.9 points overall (the margin for 300 cases).",
        "No drop over 12.5 points in slice `edge` (the margin for 100 cases).",
        "No drop over 10 points in slice `typical`.",
        "No drop over 6.9 points in `date` (the margin for 300 cases).",
    ]
    assert found[1] == {
        "code": "no_drop",
        "status": VerdictStatus.APPROVED,
        "sentence": found[1]["sentence"],
        "slice": "edge",
        "metric": "record",
        "estimate": 0.0,
        "interval": (-0.0243, 0.0),
        "margin": 0.1245,
        "p": 1.0,
        "look": 1,
    }


# Must-pass slices, protected cases, smoke, watched slices


def test_a_must_pass_slice():
    """Both break in all 6 fresh runs: p = 1 / 924², blocked in the first look, before any bound."""
    assert only(plan_of(100, slices=parts(adversarial=10, typical=90), gate=MUST_PASS), breaks({3, 5})) == {
        "code": "must_pass",
        "status": VerdictStatus.BLOCKED,
        "sentence": "2 of 10 must-pass cases in `adversarial` broke, and failed again when re-run: `c3`, `c5`.",
        "slice": "adversarial",
        "metric": "exact",
        "estimate": -0.2,
        "interval": (None, None),
        "p": 0.0,
        "look": 1,
        "cases": ids(3, 5),
    }


def test_a_must_pass_slice_of_which_only_some_breaks_are_certain():
    """Case 2 never passes again; the others of the first six do worse than before."""
    plan = plan_of(100, slices=parts(adversarial=10, typical=90), gate=MUST_PASS)
    reason = only(plan, lambda c, arm, r: 1.0 if c > 5 or not arm else float(c != 2 and r % 2))
    assert reason["cases"] == ids(2)
    assert reason["sentence"] == (
        "1 of 10 must-pass cases in `adversarial` broke, and failed again when re-run: `c2`; 5 more do worse than before."
    )


def test_a_must_pass_slice_of_which_no_single_break_is_certain():
    """Three failures in six runs are nothing by themselves (p = 0.09), ten times three are."""
    plan = plan_of(100, slices=parts(adversarial=10, typical=90), gate=MUST_PASS)
    reason = only(plan, lambda c, arm, r: float(c > 9 or not arm or r % 2))
    assert reason["cases"] == ids(*range(10))
    assert reason["sentence"].startswith("10 of 10 must-pass cases in `adversarial` did worse, and did so again")


def test_a_must_pass_break_that_is_too_few():
    plan = plan_of(100, slices=parts(adversarial=10, typical=90), lineages=20, gate=MUST_PASS)
    reason = only(plan, breaks({3}))
    assert reason.pop("look") > 0
    assert reason.pop("interval")
    assert reason == {
        "code": "must_pass",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": "1 must-pass case in `adversarial` looked broken again when re-run; too few to block.",
        "slice": "adversarial",
        "metric": "exact",
        "estimate": -0.1,
        "p": 0.0011,
        "cases": ids(3),
    }


def test_a_protected_case():
    plan = plan_of(100, protected=[i == 7 for i in range(100)])
    assert only(plan, breaks({7})) == {
        "code": "protected",
        "status": VerdictStatus.BLOCKED,
        "sentence": "Protected case `c7` fails in every fresh run; the baseline passes in every one.",
        "look": 1,
        "cases": ids(7),
    }


def test_a_protected_case_whose_runs_are_missing():
    """2 of the 4 fresh runs of the candidate gave nothing."""
    plan = plan_of(100, protected=[i == 7 for i in range(100)])
    answer = breaks({7})
    assert only(plan, lambda c, arm, r: None if r >= 1000 and arm and r % 2 else answer(c, arm, r)) == {
        "code": "missing_cells",
        "status": VerdictStatus.ERROR,
        "sentence": "2 calls gave no usable answer. If they failed for the candidate, a protected case would block.",
        "look": 1,
    }


def test_smoke():
    plan = plan_of(500)
    decision, batches = play(plan, lambda case, arm, r: float(arm == 0 or case % 3 == 0))
    first = set(batches[0].cases.tolist())
    failed = [case for case in first if case % 3]
    assert (len(first), len(failed) >= 8) == (20, True)
    assert told(decision.reasons[0]) == {
        "code": "smoke",
        "status": VerdictStatus.BLOCKED,
        "sentence": f"{len(failed)} of the first 20 cases broke, and failed again when re-run. The run stopped there.",
        "cases": tuple(f"c{case}" for case in sorted(failed)),
    }


def test_a_watched_slice():
    reason = only(plan_of(200, slices=parts(rare=12, typical=188)), breaks({0, 1}))
    assert reason == {
        "code": "watch",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": "2 cases of slice `rare` broke, and failed again when re-run; the slice is too small to block.",
        "slice": "rare",
        "look": reason["look"],
        "cases": ids(0, 1),
    }


def test_added_cases():
    reason = only(plan_of(101, added=[i == 100 for i in range(101)]), breaks({100}))
    assert reason == {
        "code": "watch",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": "1 case added by this pull request failed with the candidate, and again when re-run.",
        "look": reason["look"],
        "cases": ids(100),
    }


# Costs, latency, floors


def test_costs():
    dear = Answers(same, cost=lambda case, arm, r: (1.89 if arm else 1.0) * (1 + case % 5 / 10))
    assert only(plan_of(100), dear) == {
        "code": "cost",
        "status": VerdictStatus.BLOCKED,
        "sentence": "Cost rose by 89% per case (limit 20%).",
        "estimate": 0.89,
        "interval": (0.89, 0.89),
        "margin": 0.2,
    }


def test_costs_that_can_not_be_told_from_their_limit():
    unsure = Answers(same, cost=lambda case, arm, r: 1.0 + (case * 7 % 11) / 5 * arm * 0.2)
    assert only(plan_of(40), unsure) == {
        "code": "cost_uncertain",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "The data can't show whether the change of cost per case (estimated +20%) is within its limit of +20%.",
        "estimate": 0.202,
        "interval": (0.165, 0.239),
        "margin": 0.2,
    }


SLOW = GateConfig(latency="gate", max_latency_increase=0.5)


def paced(factor):
    def seconds(case, arm, r):
        return (1 + case % 3) * (factor if arm else 1.0) * (1.01 if case % 2 else 1 / 1.01)

    return Answers(same, seconds=seconds)


def test_latency():
    assert only(plan_of(100, gate=SLOW), paced(3.0)) == {
        "code": "latency",
        "status": VerdictStatus.BLOCKED,
        "sentence": "Answers are slower than allowed (median 2.0 s → 6.1 s, limit +50%).",
        "margin": 0.5,
        "p": 0.001,
    }


def test_latency_that_can_not_be_told_from_its_limit():
    reason = only(plan_of(100, gate=SLOW), paced(1.5))
    assert reason.pop("p") > 0.05
    assert reason == {
        "code": "latency",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "The data can't show whether latency is within its limit (median 2.0 s → 3.0 s, limit +50%).",
        "margin": 0.5,
    }


@pytest.mark.parametrize(
    ("passes", "status", "sentence", "estimate"),
    [
        (48, VerdictStatus.BLOCKED, "Slice `edge` is 48.0, below its floor of 90.", 0.48),
        (
            89,
            VerdictStatus.NEEDS_REVIEW,
            "Slice `edge` is 89.0, below its floor of 90, but chance is not ruled out.",
            0.89,
        ),
        (90, VerdictStatus.APPROVED, "Slice `edge` is 90.0, not below its floor of 90.", 0.9),
    ],
)
def test_floors(passes, status, sentence, estimate):
    gate = GateConfig(floor=Floor(slices={"edge": 0.9}), **FIXED)
    found = reasons(
        plan_of(300, slices=parts(edge=100, typical=200), gate=gate), lambda c, arm, r: float(c % 100 < passes)
    )
    assert [reason for reason in found if reason["code"] == "floor"] == [
        {"code": "floor", "status": status, "sentence": sentence, "slice": "edge", "estimate": estimate, "margin": 0.9}
    ]


def test_a_floor_of_a_new_prompt_that_so_few_cases_can_not_show():
    gate = GateConfig(floor=Floor(slices={"edge": 0.9}))
    found = reasons(plan_of(60, slices=parts(edge=10, typical=50), paired=False, gate=gate), same)
    assert found[1] == {
        "code": "floor",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "10 cases are too few to show that slice `edge` holds its floor of 90.",
        "slice": "edge",
        "estimate": 1.0,
        "margin": 0.9,
    }


def test_a_floor_under_a_slice_without_cases():
    gate = GateConfig(floor=Floor(slices={"ghost": 0.9}), slices={"ghost": SlicePolicy.AVERAGE}, **FIXED)
    found = reasons(plan_of(60, gate=gate), same)
    assert {
        "code": "floor",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "Slice `ghost` is named in the gate's configuration but has no cases: it was not judged.",
        "slice": "ghost",
        "margin": 0.9,
    } in found


def test_a_slice_that_is_named_and_has_no_case():
    assert only(plan_of(100, gate=GateConfig(slices={"ghost": SlicePolicy.WATCH})), same) == {
        "code": "no_cases",
        "status": VerdictStatus.INCONCLUSIVE,
        "sentence": "Slice `ghost` is named in the gate's configuration but has no cases: it was not judged.",
        "slice": "ghost",
    }


# Nothing to compare


def test_a_new_prompt():
    assert only(plan_of(50, paired=False), same) == {
        "code": "new_lineage",
        "status": VerdictStatus.NEEDS_REVIEW,
        "sentence": "This prompt is new and has nothing to be compared with. It needs a review, or a floor or reference "
        "in the base configuration.",
    }
    judged = reasons(plan_of(200, paired=False, gate=GateConfig(floor=Floor(overall=0.9))), same)
    assert judged[1]["sentence"] == "This prompt is new: it was judged against its floors."


def test_nothing_that_could_differ():
    decision, batches = play(plan_of(10, identical=[True] * 10), same)
    assert batches == []
    assert [told(reason) for reason in decision.reasons] == [
        {
            "code": "identical",
            "status": VerdictStatus.APPROVED,
            "sentence": "Both versions send exactly the same requests, so nothing can have changed.",
        }
    ]
    assert (decision.cost.result, decision.cost.limit) == ("no_data", None)
    assert (decision.latency.result, decision.latency.pairs, decision.latency.p) == ("no_data", 0, None)
    assert (decision.overall.change, decision.overall.result) == (0.0, "no_change")
    assert decision.overall.interval == Interval(low=0.0, high=0.0)
    assert (decision.confidence.looks, decision.confidence.repetitions, decision.confidence.can_rule_out) == (
        0,
        0.0,
        0.0,
    )


# Which hypotheses say what


def test_the_evidence_of_a_slice_lies_in_the_slice():
    """40 edge cases break, and 4 typical ones, of which the slice says nothing."""
    plan = plan_of(300, slices=parts(edge=100, typical=200), gate=GateConfig(**FIXED))
    found = {r.get("slice"): r["cases"] for r in reasons(plan, breaks({*range(40), 200, 210, 220, 230}))}
    assert found["edge"] == tuple(f"c{c}" for c in range(40))
    assert len(found[None]) == 44


def test_a_must_pass_slice_keeps_no_other_slice_from_being_certified_and_what_holds_names_no_cases():
    """One typical case of 290 falls; `adversarial`, which comes first, certifies nothing."""
    plan = plan_of(300, slices=parts(adversarial=10, typical=290), gate=GateConfig(**FIXED))
    found = reasons(plan, breaks({100}))
    assert [(r["code"], r.get("slice")) for r in found] == [("no_drop", None), ("no_drop", "typical")]
    assert all("cases" not in r for r in found)
