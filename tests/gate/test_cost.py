"""Costs: a ratio with honest bounds."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.gate.cost import Ratio, _limit_result, ratio, t_quantile
from schemas.gate_config import GateConfig
from tests.gate.play import Answers, plan_of, play


@pytest.mark.parametrize("degrees", [*range(1, 12), 30, 99, 199, 200, 201, 5_000])
@pytest.mark.parametrize("p", [0.501, 0.6, 0.9, 0.95, 0.975, 0.99, 0.999])
def test_the_t_quantile_is_scipys(p, degrees):
    assert t_quantile(p, degrees) == pytest.approx(stats.t.ppf(p, degrees), rel=1e-9)


@pytest.mark.parametrize(("p", "degrees", "table"), [(0.95, 3, 2.353363), (0.999, 3, 10.214532), (0.975, 30, 2.042272)])
def test_the_t_quantile_is_that_of_printed_tables(p, degrees, table):
    assert t_quantile(p, degrees) == pytest.approx(table, rel=1e-6)


@pytest.mark.parametrize("limit", [0.2, None])
def test_costs_by_arm_and_a_change_at_its_limit(limit):
    """1.24 dollars against 1.55 a thousand, in every case: exactly a quarter more."""
    plan = plan_of(100, gate=GateConfig(max_cost_increase=limit))
    costs = Answers(lambda *cell: 1.0, cost=lambda case, arm, r: 0.00155 if arm else 0.00124)
    cost = play(plan, costs)[0].cost
    assert (cost.baseline_per_1000, cost.candidate_per_1000) == (Decimal("1.24"), Decimal("1.55"))
    assert cost.increase == pytest.approx(0.25)
    assert cost.result == ("fails" if limit else "not_gated")


@pytest.mark.parametrize(
    ("bounds", "result"),
    [
        ((1.1, 1.3), "too_few_cases"),
        ((1.2, 1.3), "too_few_cases"),
        ((1.21, 1.3), "fails"),
        ((1.0, 1.2), "too_few_cases"),
        ((1.0, 1.19), "passes"),
    ],
)
def test_a_limit_that_a_bound_just_touches_can_not_be_told(bounds, result):
    assert _limit_result(Ratio(1.2, *bounds), [1.0, 1.2], 0.2) == result


def test_a_missing_candidate_may_have_cost_twice_the_dearest():
    """One of 60 is missing. Where they cost 8% more that is within 20% still, at 12% it isn't."""

    def cost(share):
        def answer(case, arm, r):
            return None if arm and case == 1 else 1.0

        costs = Answers(answer, cost=lambda case, arm, r: 1 + share * arm)
        return play(plan_of(60, gate=GateConfig(mode="fixed")), costs)[0].cost.result

    assert [cost(0.08), cost(0.12)] == ["passes", "too_few_cases"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 60), st.sampled_from((0.8, 1.0, 1.2, 2.0)))
def test_at_its_bounds_a_t_test_is_exactly_at_its_level(seed, n, factor):
    rng = np.random.default_rng(seed)
    baseline = rng.uniform(1, 2, n)
    candidate = baseline * factor * rng.uniform(0.9, 1.1, n)
    bounds = ratio(baseline / n, candidate / n, np.full(n, 1 / n), 0.05)
    assert bounds.low < bounds.estimate == pytest.approx(candidate.sum() / baseline.sum())
    critical = t_quantile(0.95, n - 1)
    for bound, sign in ((bounds.low, 1), (bounds.high, -1)):
        t = stats.ttest_1samp(candidate - bound * baseline, 0).statistic
        assert t == pytest.approx(sign * critical, rel=1e-6)


def test_constant_ratios_have_no_uncertainty():
    b = np.array([1.0, 2.0, 3.0]) / 3
    bounds = ratio(b, 1.5 * b, np.full(3, 1 / 3), 0.05)
    assert (bounds.low, bounds.high) == (pytest.approx(1.5), pytest.approx(1.5))


def test_too_little_is_nothing():
    assert ratio(np.ones(2), np.ones(2), np.full(2, 0.5), 0.05) is None
    assert ratio(np.zeros(5), np.ones(5), np.full(5, 0.2), 0.05) is None


def test_a_wildly_varying_baseline_has_no_upper_bound():
    bounds = ratio(np.array([100.0, 0, 0, 0]), np.array([1.0, 1, 1, 1]), np.full(4, 0.25), 0.001)
    assert (bounds.estimate, bounds.low, bounds.high) == (pytest.approx(0.04), 0, math.inf)


def test_clusters_of_which_nothing_was_seen_do_not_count():
    b, c = np.array([1.0, 2.0, 3.0, 2.0]) / 4, np.array([1.1, 2.0, 3.5, 2.0]) / 4
    padded = [np.append(x, [0.0, 0.0]) for x in (b, c, np.full(4, 0.25))]
    assert ratio(*padded, 0.05) == ratio(b, c, np.full(4, 0.25), 0.05)
