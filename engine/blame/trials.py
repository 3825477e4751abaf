"""Trials of reverted units: what the search asks for, and everything that it has seen so far."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.gate.breaks import label_p
from engine.gate.cells import Floats

Undone = frozenset[int]
"""The units that are reverted."""

FRESH = 100
"""Repetitions that are reserved for each test, and for the runs before the first."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Runs of some cases with some units reverted."""

    undone: Undone
    cases: tuple[int, ...]
    runs: range
    """Repetitions. No two trials of the same units and case share one."""
    purpose: str


Scores = Mapping[tuple[int, int], float]
"""Score by case and repetition. NaN: no score."""
Asking = Generator[list[Trial], list[Scores], None]
"""A part of the search: yields trials, receives the scores of each."""


class Trials:
    """The scores of all trials so far."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._seen: dict[tuple[Undone, int], list[float]] = {}
        self._fresh: dict[tuple[Undone, int], list[float]] = {}
        self._tests = 0

    def start_test(self) -> None:
        """Lays the fresh runs so far aside. A test must not use runs that an earlier one chose by."""
        self._fresh = {}
        self._tests += 1

    def ask(self, undone: Iterable[Undone], cases: Sequence[int], runs: int, purpose: str) -> Asking:
        """Asks for what is missing until each case has ``runs`` runs."""
        yield from self._ask(self._seen, undone, cases, runs, purpose)

    def ask_fresh(self, undone: Iterable[Undone], cases: Sequence[int], runs: int, purpose: str) -> Asking:
        """Asks for runs of this test alone, which chose nothing."""
        yield from self._ask(self._fresh, undone, cases, runs, purpose)

    def _ask(
        self,
        book: dict[tuple[Undone, int], list[float]],
        undone: Iterable[Undone],
        cases: Sequence[int],
        runs: int,
        purpose: str,
    ) -> Asking:
        first = FRESH * self._tests if book is self._fresh else 0
        asked: list[Trial] = []
        for subset in dict.fromkeys(undone):
            behind: dict[int, list[int]] = {}
            for case in cases:
                behind.setdefault(len(book.get((subset, case), ())), []).append(case)
            asked += [
                Trial(subset, tuple(those), range(first + have, first + runs), purpose)
                for have, those in behind.items()
                if have < runs
            ]
        if not asked:
            return
        for trial, scores in zip(asked, (yield asked), strict=True):
            for case in trial.cases:
                book.setdefault((trial.undone, case), []).extend(scores[case, run] for run in trial.runs)

    def mean(self, undone: Undone, cases: Sequence[int], *, fresh: bool = False) -> float:
        """Returns the mean over the cases that gave a score; NaN without any."""
        means = [self.mean_of(undone, case, fresh=fresh) for case in cases]
        known = [mean for mean in means if not np.isnan(mean)]
        return float(np.mean(known)) if known else float("nan")

    def mean_of(self, undone: Undone, case: int, *, fresh: bool = False) -> float:
        """Returns the mean score of one case; NaN without any."""
        runs = self._runs(undone, case, fresh=fresh)
        return float(runs.mean()) if len(runs) else float("nan")

    def p(self, better: Undone, worse: Undone, cases: Sequence[int], *, fresh: bool) -> float:
        """Returns the one-sided p of "the first is no better": a permutation of the labels within each case, which is
        exact for scores of 0 and 1."""
        return label_p(
            [(self._runs(better, case, fresh=fresh), self._runs(worse, case, fresh=fresh)) for case in cases],
            self._seed,
        )

    def _runs(self, undone: Undone, case: int, *, fresh: bool) -> Floats:
        runs = np.array((self._fresh if fresh else self._seen).get((undone, case), ()), dtype=np.float64)
        return runs[~np.isnan(runs)]
