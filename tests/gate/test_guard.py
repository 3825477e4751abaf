"""Guarded slices: Fisher's and Boschloo's tests, and what the comparison says of them."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.gate import two_by_two
from engine.gate.bounds import ALPHA_GUARD
from engine.gate.two_by_two import boschloo_p, fisher_p
from schemas.gate_config import GateConfig, SlicePolicy
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.gate.play import Answers, plan_of, play

APPROVED, BLOCKED, NEEDS_REVIEW = VerdictStatus.APPROVED, VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW
TABLES = st.integers(1, 25).flatmap(
    lambda passing: st.integers(0, 60).flatmap(
        lambda others: st.tuples(st.integers(0, passing), st.just(passing), st.integers(0, others), st.just(others))
    )
)


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_fishers_p_is_scipys(table):
    broken, passing, others_broken, others = table
    cells = [[broken, passing - broken], [others_broken, others - others_broken]]
    assert fisher_p(*table) == pytest.approx(stats.fisher_exact(cells, "greater")[1], abs=1e-9)


@pytest.mark.parametrize("table", [(3, 6, 4, 54), (2, 7, 2, 74), (1, 1, 0, 3), (4, 4, 0, 5), (2, 3, 10, 12)])
def test_boschloos_p_is_scipys(table):
    broken, passing, others_broken, others = table
    cells = [[broken, others_broken], [passing - broken, others - others_broken]]
    assert boschloo_p(*table) == pytest.approx(stats.boschloo_exact(cells, "greater", n=128).pvalue, abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_boschloos_p_is_never_larger_than_fishers(table):
    assert 0 < boschloo_p(*table) <= fisher_p(*table) <= 1


@pytest.mark.parametrize(("passing", "others"), [(6, 54), (14, 150), (3, 8)])
def test_its_level_is_exact_whatever_the_rate_of_breaking_is(passing, others):
    """The chance of a p of at most α_guard, summed over every table: never above it, and not far below at the worst."""
    x, k = np.arange(passing + 1)[:, None], np.arange(others + 1)[None, :]
    blocks = np.array([[boschloo_p(a, passing, b, others) <= ALPHA_GUARD for b in k[0]] for a in x[:, 0]])
    sizes = [
        float((stats.binom(passing, rate).pmf(x) * stats.binom(others, rate).pmf(k))[blocks].sum())
        for rate in np.linspace(0.01, 0.99, 50)
    ]
    assert 0.4 * ALPHA_GUARD < max(sizes) <= ALPHA_GUARD + 1e-6


def test_large_tables_take_fishers_p():
    assert boschloo_p(30, 100, 300, 2_000) == fisher_p(30, 100, 300, 2_000)
    assert two_by_two.MANY == 2_000


# What a comparison says


def breaks(*cases):
    return lambda case, arm, repetition: float(arm == 0 or case not in cases)


def guarded(n=200, size=20, **more):
    return plan_of(n, slices=[("adversarial",) if i < size else ("typical",) for i in range(n)], **more)


def of_guard(decision):
    return next((r for r in decision.reasons if r.code is ReasonCode.GUARD), None)


def churn(*broken, every=25):
    """These cases break; elsewhere one of 25 breaks and another one is fixed."""

    def score(case, arm, repetition):
        if case in broken:
            return float(arm == 0)
        if case >= 20 and case % every == 0:
            return float(arm == 0)
        return float(arm) if case >= 20 and case % every == 1 else 1.0

    return score


def test_breaks_as_frequent_as_elsewhere_pass_and_are_named_beside_the_churn():
    decision, _ = play(guarded(), churn(3))
    assert decision.status is APPROVED
    reason = of_guard(decision)
    assert (reason.status, reason.cases) == (APPROVED, ("c3",))
    assert reason.sentence.startswith(
        "1 of 20 guarded cases in `adversarial` broke, no more often than the other cases: `c3`; "
    )
    assert re.search(r"; [678](?:\.[0-9])?% of the other cases changed too\.$", reason.sentence)
    assert decision.slices[0].result == "no_change"


def test_more_breaks_than_elsewhere_block():
    decision, batches = play(guarded(), churn(1, 3, 5, 7, 9))
    assert (decision.status, of_guard(decision).status) == (BLOCKED, BLOCKED)
    assert of_guard(decision).cases == ("c1", "c3", "c5", "c7", "c9")
    assert "more often than the other cases" in of_guard(decision).sentence
    assert decision.slices[0].result == "worse"
    assert decision.case_results[3].confirmed
    assert len(next(b for b in batches if b.purpose == "breaks")) == 5 * 12


def test_between_the_two_levels_a_person_should_look():
    decision, _ = play(guarded(), churn(1, 3, every=50))
    assert (decision.status, of_guard(decision).status) == (NEEDS_REVIEW, NEEDS_REVIEW)
    assert "perhaps more often" in of_guard(decision).sentence
    assert decision.slices[0].result == "too_few_cases"


def test_a_break_that_does_not_repeat_is_none():
    wavers = churn()
    plan = guarded()
    decision, _ = play(
        plan, lambda case, arm, r: float(not (case in (1, 3, 5) and arm and r == 0)) * wavers(case, arm, r)
    )
    assert (decision.status, of_guard(decision)) == (APPROVED, None)


def test_a_clear_break_need_not_wait_for_the_other_cases():
    decision, _ = play(guarded(2_000), breaks(*range(10)))
    assert decision.status is BLOCKED
    assert decision.confidence.looks == 1


def test_an_open_question_waits_for_the_other_cases():
    decision, _ = play(guarded(2_000), breaks(1, 3))
    assert decision.confidence.looks > 1
    assert decision.status is BLOCKED  # none of the 1,980 others broke


def test_several_guarded_slices_share_the_level_and_are_held_against_the_rest():
    names = [("adversarial",) if i < 10 else ("legal",) if i < 20 else ("typical",) for i in range(200)]
    plan = plan_of(200, slices=names, gate=GateConfig(slices={"legal": SlicePolicy.GUARD}))
    decision, _ = play(plan, churn(0, 1, 2, 3, 10, 11, 12, 13))
    assert [(r.slice, r.status) for r in decision.reasons if r.code is ReasonCode.GUARD] == [
        ("adversarial", BLOCKED),
        ("legal", BLOCKED),
    ]


def test_a_test_set_of_guarded_cases_alone_is_judged_by_its_mean():
    plan = plan_of(60, slices=[("adversarial",)] * 60)
    decision, _ = play(plan, breaks(*range(12)))
    assert decision.status is BLOCKED
    assert decision.reasons[0].code is ReasonCode.DROP


@pytest.mark.parametrize(
    ("broken", "others", "status"),
    [(1, 0, APPROVED), (2, 0, NEEDS_REVIEW), (3, 0, BLOCKED), (2, 4, NEEDS_REVIEW), (3, 4, BLOCKED)],
)
def test_a_change_that_reaches_hardly_any_other_case_is_held_against_what_rewordings_break(broken, others, status):
    """Six guarded cases and so many others send something else; the rest of 120 send the same as before."""
    plan = guarded(120, size=6, identical=[i >= 6 + others for i in range(120)])
    decision, _ = play(plan, breaks(*range(broken)))
    assert of_guard(decision).status is status
    assert ("than any rewording breaks cases" in of_guard(decision).sentence) == (not others)
    assert (decision.status is APPROVED) == (status is APPROVED)


def test_clusters_break_once():
    """Five cases of one conversation are one break, and one break is no more than elsewhere."""
    clusters = ["talk" if i in (1, 3, 5, 7, 9) else None for i in range(200)]
    decision, _ = play(guarded(clusters=clusters), churn(1, 3, 5, 7, 9))
    assert decision.status is not BLOCKED


# What a case forbids


def leaking(cases, score):
    return Answers(score, forbidden=lambda case, arm, repetition: arm == 1 and case in cases)


@pytest.mark.parametrize("case", [3, 50])
def test_a_confirmed_break_with_a_forbidden_answer_needs_review_wherever_it_is(case):
    decision, _ = play(guarded(forbids=[True] * 200), leaking({case}, churn(case)))
    assert decision.status is NEEDS_REVIEW
    (reason,) = [r for r in decision.reasons if r.code is ReasonCode.FORBIDDEN]
    assert (reason.status, reason.cases) == (NEEDS_REVIEW, (f"c{case}",))


def test_a_forbidden_answer_once_is_no_confirmed_break():
    score = churn()
    plan = guarded(forbids=[True] * 200)
    answers = Answers(
        lambda case, arm, r: float(not (case == 55 and arm and r == 0)) * score(case, arm, r),
        forbidden=lambda case, arm, r: case == 55 and arm == 1 and r == 0,
    )
    assert play(plan, answers)[0].status is APPROVED


def test_what_the_baseline_said_too_is_no_break():
    plan = guarded(forbids=[True] * 200)
    answers = Answers(lambda case, arm, r: float(case != 55), forbidden=lambda case, arm, r: case == 55)
    assert play(plan, answers)[0].status is APPROVED
