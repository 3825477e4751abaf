"""The approve bound, the largest drop that the data can't rule out, and what a test set can certify."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.gate.cells import Bools, Floats

ALPHA = 0.035
"""Chance of blocking a pull request that is no worse, over all of its tests. Rewording moves the mean of 200 cases by
chance; the simulated share of blocked pull requests is 2.6%."""
ALPHA_CASES = 0.01
"""The part of ``ALPHA`` for single cases: those of must-pass and guarded slices, and protected cases."""
ALPHA_GUARD = 0.025
"""The part of ``ALPHA`` for guarded slices of a prompt that changes but is no worse. It leaves ``ALPHA − ALPHA_GUARD``
for the other tests. A guarded slice blocks only if ``ALPHA_CASES`` allows it too, so both parts hold."""
GUARD_REVIEW = 0.20
"""Chance of asking for a review of the guarded slices of a prompt that is no worse."""
BETA = 0.04
"""Chance of approving a prompt whose true drop equals its margin."""
Z_BETA = 1.75
Z_POWER = 1.645
"""Normal quantile of 95%. A margin counts as certifiable if an unchanged prompt passes it in 95 of 100 runs."""
CASE_MARGIN = 0.10 - 1e-9
"""The change of score (10 points) from which a single case counts as worse or better. A judge's grades vary by less."""
CHURN = 0.08
"""Share of cases whose result changes for good when a prompt is reworded without getting better or worse. It is the
median of recorded answers of GPT-4o; Mistral and Llama have 9 to 22%."""
FLIPS_BETWEEN_RUNS = 0.04
"""Share of cases whose result differs between two runs of the same request. Recorded: 0.4 to 3.3% for single labels,
more for JSON."""
PLANNING_VARIANCE = CHURN + FLIPS_BETWEEN_RUNS
"""Prior variance of one case's difference. Stored outcomes never change it: error rates must not depend on a cache."""
ALIKE_IN_CLUSTERS = 0.05
"""Prior correlation between the differences of two cases in one cluster. Recorded prompts have 0.01 to 0.05."""


def planning_sample(sizes: Iterable[int]) -> tuple[float, float]:
    """Returns the effective number of clusters (Kish 1965) and the prior variance of a cluster's mean difference.

    ``sizes`` holds the number of cases in each cluster, each at least 1. Without cases, the result is (0,
    ``PLANNING_VARIANCE``). If every cluster has one case, it is their number and ``PLANNING_VARIANCE``. The design
    effect of a cluster of m cases is 1 + (m − 1)·``ALIKE_IN_CLUSTERS``.
    """
    counts = list(sizes)
    cases, squares = sum(counts), sum(size**2 for size in counts)
    if not cases:
        return 0.0, PLANNING_VARIANCE
    spread = cases + ALIKE_IN_CLUSTERS * (squares - cases)
    # Unequal clusters count less than their number: the largest ones dominate the mean.
    return cases**2 / squares, PLANNING_VARIANCE * spread / squares


def certifiable(cases: float, variance: float) -> float:
    """Returns the smallest margin that an unchanged prompt passes in 95% of runs.

    This is the Bonett-Price bound, solved for the margin. ``cases`` counts clusters; ``variance`` is that of a
    cluster's difference.
    """
    return math.sqrt((Z_BETA + Z_POWER) ** 2 * (cases * variance + 2) / (cases + 2) ** 2)


def cases_for(margin: float, variance: float) -> int:
    """Returns the fewest cases for which ``certifiable`` is at most ``margin`` (> 0)."""
    low, high = 0, 1
    # Doubling and bisection: `certifiable` falls steadily with the number of cases.
    while certifiable(high, variance) > margin:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certifiable(middle, variance) <= margin else (middle, high)
    return high


def largest_drop(sums: Floats, weights: Floats, z: float, sampled: Bools) -> float:
    """Returns the upper bound of the drop −ΣE (Bonett & Price 2012, weighted and stratified).

    ``sums`` holds each cluster's share E of the mean difference, and ``weights`` its share of the mean. If the weights
    sum to less than 1, the rest can't fall. ``sampled`` marks clusters of strata that were seen in part. They and the
    other clusters are treated as two samples. One success and one failure of average weight are added to each sample,
    so a sample without any difference keeps some uncertainty. With equal weights, binary pairs and one sample, this is
    exactly the Bonett-Price interval.
    """
    live = weights > 0
    # Completely seen strata tell nothing about unseen cases, so each kind has its own pseudo-counts and variance.
    mean = variance = 0.0
    for sample in (live & sampled, live & ~sampled):
        if not sample.any():
            continue
        part = float(weights[sample].sum())
        # Kish's effective number: with equal weights it is the number of clusters.
        size = part**2 / float((weights[sample] ** 2).sum())
        shrink = size / (size + 2)
        share = part / (size + 2)
        inside = shrink * sums[sample]
        change = float(inside.sum())
        mean += change
        variance += float((inside**2).sum()) + 2 * share**2 - change**2 / (size + 2)
    return -mean + z * math.sqrt(max(variance, 0.0))


def hidden_drop(held: int, beta: float) -> float:
    """Returns the largest share of cases that may break if none of ``held`` clusters did, with error ``beta``.

    This is the "rule of three" (Hanley & Lippman-Hand 1983). Where nothing differs, ``largest_drop`` is less cautious.
    """
    # If a share x of the clusters broke, none of `held` would show it with chance (1 - x)^held. Solved for x at beta.
    return float(1 - beta ** (1 / held)) if held else 1.0


def observed_variance(sums: Floats, weights: Floats) -> float:
    """Returns the mean square of a cluster's difference.

    ``sums`` holds the clusters' shares of the mean difference, and ``weights`` their shares of the mean.
    """
    live = weights > 0
    return float(((sums[live] / weights[live]) ** 2 * weights[live]).sum())
