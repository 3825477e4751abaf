"""Breaks, case by case: exact label permutation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.gate.breaks import label_p


def runs(passes, of):
    return np.array([1.0] * passes + [0.0] * (of - passes))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6))
def test_one_case_is_the_hypergeometric_tail(baseline, candidate):
    expected = stats.hypergeom(12, baseline + candidate, 6).cdf(candidate)
    assert label_p([(runs(baseline, 6), runs(candidate, 6))], 1) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4))
def test_several_cases_are_the_sum_of_hypergeometric_counts(cases):
    counts = [stats.hypergeom(12, b + c, 6).pmf(np.arange(7)) for b, c in cases]
    observed = sum(c for _, c in cases)
    expected = sum(
        np.prod([pmf[k] for pmf, k in zip(counts, ks, strict=True)])
        for ks in itertools.product(range(7), repeat=len(cases))
        if sum(ks) <= observed
    )
    assert label_p([(runs(b, 6), runs(c, 6)) for b, c in cases], 1) == pytest.approx(expected)


def test_one_case_that_breaks_outright_is_enough():
    assert label_p([(runs(6, 6), runs(0, 6))], 1) == pytest.approx(1 / 924)


def test_fractional_scores_are_permuted():
    rng = np.random.default_rng(3)
    baseline, candidate = rng.normal(0.7, 0.1, 6).round(3), rng.normal(0.6, 0.1, 6).round(3)
    theirs = stats.permutation_test(
        (baseline, candidate), lambda b, c: b.mean() - c.mean(), alternative="greater", n_resamples=np.inf
    )
    assert label_p([(baseline, candidate)], 7) == pytest.approx(theirs.pvalue)


def test_several_fractional_cases_come_close_to_all_permutations():
    rng = np.random.default_rng(4)
    cases = [(rng.normal(0.7, 0.1, 4).round(2), rng.normal(0.6, 0.1, 4).round(2)) for _ in range(2)]
    falls = []
    for b, c in cases:
        runs = np.concatenate([b, c])
        falls.append([runs.sum() - 2 * runs[list(k)].sum() for k in itertools.combinations(range(8), 4)])
    observed = sum(b.sum() - c.sum() for b, c in cases)
    exact = np.mean([one + other >= observed - 1e-9 for one, other in itertools.product(*falls)])
    assert label_p(cases, 7) == pytest.approx(exact, abs=0.015)


def test_unequal_numbers_of_runs_are_no_problem():
    expected = stats.hypergeom(10, 5, 5).cdf(0)
    assert label_p([(runs(5, 5), runs(0, 5))], 1) == pytest.approx(expected)
    assert label_p([(runs(3, 4), runs(2, 6))], 1) == pytest.approx(stats.hypergeom(10, 5, 6).cdf(2))


def test_without_runs_there_is_no_evidence():
    assert label_p([], 1) == 1.0
    assert label_p([(np.zeros(0), runs(0, 6))], 1) == 1.0
    assert label_p([(np.full(2, 0.5), np.zeros(0))], 1) == 1.0


def lattice(values, seed):
    return np.random.default_rng(seed).choice(values, 3)


@pytest.mark.parametrize("seed", range(4))
def test_ties_of_fractional_cases_count(seed):
    """On a lattice of scores many labelings give the very same difference."""
    cases = [(lattice((0.25, 0.75), seed), lattice((0.25, 0.75), seed + 50)) for _ in range(2)]
    cases.append((np.array([0.75, 0.75]), np.array([0.25])))
    falls = []
    for b, c in cases:
        runs, k = np.concatenate([b, c]), len(b)
        total = runs.sum()
        falls.append(
            [
                runs[list(i)].mean() - (total - runs[list(i)].sum()) / len(c)
                for i in itertools.combinations(range(len(runs)), k)
            ]
        )
    observed = sum(b.mean() - c.mean() for b, c in cases)
    exact = np.mean([sum(every) >= observed - 1e-9 for every in itertools.product(*falls)])
    assert label_p(cases, 7) == pytest.approx(exact, abs=0.015)


def test_the_smallest_p_of_random_labels_is_one_in_ten_thousand():
    cases = [(np.full(6, 0.9) + 0.001 * k, np.full(6, 0.1) + 0.002 * k) for k in range(3)]
    assert label_p(cases, 7) == pytest.approx(1 / 10_000, rel=1e-12)


def test_the_order_of_fractional_cases_changes_nothing():
    """Not even where only one arm tells them apart."""
    rng = np.random.default_rng(1)
    candidate = rng.random(4).round(2)
    cases = [(rng.random(4).round(2), candidate) for _ in range(3)]
    assert label_p(cases, 7) == label_p(cases[::-1], 7)
