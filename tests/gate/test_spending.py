"""Error spending: what a look may spend, and the bound that spends it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.gate import spending
from engine.gate.spending import boundary, normal_quantile, spent, tail, upper_tail


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Boundaries are cached: a test that gets a cached one tests nothing."""
    spending._state.cache_clear()


def test_a_single_look_spends_everything_at_the_normal_quantile():
    assert boundary((1.0,), 0.04) == pytest.approx(normal_quantile(0.96), abs=1e-4)
    assert normal_quantile(0.96) == pytest.approx(1.75, abs=0.001)


def test_spending_follows_the_power_three_halves():
    assert spent(0.05, 1.0) == 0.05
    assert spent(0.05, 0.25) == pytest.approx(0.05 / 8)
    assert spent(0.05, 2.0) == 0.05
    assert spent(0.05, -1.0) == 0.0


@pytest.mark.parametrize("shares", [(0.5, 1.0), (0.1, 0.25, 0.5), (0.46, 0.55, 0.7, 1.0)])
def test_crossing_by_now_has_exactly_the_chance_that_was_spent(shares):
    """Against scipy's multivariate normal: one minus the chance to stay below every bound."""
    bounds = [boundary(shares[: k + 1], 0.04) for k in range(len(shares))]
    covariance = [[math.sqrt(min(s, t) / max(s, t)) for t in shares] for s in shares]
    stayed = stats.multivariate_normal.cdf(np.array(bounds), cov=covariance, abseps=1e-6, releps=1e-6)
    assert 1 - stayed == pytest.approx(spent(0.04, shares[-1]), rel=0.02)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True))
def test_more_looks_never_make_the_last_bound_smaller_than_one_look_would(shares):
    ordered = tuple(s / 100 for s in sorted(shares))
    assert boundary(ordered, 0.05) >= boundary(ordered[-1:], 0.05) - 1e-3


def test_tails_are_those_of_the_normal_distribution():
    z = np.linspace(-6, 6, 97)
    assert upper_tail(z) == pytest.approx(stats.norm.sf(z), abs=2e-7)
    assert tail(1.5) == pytest.approx(stats.norm.sf(1.5))
