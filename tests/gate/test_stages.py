"""The stages of the conversation one by one, at the very edges of their rules."""

import numpy as np
import pytest

from engine.gate.bounds import ALPHA, CASE_MARGIN, cases_for
from engine.gate.breaks import confirm_breaks, listed_breaks, worse_cases
from engine.gate.confirmation import confirm_harm
from engine.gate.ledger import FRESH, FRESH_RUNS
from engine.gate.protected import protected
from engine.gate.signflip import LookResult
from engine.gate.smoke import smoke
from engine.gate.spending import spent
from engine.gate.state import ComparisonState
from engine.gate.watched_slices import threshold, watch
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from schemas.outcomes import MetricSpec
from schemas.verdicts import VerdictStatus
from tests.gate.play import Answers, chance, plan_of, play, steady_history


def started(plan, first):
    """A state of which every case was seen once: ``first(case, arm)``."""
    state = ComparisonState(plan)
    cases = np.flatnonzero(~plan.identical)
    asked = state.ledger.first(cases, "look")
    state.ledger.record(asked, Answers(lambda case, arm, r: first(case, arm))(asked, max(plan.columns) + 1))
    state.take_look()
    return state


def lead(stage, answer, metrics=1):
    """What a stage returns, and the batches it asked for. ``answer(case, arm, run)``: the run-th fresh one, from 0."""
    batches, given = [], None
    while True:
        try:
            batch = next(stage) if given is None else stage.send(given)
        except StopIteration as end:
            return end.value, batches
        batches.append(batch)
        given = Answers(lambda case, arm, r: answer(case, arm, r % 1000 % FRESH_RUNS))(batch, metrics)


def parts(**sizes):
    return [(name,) for name, size in sizes.items() for _ in range(size)]


def breaks(*cases):
    return lambda case, arm, run=0: float(arm == 0 or case not in cases)


def same(case, arm, run=0):
    return 1.0


def ran(batches):
    return sorted({case for batch in batches for case in batch.cases.tolist()})


# Watched slices


@pytest.mark.parametrize(("cases", "breaks"), [(1, 2), (20, 2), (21, 3), (30, 3), (31, 4), (200, 20), (1010, 101)])
def test_a_tenth_of_a_watched_slice_is_remarkable_but_one_case_never(cases, breaks):
    assert threshold(cases) == breaks


RARE = plan_of(60, slices=parts(rare=12, other=12, typical=36))


def watched(first, again, plan=RARE):
    return lead(watch(started(plan, first)), again)


def test_breaks_are_confirmed_by_six_pairs():
    hits, batches = watched(breaks(0, 1), breaks(0, 1))
    assert hits == {"rare": (0, 1)}
    assert [len(b) for b in batches] == [8, 8, 8]
    assert ran(batches) == [0, 1]


@pytest.mark.parametrize(
    ("misses", "hit", "pairs"),
    [((), True, 6), ((3,), True, 6), ((0,), True, 6), ((0, 1), False, 2), ((0, 5), False, 6)],
)
def test_five_pairs_of_six_must_agree_and_two_that_do_not_are_enough(misses, hit, pairs):
    hits, batches = watched(breaks(0, 1), lambda case, arm, run: float(arm == 0 or run in misses))
    assert bool(hits) is hit
    assert sum(len(b) for b in batches) == 2 * 2 * pairs


def test_a_missing_fresh_run_speaks_against_the_candidate():
    assert watched(breaks(0, 1), lambda case, arm, run: None if arm else 1.0)[0] == {"rare": (0, 1)}
    assert watched(breaks(0, 1), lambda case, arm, run: 0.0 if arm else None)[0] == {"rare": (0, 1)}
    half = watched(breaks(0, 1), lambda case, arm, run: 0.5 if arm else None)[0]
    assert half == {"rare": (0, 1)}
    assert watched(breaks(0, 1), lambda case, arm, run: None if arm else 0.0)[0] == {}


def test_a_case_that_rises_in_fresh_runs_confirms_no_break():
    assert watched(breaks(0, 1), lambda case, arm, run: float(arm))[0] == {}


def test_confirmed_fixes_make_up_for_breaks_one_for_one():
    def first(case, arm, run=0):
        return float(arm == 0) if case < 3 else float(arm) if case == 3 else 1.0

    assert watched(first, first)[0] == {"rare": (0, 1, 2)}
    assert (
        watched(
            lambda c, a, r=0: float(a) if c == 4 else first(c, a), lambda c, a, r: float(a) if c == 4 else first(c, a)
        )[0]
        == {}
    )


def test_slices_are_watched_each_for_itself():
    """One break here and one there are not two breaks anywhere."""
    hits, batches = watched(breaks(0, 12), breaks(0, 12))
    assert (hits, batches) == ({}, [])


def test_a_case_must_move_by_ten_points_to_look_broken():
    assert watched(lambda c, a: 0.9 if a and c < 2 else 1.0, breaks(0, 1))[1]
    assert not watched(lambda c, a: 0.91 if a and c < 2 else 1.0, breaks(0, 1))[1]
    wavers = watched(lambda c, a: 0.9 if a and c < 2 else 0.91 if not a and c in (2, 3) else 1.0, breaks(0, 1))[1]
    assert ran(wavers) == [0, 1]


def test_other_policies_are_not_watched():
    plan = plan_of(200, slices=parts(adversarial=10, typical=190))
    assert watched(breaks(0, 1, 20, 21), breaks(0, 1), plan) == ({}, [])


def test_few_breaks_in_a_larger_watched_slice_are_not_remarkable():
    """A tenth of 30 is 3."""
    plan = plan_of(130, slices=parts(rare=30, typical=100), gate=GateConfig(slices={"rare": SlicePolicy.WATCH}))
    assert watched(breaks(0, 1), breaks(0, 1), plan) == ({}, [])
    assert watched(breaks(0, 1, 2), breaks(0, 1, 2), plan)[0] == {"rare": (0, 1, 2)}


def test_another_metric_is_not_watched():
    plan = plan_of(60, slices=parts(rare=12, typical=48), metrics=(MetricSpec(name="a"), MetricSpec(name="b")))
    assert lead(watch(started(plan, lambda c, a: (1.0, float(a == 0 or c > 1)))), same, 2) == ({}, [])


# Smoke

SMOKE = plan_of(39)


def smoked(first, again=None, plan=SMOKE):
    """``first(k, arm)`` and ``again(k, arm)`` by the place among the twenty; ``again`` is ``first`` unless given."""
    places = {}

    def answer(case, arm, run):
        at = places.setdefault(case, len(places))
        return (again if again and seen else first)(at, arm)

    seen = []
    stage, given, batches = smoke(ComparisonState(plan)), None, []
    while True:
        try:
            batch = next(stage) if given is None else stage.send(given)
        except StopIteration as end:
            return end.value, batches
        batches.append(batch)
        given = Answers(answer)(batch, 1)
        seen.append(batch)


def first_fail(k, score=0.0):
    return lambda at, arm: score if arm and at < k else 1.0


def test_smoke_is_twenty_pairs_and_a_fresh_pair_of_what_broke():
    (cases, doubt), batches = smoked(first_fail(9))
    assert (len(cases), doubt) == (9, False)
    assert [(len(b), sorted(set(b.arms.tolist()))) for b in batches] == [(40, [0, 1]), (18, [0, 1])]
    assert batches[0].repetitions.tolist() == [0] * 40


def test_the_plain_design_smokes_nothing():
    plan = plan_of(39, gate=GateConfig(mode="fixed"))
    assert smoked(first_fail(20), plan=plan) == (((), False), [])


def test_fewer_than_twenty_cases_smoke_nothing():
    assert smoked(first_fail(20), plan=plan_of(19)) == (((), False), [])


@pytest.mark.parametrize(("failed", "found"), [(7, 0), (8, 8), (20, 20)])
def test_eight_breaks_of_twenty_are_smoke(failed, found):
    (cases, doubt), batches = smoked(first_fail(failed))
    assert (len(cases), doubt, len(batches)) == (found, False, 1 + bool(found))


def test_one_case_that_gets_better_is_no_smoke():
    assert smoked(lambda at, arm: float(arm) if at == 19 else float(not arm or at > 9))[0] == ((), False)


@pytest.mark.parametrize(("repeated", "found"), [(5, 0), (6, 6)])
def test_three_of_four_breaks_must_repeat(repeated, found):
    (cases, doubt), _ = smoked(first_fail(8), first_fail(repeated))
    assert (len(cases), doubt) == (found, False)


def test_half_a_score_is_no_break():
    assert smoked(first_fail(9, 0.5))[0] == ((), False)
    assert len(smoked(first_fail(9, 0.49))[0][0]) == 9


def test_missing_cells_leave_smoke_in_doubt():
    assert smoked(first_fail(8, None), first_fail(8))[0] == ((), True)
    assert smoked(first_fail(8), first_fail(8, None))[0] == ((), True)
    assert smoked(first_fail(7, None), first_fail(7))[0] == ((), False)


def test_smoke_takes_neither_added_nor_unchanged_cases_nor_two_of_a_cluster():
    n = 46
    plan = plan_of(
        n,
        added=[i < 10 for i in range(n)],
        identical=[10 <= i < 20 for i in range(n)],
        clusters=[f"k{i // 2}" if i < 32 else None for i in range(n)],
    )
    _, batches = smoked(first_fail(0), plan=plan)
    assert min(ran(batches)) >= 20
    assert len({i // 2 if i < 32 else -i for i in ran(batches)}) == 20


def test_smoke_takes_other_cases_for_another_change():
    asked = [ran(smoked(first_fail(0), plan=plan_of(39, digest=d * 64))[1]) for d in "ab"]
    assert asked[0] != asked[1]


def test_what_a_store_holds_changes_no_smoke():
    known = plan_of(39, history=steady_history(39, score=0.0))
    assert smoked(first_fail(9), plan=known)[0] == smoked(first_fail(9))[0]


# Protected cases

GUARDED = plan_of(60, protected=[i == 7 for i in range(60)])


def guard(first, again, plan=GUARDED):
    return lead(protected(started(plan, first)), again)


def test_a_protected_case_is_run_again_only_if_it_fell():
    assert guard(same, same) == (((), ()), [])
    assert guard(lambda c, a: float(a) if c == 7 else 1.0, same) == (((), ()), [])
    assert guard(lambda c, a: 0.91 if a else 1.0, same) == (((), ()), [])
    assert guard(lambda c, a: 0.9 if a else 1.0, same)[1]


@pytest.mark.parametrize(
    ("again", "outcome"),
    [
        (breaks(7), "broken"),
        (lambda case, arm, run: 0.9 if arm else 1.0, "broken"),
        (lambda case, arm, run: 0.95 if arm else 1.0, "holds"),
        (lambda case, arm, run: float(arm == 0 or run == 3), "holds"),
        (lambda case, arm, run: float(arm == 0 and run != 8), "holds"),
        (lambda case, arm, run: None if arm and run == 2 else float(arm == 0), "possible"),
        (lambda case, arm, run: None if arm else 1.0, "possible"),
        (lambda case, arm, run: 0.0 if arm else None, "possible"),
        (lambda case, arm, run: 1.0 if arm else None, "holds"),
        (lambda case, arm, run: None if arm else 0.0, "holds"),
        (lambda case, arm, run: 0.95 if arm else None, "holds"),
    ],
)
def test_every_fresh_run_must_lie_below_every_run_of_the_baseline(again, outcome):
    found, _ = guard(breaks(7), again)
    assert found == {"broken": ((7,), ()), "possible": ((), (7,)), "holds": ((), ())}[outcome]


def test_a_bad_planned_run_counts_too():
    planned = guard(lambda c, a: 0.5 if c == 7 and not a else float(not a), lambda case, arm, run: 0.5 if arm else 1.0)
    assert planned[0] == ((), ())


# Must-pass slices

MUST_PASS_PLAN = plan_of(60, slices=parts(edge=10, typical=50), gate=GateConfig(slices={"edge": SlicePolicy.MUST_PASS}))


def held(first, again, plan=MUST_PASS_PLAN):
    state = started(plan, first)
    return lead(confirm_breaks(state, listed_breaks(state)), again)


def test_only_must_pass_cases_that_fell_are_run_again():
    found, batches = held(breaks(2, 3, 30), breaks(2))
    assert ran(batches) == [2, 3]
    assert list(found) == ["edge"]
    assert (found["edge"].worse, found["edge"].broken) == ((2,), (2,))
    assert worse_cases(started(MUST_PASS_PLAN, breaks(2, 30)), "edge") == [2]


def test_nothing_that_fell_is_no_evidence():
    assert held(breaks(30), same) == ({}, [])


def test_a_slice_whose_baseline_gave_nothing_is_no_evidence_but_could_be():
    found, _ = held(breaks(2), lambda case, arm, run: 0.0 if arm else None)
    assert (found["edge"].p, found["edge"].worse) == (1.0, ())
    assert found["edge"].worst_p == pytest.approx(1 / 924)


def test_a_missing_candidate_counts_as_a_failure_in_the_worst_case():
    found, _ = held(breaks(2), lambda case, arm, run: None if arm else 1.0)
    assert (found["edge"].p, found["edge"].worst_p) == (1.0, pytest.approx(1 / 924))


def test_the_worst_case_of_two_cases_is_exact_too():
    found, _ = held(breaks(2, 3), lambda case, arm, run: None if arm else 1.0)
    assert found["edge"].worst_p == pytest.approx(1 / 924**2)


def test_the_worst_case_of_fractional_runs_is_the_same_every_time():
    def again(case, arm, run):
        return None if arm and run == 0 else chance(3, case, arm, run) * 0.8 + 0.15 * (arm == 0)

    worst = [held(breaks(2, 3, 4), again)[0]["edge"].worst_p for _ in range(2)]
    assert worst[0] == worst[1] < 1


@pytest.mark.parametrize(("passes", "broken"), [(1, True), (2, False)])
def test_one_pass_of_six_is_still_a_break(passes, broken):
    """Against 6 of 6: p = 7 / 924 and 28 / 924."""
    found, _ = held(breaks(2), lambda case, arm, run: float(arm == 0 or run < passes))
    assert bool(found["edge"].broken) is broken
    assert found["edge"].worse == (2,)


def test_a_case_that_does_as_well_in_fresh_runs_is_not_worse():
    found, _ = held(breaks(2, 3), lambda case, arm, run: 0.5)
    assert (found["edge"].worse, found["edge"].broken, found["edge"].p) == ((), (), 1.0)


def test_permutations_of_fractional_runs_differ_from_design_to_design():
    def again(case, arm, run):
        return chance(3, case, arm, run) * 0.8 + 0.15 * (arm == 0)

    def p(digest):
        gate = GateConfig(slices={"edge": SlicePolicy.MUST_PASS})
        plan = plan_of(60, slices=parts(edge=10, typical=50), gate=gate, digest=digest * 64)
        return held(breaks(2, 3, 4), again, plan)[0]["edge"].p

    assert p("a") == p("a") != p("b")
    assert p("a") == pytest.approx(p("b"), abs=0.02)


# The lock


def signaled(plan, first, hypothesis=0):
    """A state whose block test has just rejected one hypothesis."""
    state = started(plan, first)
    scores = np.zeros(len(plan.hypotheses))
    scores[hypothesis] = 9.0
    ones = np.ones(len(scores))
    state.result = LookResult(statistics=scores, p=ones, alone=ones, critical=2.0)
    return state


@pytest.mark.parametrize(("falls", "held"), [(3, False), (4, True)])
def test_a_lock_holds_at_ten_percent(falls, held):
    """k falls and nothing else: p = 1 / 2^k."""
    state = signaled(plan_of(60), breaks(*range(6)))
    assert lead(confirm_harm(state), breaks(*range(falls)))[0] is held


@pytest.mark.parametrize(("falls", "held"), [(4, False), (5, True)])
def test_after_a_lock_that_did_not_hold_it_takes_five_percent(falls, held):
    state = signaled(plan_of(60), breaks(*range(6)))
    assert lead(confirm_harm(state), same)[0] is False
    assert lead(confirm_harm(state), lambda c, a, run: float(a == 0 or run < 3 or c >= falls))[0] is held


def test_what_an_earlier_lock_saw_counts():
    """Three rises then and three falls now are nothing; one fall more is not enough to forget them."""
    state = signaled(plan_of(60), breaks(*range(6)))
    assert lead(confirm_harm(state), lambda c, a, run: float(a == 1 or c > 5))[0] is False
    assert lead(confirm_harm(state), breaks(*range(6)))[0] is False
    assert {rows.shape for rows in state.confirmed_runs.values()} == {(2, 6, 1)}


def test_a_lock_runs_only_cases_of_the_rejected_slice_that_moved():
    plan = plan_of(120, slices=parts(edge=60, typical=60))
    edge = next(k for k, h in enumerate(plan.hypotheses) if h.slice == "edge")
    state = signaled(plan, breaks(1, 2, 3, 4, 5, 100, 101), edge)
    held, batches = lead(confirm_harm(state), breaks(1, 2, 3, 4, 5))
    assert (held, ran(batches)) == (True, [1, 2, 3, 4, 5])
    assert len(batches[0]) == 5 * 3 * 2


def test_forty_cases_are_drawn_and_the_next_lock_draws_others_first():
    state = signaled(plan_of(100), breaks(*range(60)))
    first, second = ran(lead(confirm_harm(state), same)[1]), ran(lead(confirm_harm(state), same)[1])
    assert (len(first), len(second)) == (40, 40)
    assert set(first) | set(second) == set(range(60))
    other = ran(lead(confirm_harm(signaled(plan_of(100, digest="e" * 64), breaks(*range(60)))), same)[1])
    assert first != other
    assert first != list(range(40))


def test_a_lock_adds_up_the_cases_of_a_cluster():
    """In each pair one falls and one rises: nothing. Five that fall without a partner: p = 1 / 32."""
    plan = plan_of(60, clusters=[f"k{i // 2}" for i in range(60)])
    state = signaled(plan, breaks(*range(10)))
    assert lead(confirm_harm(state), lambda c, a, run: float(a == c % 2) if c < 10 else 1.0)[0] is False
    assert lead(confirm_harm(signaled(plan, breaks(*range(0, 10, 2)))), breaks(*range(10)))[0] is True


def test_a_fall_and_half_a_rise_in_one_cluster_are_half_a_fall():
    """In each of four clusters: p = 1 / 16."""
    plan = plan_of(60, clusters=[f"k{i // 2}" for i in range(60)])

    def again(case, arm, run):
        return (float(arm == 0) if case % 2 == 0 else 0.5 + 0.5 * arm) if case < 8 else 1.0

    assert lead(confirm_harm(signaled(plan, breaks(*range(8)))), again)[0] is True


def test_a_missing_run_counts_as_one_failure_and_no_more():
    """Four fall and one rises, p = 6 / 32; with the missing one 7 / 64, which is still over 10%."""
    state = signaled(plan_of(60), breaks(*range(6)))

    def again(case, arm, run):
        if case == 5:
            return None
        return float(arm == 1) if case == 4 else float(arm == 0 or case > 3)

    assert lead(confirm_harm(state), again)[0] is False


def test_a_lock_of_missing_runs_is_in_doubt():
    state = signaled(plan_of(60), breaks(*range(6)))
    assert lead(confirm_harm(state), lambda c, a, run: None if a and c < 6 else 1.0)[0] is None


def test_a_case_without_any_fresh_pair_is_left_out_of_the_lock():
    state = signaled(plan_of(60), breaks(*range(6)))
    assert lead(confirm_harm(state), lambda c, a, run: None if c == 4 else breaks(0, 1, 2, 3)(c, a))[0] is True


def test_a_lock_judges_the_metric_that_fell():
    metrics = (MetricSpec(name="a"), MetricSpec(name="b"))
    plan = plan_of(60, metrics=metrics)
    state = signaled(plan, lambda c, a: (1.0, float(a == 0 or c > 5)), hypothesis=1)
    held, batches = lead(confirm_harm(state), lambda c, a, run: (1.0, float(a == 0 or c > 5)), 2)
    assert (held, ran(batches)) == (True, list(range(6)))


# The state between two looks


@pytest.mark.parametrize(("seen", "share"), [(100, 0.10), (109, 0.10), (290, 0.29), (3, 0.01), (1000, 1.0)])
def test_shares_are_rounded_down_to_a_percent(seen, share):
    state = ComparisonState(plan_of(1000))
    known = np.arange(1000) < seen
    assert state._share(known, state.design.counted) == share


def test_what_may_be_spent_follows_the_share_that_was_seen():
    plan = plan_of(1000)
    state = ComparisonState(plan)
    asked = state.ledger.first(plan.looks[0], "look")
    state.ledger.record(asked, Answers(lambda *cell: 1.0)(asked, 1))
    state.take_look()
    assert state.alpha == pytest.approx(spent(ALPHA, 0.10))


def test_later_looks_add_the_cases_of_every_slice_that_is_undecided():
    """Two of three slices have margins that take more than a first look; so has a floor."""
    gate = GateConfig(margin=Margins(overall=0.25, slice=0.25, slices={"a": 0.02, "b": 0.02}))
    plan = plan_of(1500, slices=parts(a=500, b=500, c=500), gate=gate)
    _, batches = play(plan, same)
    names = [{plan.slices[case][0] for case in batch.cases.tolist()} for batch in batches if batch.purpose == "look"]
    assert names[0] == {"a", "b", "c"}
    assert names[1] == {"a", "b"}


def test_a_floor_that_is_open_keeps_its_slice_going():
    gate = GateConfig(margin=Margins(overall=0.25, slice=0.25), floor={"slices": {"c": 0.97}})
    plan = plan_of(1500, slices=parts(a=500, b=500, c=500), gate=gate)
    _, batches = play(plan, same)
    names = [{plan.slices[case][0] for case in batch.cases.tolist()} for batch in batches if batch.purpose == "look"]
    assert names[:2] == [{"a", "b", "c"}, {"c"}]


@pytest.mark.parametrize(("baseline", "candidate", "error"), [(1, 1, False), (0, 2, True), (2, 0, True)])
def test_missing_cells_are_counted_arm_by_arm(baseline, candidate, error):
    def first(case, arm):
        return None if case < (candidate if arm else baseline) else 1.0

    assert started(plan_of(39), first).too_much_missing() is error


@pytest.mark.parametrize(("missing", "error"), [(2, False), (3, True)])
def test_two_percent_are_two_percent_of_one_arm(missing, error):
    assert started(plan_of(100), lambda case, arm: None if arm and case < missing else 1.0).too_much_missing() is error


@pytest.mark.parametrize(("falls", "may"), [(4, True), (5, False), (6, False)])
def test_a_margin_may_hold_where_the_estimate_lies_inside(falls, may):
    plan = plan_of(100, gate=GateConfig(margin=Margins(overall=0.05)))
    assert started(plan, breaks(*range(falls))).may_hold(plan.hypotheses[0]) is may


def test_each_hypothesis_is_looked_at_by_itself():
    """3 of 50 edge cases fell: 6 points there, 3 overall, none elsewhere."""

    def may_hold(margin):
        gate = GateConfig(margin=Margins(slices={"edge": margin}))
        state = started(plan_of(100, slices=parts(edge=50, typical=50), gate=gate), breaks(*range(3)))
        return [state.may_hold(h) for h in state.design.hypotheses]

    assert may_hold(0.05) == [True, False, True]
    assert may_hold(0.08) == [True, True, True]


def test_other_designs_flip_other_signs():
    courses = [started(plan_of(60, digest=d * 64), breaks(*range(20))) for d in "ab"]
    mixed = [started(plan_of(60, digest=d * 64), lambda c, a: float(a == c % 2) if c < 30 else 1.0) for d in "ab"]
    assert courses[0].suspicion() == courses[1].suspicion() == 1 / 1000
    assert mixed[0].suspicion() != mixed[1].suspicion()


def test_the_fewest_cases_are_a_whole_number():
    assert isinstance(cases_for(0.1, 0.1), int)


def test_a_fall_of_exactly_ten_points_is_one():
    assert pytest.approx(0.1, abs=1e-8) == CASE_MARGIN < 0.1
    assert FRESH[0] == "smoke"


def test_a_margin_is_certified_by_the_looks_of_its_own_slice():
    """A small slice is complete in the first look, where of the others a tenth was seen."""
    gate = GateConfig(margin=Margins(slices={"small": 0.13}))
    plan = plan_of(1030, slices=parts(small=39, typical=991), gate=gate)
    state = ComparisonState(plan)
    asked = state.ledger.first(plan.looks[0], "look")
    state.ledger.record(asked, Answers(lambda *cell: 1.0)(asked, 1))
    state.take_look()
    state.certify()
    certified = {h.slice: bool(done) for h, done in zip(plan.hypotheses, state.certified, strict=True)}
    assert certified["small"]


def test_blocked_is_blocked_whatever_the_others_say():
    plan = plan_of(100, slices=parts(edge=40, typical=60), gate=GateConfig(mode="fixed"))
    decision, _ = play(plan, breaks(*range(20)))
    assert decision.status is VerdictStatus.BLOCKED
    assert {reason.status for reason in decision.reasons} == {VerdictStatus.BLOCKED}
