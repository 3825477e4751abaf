"""The approve bound and what a test set can certify."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gate.bounds import (
    PLANNING_VARIANCE,
    cases_for,
    certifiable,
    hidden_drop,
    largest_drop,
    observed_variance,
    planning_sample,
)


def one_sample(sums, weights, z):
    return largest_drop(sums, weights, z, np.zeros(len(weights), dtype=bool))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60))
def test_binary_pairs_give_bonett_and_prices_interval(worse, better, same):
    n = worse + better + same
    p12, p21 = (worse + 1) / (n + 2), (better + 1) / (n + 2)
    expected = p12 - p21 + 1.75 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    differences = np.array([-1.0] * worse + [1.0] * better + [0.0] * same)
    assert one_sample(differences / n, np.full(n, 1 / n), 1.75) == pytest.approx(expected)


def test_unequal_weights_widen_the_bound():
    differences = np.array([-1.0, 1.0, 0.0, 0.0] * 10)
    equal = np.full(40, 1 / 40)
    unequal = np.where(np.arange(40) < 20, 1.5, 0.5) / 40
    assert one_sample(differences * unequal, unequal, 1.75) > one_sample(differences * equal, equal, 1.75)


def test_what_was_not_seen_does_not_count():
    seen = np.full(10, 0.1)
    padded = np.concatenate([seen, np.zeros(90)])
    differences = np.array([-1.0, *[0.0] * 9])
    shares = differences * seen
    assert one_sample(np.concatenate([shares, np.zeros(90)]), padded, 2.0) == one_sample(shares, seen, 2.0)


def test_two_samples_are_judged_each_by_its_own_size():
    """90 complete cases say nothing about the 900 of which 10 were seen: half of all, with a tenth of the evidence."""
    sampled = np.arange(100) < 10
    weights = np.where(sampled, 0.5 / 10, 0.5 / 90)
    alone = [one_sample(np.zeros(n), np.full(n, 1 / n), 1.75) for n in (10, 90)]
    together = largest_drop(np.zeros(100), weights, 1.75, sampled)
    assert together == pytest.approx(0.5 * math.hypot(*alone))
    fallen = np.where(np.arange(100) == 0, -weights, 0.0)
    one = one_sample(np.where(np.arange(10) == 0, -0.1, 0.0), np.full(10, 0.1), 1.75)
    mean = 1 / 12
    spread = math.hypot(one - mean, alone[1])
    assert largest_drop(fallen, weights, 1.75, sampled) == pytest.approx(0.5 * (mean + spread))


def test_what_can_not_fall_takes_its_part_of_the_bound():
    part = one_sample(np.full(20, -0.01), np.full(20, 0.0125), 1.75)
    assert part == pytest.approx(0.25 * one_sample(np.full(20, -0.04), np.full(20, 0.05), 1.75))


def test_no_discordance_at_all_still_leaves_uncertainty():
    n = 20
    assert one_sample(np.zeros(n), np.full(n, 1 / n), 1.75) == pytest.approx(1.75 * math.sqrt(2) / (n + 2))


def test_a_planning_sample_counts_clusters_by_what_they_tell():
    """Fifty clusters of four tell more than fifty cases and less than two hundred."""
    assert planning_sample([1] * 50) == pytest.approx((50, PLANNING_VARIANCE))
    assert planning_sample([]) == (0, PLANNING_VARIANCE)
    clusters, variance = planning_sample([4] * 50)
    assert (clusters, variance) == pytest.approx((50, PLANNING_VARIANCE * (1 + 3 * 0.05) / 4))
    margins = [certifiable(*planning_sample(sizes)) for sizes in ([1] * 200, [4] * 50, [1] * 50, [200])]
    assert margins == sorted(margins)
    assert planning_sample([10, *[1] * 10])[0] == pytest.approx(20**2 / 110)


@pytest.mark.parametrize(("cases", "points"), [(30, 23), (100, 11), (1000, 3)])
def test_certifiable_margins_of_the_usual_sizes(cases, points):
    assert round(certifiable(cases, 0.09) * 100) == points


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 0.9), st.floats(0.0, 1.0))
def test_the_cases_for_a_margin_are_the_fewest(margin, variance):
    n = cases_for(margin, variance)
    assert certifiable(n, variance) <= margin
    assert n == 1 or certifiable(n - 1, variance) > margin


def test_the_observed_variance_is_the_mean_square():
    differences, weights = np.array([1.0, -1.0, 0.0, 0.0, 1.0]), np.array([0.25, 0.25, 0.25, 0.25, 0.0])
    assert observed_variance(differences * weights, weights) == pytest.approx(0.5)


@pytest.mark.parametrize(("held", "beta"), [(1, 0.04), (10, 0.04), (300, 0.001)])
def test_what_may_hide_among_cases_that_held_is_the_rule_of_three(held, beta):
    drop = hidden_drop(held, beta)
    assert (1 - drop) ** held == pytest.approx(beta)
    assert hidden_drop(0, beta) == 1.0
