"""The approve bound: the largest drop that the data can't rule out, and what a test set can certify at all."""

from __future__ import annotations

import math
from collections.abc import Iterable

from engine.gate.cells import Bools, Floats

ALPHA = 0.035
"""Chance to block anything of a pull request that is no worse, over everything that is tested. A rewording moves the
mean of 200 cases by chance, so the share that is blocked in simulation is near it: 2.6%."""
ALPHA_CASES = 0.01
"""The part of it for breaks of single cases: of must-pass and guarded slices, and of protected cases."""
ALPHA_GUARD = 0.025
"""The part for guarded slices, of a prompt that changes but is no worse: what the other tests may block then is
``ALPHA − ALPHA_GUARD``. A guarded slice blocks only where ``ALPHA_CASES`` allows it too, so that both parts hold."""
GUARD_REVIEW = 0.20
"""Chance to ask a person about the guarded slices of a prompt that is no worse."""
BETA = 0.04
"""Chance to approve although a drop stands exactly at its margin."""
Z_BETA = 1.75
Z_POWER = 1.645
"""A margin counts as certifiable when an unchanged prompt would be certified in 95 of 100 runs."""
CASE_MARGIN = 0.10 - 1e-9
"""What a single case must lose or gain to look worse or better (10 points): a judge's wavering is neither."""
CHURN = 0.08
"""Share of the cases whose result a rewording of equal quality changes for good: the median of recorded answers of
GPT-4o. Mistral's and Llama's are 9 to 22%."""
FLIPS_BETWEEN_RUNS = 0.04
"""Share of the cases that differ between two runs of one request: 0.4 to 3.3% for single labels, more for JSON."""
PLANNING_VARIANCE = CHURN + FLIPS_BETWEEN_RUNS
"""Prior variance of one case's difference. What a store holds never changes it: a promise doesn't depend on a cache."""
ALIKE_IN_CLUSTERS = 0.05
"""Prior correlation of the differences of two cases of one cluster: recorded prompts have 0.01 to 0.05."""


def planning_sample(sizes: Iterable[int]) -> tuple[float, float]:
    """Returns the effective number of clusters (Kish 1965), and the prior variance of a cluster's mean difference.

    ``sizes``: cases by cluster, each 1 or more. Clusters of one case each give their number and ``PLANNING_VARIANCE``.
    The design effect of a cluster of m cases is 1 + (m − 1)·``ALIKE_IN_CLUSTERS``. No case gives
    (0, ``PLANNING_VARIANCE``).
    """
    counts = list(sizes)
    cases, squares = sum(counts), sum(size**2 for size in counts)
    if not cases:
        return 0.0, PLANNING_VARIANCE
    spread = cases + ALIKE_IN_CLUSTERS * (squares - cases)
    return cases**2 / squares, PLANNING_VARIANCE * spread / squares


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
