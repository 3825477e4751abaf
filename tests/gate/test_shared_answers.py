"""Requests that both arms share, slices that are complete and cases that share an answer: no evidence about the rest."""

import numpy as np
import pytest

from schemas.gate_config import Floor, GateConfig, Margins, SlicePolicy
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.gate.play import chance, noisy, plan_of, play, steady_history

APPROVED, BLOCKED, INCONCLUSIVE = VerdictStatus.APPROVED, VerdictStatus.BLOCKED, VerdictStatus.INCONCLUSIVE


# Cases whose requests are the same in both arms


def changed_from(first, n):
    return [i < first for i in range(n)]


def test_unchanged_requests_do_not_stand_for_changed_ones_that_were_not_seen_yet():
    """Half of 400 requests are the same; the other half loses 14 points. The first look sees a tenth of them."""
    approved = 0
    for seed in range(20):
        plan = plan_of(400, identical=changed_from(200, 400), digest=f"{seed:064x}")
        decision, _ = play(plan, noisy(seed, lambda case, arm: 0.95 - 0.14 * arm))
        approved += decision.status is APPROVED
    assert approved <= 2


def test_the_change_is_a_mean_over_all_cases_at_every_look():
    """A quarter of the requests is new and fails, at the first look too."""
    plan = plan_of(400, identical=changed_from(300, 400))
    decision, _ = play(plan, lambda case, arm, r: float(arm == 0))
    assert decision.confidence.looks == 1
    assert decision.overall.change == pytest.approx(-0.25)


def test_unchanged_requests_spend_no_error_before_the_changed_ones_are_there():
    """6 of the first 20 break, p = 1 / 64: enough for more than half of the information, not for a tenth of it."""
    plan = plan_of(400, identical=changed_from(200, 400))
    assert [len(look) for look in plan.looks] == [20, 30, 50, 100]
    early = set(plan.looks[0][:6].tolist())
    decision, _ = play(plan, lambda case, arm, r: float(arm == 0 or case not in early))
    assert decision.confidence.looks > 1


@pytest.mark.parametrize("broken", [0, 3])
def test_what_is_called_among_unchanged_requests_is_judged_as_the_sample_that_it_is(broken):
    """The unchanged three quarters can't fall, but they say nothing about the others."""
    fallen = set(range(200 - broken, 200))
    gate = GateConfig(mode="fixed", repetitions=1, margin=Margins(overall=0.25))
    among, _ = play(
        plan_of(200, identical=changed_from(150, 200), gate=gate), lambda c, arm, r: c not in fallen or not arm
    )
    alone, _ = play(plan_of(50, gate=gate), lambda c, arm, r: c + 150 not in fallen or not arm)
    assert among.overall.interval.low == pytest.approx(alone.overall.interval.low / 4)
    assert among.confidence.can_rule_out == pytest.approx(alone.confidence.can_rule_out / 4)


def test_a_slice_that_is_sent_unchanged_holds_even_a_margin_of_nothing():
    same = changed_from(60, 200)
    gate = GateConfig(margin=Margins(slices={"kept": 0.0, "other": 0.2}))
    plan = plan_of(200, identical=same, slices=[("kept",) if s else ("other",) for s in same], gate=gate)
    decision, _ = play(plan, lambda case, arm, r: 1.0)
    assert decision.status is APPROVED
    kept = decision.slices[0]
    assert (kept.slice, kept.result, kept.interval.low, kept.interval.high) == ("kept", "no_change", 0.0, 0.0)


def test_a_drop_at_its_margin_is_not_approved_because_most_requests_are_unchanged():
    """16 of the 50 that are called break, 8 points of all: none of the five that the first look sees."""
    plan = plan_of(200, identical=changed_from(150, 200), gate=GateConfig(margin=Margins(overall=0.08)))
    early = set(plan.looks[0].tolist())
    late = [i for i in range(150, 200) if i not in early][:16]
    assert play(plan, lambda case, arm, r: float(arm == 0 or case not in late))[0].status is BLOCKED


@pytest.mark.parametrize(("score", "verdict"), [(1.0, APPROVED), (0.5, BLOCKED)])
def test_a_floor_measures_unchanged_requests_too_whatever_is_stored_of_them(score, verdict):
    """Both arms take one answer from the store, so it is paid for once."""
    gate = GateConfig(floor=Floor(overall=0.8))
    same = changed_from(95, 100)
    for history in (None, steady_history(100, score=1.0)):
        plan = plan_of(100, identical=same, gate=gate, history=history)
        decision, batches = play(plan, lambda case, arm, r: score if case < 95 else 1.0)
        assert decision.status is verdict
        assert min(case for batch in batches for case in batch.cases.tolist()) < 95
        assert decision.latency.pairs <= 5


def test_a_floor_of_a_slice_is_judged_by_its_own_cases_and_says_which_it_is():
    """Its cases pass, the others fail; nothing is stored of five requests that stay the same."""
    gate = GateConfig(floor=Floor(slices={"good": 0.8}))
    groups = [("good",) if i < 60 else () for i in range(120)]
    whole, _ = play(plan_of(120, slices=groups, gate=gate), lambda case, arm, r: float(case < 60))
    part, _ = play(
        plan_of(120, slices=groups, gate=gate, identical=changed_from(5, 120)), lambda c, arm, r: float(c < 60)
    )
    floors = [next(r for r in decision.reasons if r.code is ReasonCode.FLOOR) for decision in (whole, part)]
    assert [(r.slice, r.status) for r in floors] == [("good", APPROVED)] * 2


# Slices that are complete before the others are


def half_in_small_slices(n):
    """The second half has slices of 25, which the first look runs completely; the first half has none."""
    return [() if i < n // 2 else (f"s{i % (n // 50)}",) for i in range(n)]


def test_complete_slices_do_not_stand_for_cases_of_which_a_tenth_was_seen():
    """16 of the 100 cases without a slice break, 8 points of all where 8 are allowed: none that the first look sees."""
    plan = plan_of(200, slices=half_in_small_slices(200), gate=GateConfig(margin=Margins(overall=0.08)))
    early = set(plan.looks[0].tolist())
    late = [i for i in range(100) if i not in early][:16]
    assert play(plan, lambda case, arm, r: float(arm == 0 or case not in late))[0].status is BLOCKED


def test_nor_do_they_hold_a_floor_for_them():
    """A fifth of the 200 cases without a slice fails in both arms: 90 points, and the floor is at 95."""
    gate = GateConfig(margin=Margins(overall=0.2), floor=Floor(overall=0.95))
    plan = plan_of(400, slices=half_in_small_slices(400), gate=gate)
    early = set(plan.looks[0].tolist())
    low = [i for i in range(200) if i not in early][:40]
    decision, _ = play(plan, lambda case, arm, r: float(case not in low))
    assert decision.status is not APPROVED
    assert decision.confidence.looks > 1


# Cases that may be one draw


def test_copies_of_one_case_under_must_pass_are_one_case():
    """Otherwise a wavering case that is listed 60 times breaks its slice every other time."""
    gate = GateConfig(slices={"edge": SlicePolicy.MUST_PASS})
    blocked = 0
    for seed in range(20):
        plan = plan_of(60, slices=[("edge",)] * 60, clusters=["one"] * 60, gate=gate, digest=f"{seed:064x}")
        decision, _ = play(plan, lambda case, arm, r, s=seed: float(chance(s, 0, arm, r) < 0.5))
        blocked += decision.status is BLOCKED
    assert blocked <= 1


def test_must_pass_clusters_that_break_outright_block():
    gate = GateConfig(slices={"edge": SlicePolicy.MUST_PASS})
    plan = plan_of(30, slices=[("edge",)] * 30, clusters=[f"k{i // 3}" for i in range(30)], gate=gate)
    decision, _ = play(plan, lambda case, arm, r: float(arm == 0 or case > 2))
    assert (decision.status, decision.reasons[0].code) == (BLOCKED, ReasonCode.MUST_PASS)
    assert decision.reasons[0].p == pytest.approx(1 / 924)


def test_a_missing_run_of_a_cluster_speaks_for_nobody():
    gate = GateConfig(slices={"edge": SlicePolicy.MUST_PASS})
    plan = plan_of(60, slices=[("edge",)] * 30 + [()] * 30, clusters=[f"k{i // 2}" for i in range(60)], gate=gate)
    fresh = plan.fresh_from

    def score(case, arm, repetition):
        if (case, arm) == (1, 0) and repetition >= fresh:
            return None  # only the other case of the cluster was seen again
        return float(arm == 0 or case > 1)

    decision, _ = play(plan, score)
    assert decision.status is VerdictStatus.ERROR


def test_smoke_takes_one_case_of_a_cluster():
    """Ten copies of one case are one draw; one bad draw is no smoke."""
    plan = plan_of(500, clusters=["one"] * 100 + [None] * 400)
    _, batches = play(plan, lambda case, arm, r: 1.0)
    smoked = next(b for b in batches if b.purpose == "smoke").cases
    assert len(np.unique(plan.units[smoked])) == 20


def test_smoke_needs_twenty_different_clusters():
    plan = plan_of(60, clusters=[f"k{i // 10}" for i in range(60)])
    _, batches = play(plan, lambda case, arm, r: 1.0)
    assert all(b.purpose != "smoke" for b in batches)


def test_where_only_added_cases_are_called_nothing_of_the_test_set_can_have_changed():
    plan = plan_of(60, identical=[i < 50 for i in range(60)], added=[i >= 50 for i in range(60)])
    decision, batches = play(plan, lambda case, arm, r: 1.0)
    assert decision.status is APPROVED
    assert {case for batch in batches for case in batch.cases.tolist()} == set(range(50, 60))
