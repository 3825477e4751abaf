"""Costs: a ratio with honest bounds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.gate.cost import ratio, t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 5, 10, 30, 200])
@pytest.mark.parametrize("p", [0.9, 0.95, 0.99, 0.999])
def test_the_t_quantile_is_scipys(p, degrees):
    assert t_quantile(p, degrees) == pytest.approx(stats.t.ppf(p, degrees), rel=0.02 if degrees > 2 else 1e-9)


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
    assert math.isinf(bounds.high)
    assert bounds.low == 0
