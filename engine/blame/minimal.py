"""Finds the smallest sets of units whose reverting brings back broken cases.

Up to five units, every subset is run. More are searched by delta debugging (Zeller and Hildebrandt 2002): the changes
are what is minimized, and the oracle is the mean score of the broken cases.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import combinations

import numpy as np

from engine.blame.trials import Scores, Trial, Trials, Undone

EVERY_SUBSET = 5
"""The most units of which every subset is run."""
RESTORED = 0.8
"""Share of the lost score that a set has to bring back."""
REST = 0.6
"""The same for cases that an earlier culprit doesn't explain."""
AT_LEAST = 0.6
"""The smallest share for the runs of the set itself, where larger sets are counted too."""
MOST_TRIALS = 40
"""The most sets that delta debugging tries."""

Finding = Generator[list[Trial], list[Scores], list[Undone]]


def minimal_sets(trials: Trials, count: int, cases: Sequence[int], runs: int, wanted: float) -> Finding:
    """Returns the smallest sets that bring the cases back, the clearest first. Empty if none does.

    ``wanted`` is the share of the lost score that has to come back.
    """
    if count <= EVERY_SUBSET:
        return (yield from _of_every_subset(trials, count, cases, runs, wanted))
    return (yield from _by_delta_debugging(trials, count, cases, runs, wanted))


def _of_every_subset(trials: Trials, count: int, cases: Sequence[int], runs: int, wanted: float) -> Finding:
    every = [frozenset(chosen) for size in range(count + 1) for chosen in combinations(range(count), size)]
    yield from trials.ask(every, cases, runs, "subsets")
    means = {subset: trials.mean(subset, cases) for subset in every}
    low, high = means[frozenset()], means[frozenset(range(count))]

    def restores(subset: Undone) -> float:
        """Returns the share that comes back with this set reverted, whatever else is."""
        # A set that is enough stays enough when more is reverted, so the larger sets speak for it too.
        larger = [means[other] for other in every if other >= subset and not np.isnan(means[other])]
        own = _share(means[subset], low, high)
        pooled = _share(float(np.mean(larger)), low, high) if larger else float("nan")
        return pooled if own >= AT_LEAST else 0.0

    for size in range(1, count + 1):
        found = {subset: restores(subset) for subset in every if len(subset) == size}
        enough = [subset for subset, share in found.items() if share >= wanted]
        if enough:
            return sorted(enough, key=lambda subset: (-found[subset], sorted(subset)))
    return []


def _share(mean: float, low: float, high: float) -> float:
    """Returns how much of the lost score came back."""
    return (mean - low) / (high - low) if high > low else float("nan")


def _by_delta_debugging(trials: Trials, count: int, cases: Sequence[int], runs: int, wanted: float) -> Finding:
    debugging, everything = _DeltaDebugging(trials, count, cases, runs, wanted), frozenset(range(count))
    yield from trials.ask([frozenset(), everything], cases, runs, "subsets")
    if not debugging.is_enough(everything):
        return []
    first = yield from debugging.reduced(everything)
    # Units that break cases only together show as two sets, each of which is enough.
    rest = everything - first
    yield from trials.ask([rest] if rest else [], cases, runs, "subsets")
    if not rest or not debugging.is_enough(rest):
        return [first]
    return [first, (yield from debugging.reduced(rest))]


class _DeltaDebugging:
    """Zeller's ddmin, with the scores of the broken cases as its test."""

    def __init__(self, trials: Trials, count: int, cases: Sequence[int], runs: int, wanted: float) -> None:
        self._trials = trials
        self._cases = cases
        self._runs = runs
        self._wanted = wanted
        self._everything = frozenset(range(count))
        self._left = MOST_TRIALS

    def is_enough(self, subset: Undone) -> bool:
        """Returns whether a set brings the cases back."""
        low, high = (self._trials.mean(each, self._cases) for each in (frozenset[int](), self._everything))
        return _share(self._trials.mean(subset, self._cases), low, high) >= self._wanted

    def reduced(self, start: Undone) -> Generator[list[Trial], list[Scores], Undone]:
        """Returns a set that is enough, and would not be without some part of it."""
        found, parts = start, 2
        while len(found) > 1 and self._left > 0:
            chunks = _chunks(found, parts)
            others = [found - chunk for chunk in chunks] if len(chunks) > 2 else []
            smaller = yield from self._best(chunks)
            if smaller is not None:
                found, parts = smaller, 2
                continue
            smaller = yield from self._best(others)
            if smaller is not None:
                found, parts = smaller, max(parts - 1, 2)
            elif parts < len(found):
                parts = min(2 * parts, len(found))
            else:
                break
        return found

    def _best(self, tried: Sequence[Undone]) -> Generator[list[Trial], list[Scores], Undone | None]:
        """Returns the set that is clearest enough; ``None`` if none is."""
        self._left -= len(tried)
        yield from self._trials.ask(tried, self._cases, self._runs, "subsets")
        enough = [subset for subset in tried if self.is_enough(subset)]
        return max(enough, key=lambda subset: self._trials.mean(subset, self._cases), default=None)


def _chunks(subset: Undone, parts: int) -> list[Undone]:
    """Returns about ``parts`` runs of neighbors."""
    ordered = sorted(subset)
    size = -(-len(ordered) // parts)
    return [frozenset(ordered[n : n + size]) for n in range(0, len(ordered), size)]
