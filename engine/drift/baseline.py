"""What is normal: the shares of four weeks, their weekly cycle, and how much they vary from day to day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import sqrt

import numpy as np

from engine.drift.counts import DayCounts, Floats, table, vocabulary

DAYS = 28
"""Days of a baseline: four of each weekday."""
LEAST_PER_DAY = 10
"""Fewest decisions a day. Below, a day's counts say nothing about how much days vary."""
LEAST_DAYS = 14
"""Fewest days of a baseline that have decisions."""
UPPER = 2.0
"""Standard errors by which the measured dispersion is raised, since it is an estimate."""
CYCLE_F = 1.8
"""F from which the weekdays differ: about the 5% level for 18 and 63 degrees of freedom."""
CYCLE_NOISE = 1.25
"""Variance of a day whose weekday's share was estimated from four days, relative to a day with known share."""
MOST_MEMORY = 0.8


@dataclass(frozen=True)
class Baseline:
    """The normal mix of decisions. Counts are by label."""

    labels: tuple[str, ...]
    counts: Floats
    """Decisions of all days."""
    cycle: Floats | None
    """``[weekdays, labels]``: by how much a weekday's shares differ from the mean; ``None`` without a weekly cycle."""
    dispersion: float
    """Variance of a day's counts relative to that of independent decisions; at least 1."""
    days: int
    """Days with decisions."""

    @property
    def per_day(self) -> float:
        """Mean number of decisions of a day that has some."""
        return float(self.counts.sum()) / self.days

    @cached_property
    def scaled(self) -> Floats:
        """The counts divided by the dispersion: as many independent decisions say as much."""
        return self.counts / self.dispersion

    def seasonless(self, days: Sequence[DayCounts]) -> Floats:
        """Returns ``[days, labels]``: counts without the weekly cycle, divided by the dispersion."""
        return _without_cycle(table(days, self.labels), [one.day for one in days], self.cycle) / self.dispersion


def baseline_of(days: Sequence[DayCounts]) -> Baseline | None:
    """Returns the baseline; ``None`` if there are too few days or decisions.

    The dispersion is Pearson's X² over its degrees of freedom (McCullagh & Nelder 1989, “Generalized linear models”,
    4.5), raised by two standard errors, and by (1 + r) / (1 - r) if days resemble the day before with correlation r
    (Bartlett 1946: the variance of a mean of a first-order autoregression).
    """
    seen = [one for one in days if one.total]
    if len(seen) < LEAST_DAYS or sum(one.total for one in seen) < LEAST_PER_DAY * len(seen):
        return None
    labels = vocabulary(seen)
    counts, dates = table(seen, labels), [one.day for one in seen]
    total: Floats = counts.sum(axis=0)
    free = max(int((total > 0).sum()) - 1, 1)
    expected = counts.sum(axis=1, keepdims=True) * (total / total.sum())
    raw, raw_free = _chi2(counts, expected), (len(seen) - 1) * free
    cycle = _cycle(counts, dates, total / total.sum())
    within, within_free = raw, raw_free
    if cycle is not None:
        within = _chi2(_without_cycle(counts, dates, cycle), expected)
        within_free = (len(seen) - 7) * free
        # An estimated cycle adds noise, so it is only taken out if the weekdays differ beyond chance.
        if (raw - within) / (6 * free) < CYCLE_F * within / within_free:
            cycle, within, within_free = None, raw, raw_free
    residuals = _residuals(_without_cycle(counts, dates, cycle), expected)
    memory = _memory(residuals, dates)
    dispersion = max(within / within_free, 1.0) * (1 + UPPER * sqrt(2 / within_free))
    dispersion *= (CYCLE_NOISE if cycle is not None else 1.0) * (1 + memory) / (1 - memory)
    return Baseline(labels=labels, counts=total, cycle=cycle, dispersion=dispersion, days=len(seen))


def _cycle(counts: Floats, dates: Sequence[date], shares: Floats) -> Floats | None:
    """Returns ``[weekdays, labels]``: the difference of each weekday's shares; ``None`` if one is hardly known."""
    weekdays = np.array([one.weekday() for one in dates])
    if min(int((weekdays == one).sum()) for one in range(7)) < 2:
        return None
    sums = np.array([counts[weekdays == one].sum(axis=0) for one in range(7)])
    result: Floats = sums / sums.sum(axis=1, keepdims=True) - shares
    return result


def _without_cycle(counts: Floats, dates: Sequence[date], cycle: Floats | None) -> Floats:
    if cycle is None or not len(counts):
        return counts
    expected = counts.sum(axis=1, keepdims=True) * cycle[[one.weekday() for one in dates]]
    # A rare label may have fewer decisions than its weekday usually adds.
    result: Floats = np.maximum(counts - expected, 0.0)
    return result


def _residuals(counts: Floats, expected: Floats) -> Floats:
    there = expected.sum(axis=0) > 0
    result: Floats = (counts[:, there] - expected[:, there]) / np.sqrt(expected[:, there])
    return result


def _chi2(counts: Floats, expected: Floats) -> float:
    return float((_residuals(counts, expected) ** 2).sum())


def _memory(residuals: Floats, dates: Sequence[date]) -> float:
    """Returns the correlation of a day with the day before, from 0 to ``MOST_MEMORY``."""
    pairs = [k for k in range(1, len(dates)) if (dates[k] - dates[k - 1]).days == 1]
    if not pairs:
        return 0.0
    later, earlier = residuals[pairs], residuals[[k - 1 for k in pairs]]
    square = float((residuals**2).sum()) / len(residuals)
    if not square:
        return 0.0
    # The residuals add up to 0, which lowers the estimate by about 1/n.
    found = float((later * earlier).sum()) / len(pairs) / square + 1 / len(residuals)
    return min(max(found, 0.0), MOST_MEMORY)
