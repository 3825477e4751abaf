"""The approve bound: the largest drop that the data can't rule out, and what a test set can certify at all."""

from __future__ import annotations

import math

from engine.gate.cells import Bools, Floats

ALPHA = 0.05
"""Chance to block anything of a pull request that changes nothing, over everything that is tested."""
ALPHA_POPULATIONS = 0.04
ALPHA_CONTRACTS = 0.01
"""The two parts when there are contracts or protected cases."""
BETA = 0.04
"""Chance to approve although a drop stands exactly at its margin."""
Z_BETA = 1.75
Z_POWER = 1.645
"""A margin counts as certifiable when an unchanged prompt would be certified in 95 of 100 runs."""
WIDEST = 0.25
"""No default margin gets wider than this; a slice that needs more is no population."""
OVERALL_MARGIN = 0.05
SLICE_MARGIN = 0.10
CASE_MARGIN = 0.10 - 1e-9
"""What a single case must lose or gain to look worse or better (10 points): a judge's wavering is neither."""
PLANNING_VARIANCE = 0.10
"""Variance of one case's difference where there is no history: 10% of cases disagree between runs."""


def certifiable(cases: float, variance: float) -> float:
    """The smallest margin that an unchanged prompt passes in 95% of runs, for ``cases`` (clusters) and the variance of
    a case's difference: the Bonett-Price bound turned around."""
    return math.sqrt((Z_BETA + Z_POWER) ** 2 * (cases * variance + 2) / (cases + 2) ** 2)


def cases_for(margin: float, variance: float) -> int:
    """The fewest cases for which ``certifiable`` is at most ``margin`` (> 0)."""
    low, high = 0, 1
    while certifiable(high, variance) > margin:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certifiable(middle, variance) <= margin else (middle, high)
    return high


def largest_drop(sums: Floats, weights: Floats, z: float, sampled: Bools) -> float:
    """Upper bound of the drop −ΣE (Bonett & Price 2012, weighted and stratified).

    ``sums`` are the clusters' shares E of the mean difference, ``weights`` their shares of the mean; what is missing to
    1 can't fall. ``sampled``: clusters that stand for others too; they and the rest are two samples. One success and
    one failure of average weight are added to each, so that what shows no discordance keeps an honest uncertainty. For
    equal weights, binary pairs and one sample this is their interval exactly.
    """
    live = weights > 0
    mean = variance = 0.0
    for sample in (live & sampled, live & ~sampled):
        if not sample.any():
            continue
        part = float(weights[sample].sum())
        size = part**2 / float((weights[sample] ** 2).sum())
        shrink = size / (size + 2)
        share = part / (size + 2)
        inside = shrink * sums[sample]
        change = float(inside.sum())
        mean += change
        variance += float((inside**2).sum()) + 2 * share**2 - change**2 / (size + 2)
    return -mean + z * math.sqrt(max(variance, 0.0))


def hidden_drop(held: int, beta: float) -> float:
    """The share of cases that may break although none of ``held`` (clusters) did, but for a chance of ``beta``: the
    «rule of three» (Hanley & Lippman-Hand 1983). Where nothing differs ``largest_drop`` is bolder than that."""
    return float(1 - beta ** (1 / held)) if held else 1.0


def observed_variance(sums: Floats, weights: Floats) -> float:
    """Mean square of a cluster's difference, from the clusters' shares of the mean difference and their weights."""
    live = weights > 0
    return float(((sums[live] / weights[live]) ** 2 * weights[live]).sum())
