"""Everything that was observed so far, and the paired differences that follow from it."""

from __future__ import annotations

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Bools, Floats, Ints, Observations
from engine.gate.design import Design

REPLICATES = 2
"""Runs that are added to a case whose arms disagreed."""


class Ledger:
    """Runs by arm and case. Planned runs come first, replicates after them; fresh runs are kept apart."""

    def __init__(self, design: Design) -> None:
        n, m = len(design.ids), len(design.metrics)
        self.design = design
        deepest = int(design.repetitions.max(initial=1)) + REPLICATES
        self.scores: Floats = np.full((2, n, deepest, m), np.nan)
        self.asked: Bools = np.zeros((2, n, deepest), dtype=np.bool_)
        self.planned: Bools = np.arange(deepest)[None, :] < design.repetitions[:, None]
        self.seen: Bools = np.zeros(n, dtype=np.bool_)
        """Cases whose planned runs were asked for."""
        self.fresh: dict[int, tuple[list[Floats], list[Floats]]] = {}
        self.fresh_missing = False
        self.cost: Floats = np.zeros((2, n))
        self.tokens: Floats = np.zeros((2, 2, n))
        """[input or output, arm, case], summed over planned runs that both arms have."""
        self.latencies: list[tuple[int, float, float]] = []
        self.cells = 0

    def planned_batch(self, cases: Ints, purpose: str) -> Batch:
        """The planned cells of cases, leaving out what was asked before."""
        cells = [
            (int(i), arm, r)
            for i in cases
            for r in range(int(self.design.repetitions[i]))
            for arm in self._arms()
            if not self.asked[arm, i, r]
        ]
        return batch(cells, purpose)

    def replicate_batch(self, cases: Ints) -> Batch:
        """Two more runs in both arms for each of ``cases`` that has none yet."""
        first = self.design.repetitions
        cells = [
            (int(i), arm, int(first[i]) + r)
            for i in cases
            if not self.asked[BASELINE, i, int(first[i])]
            for r in range(REPLICATES)
            for arm in self._arms()
        ]
        return batch(cells, "replication")

    def fresh_batch(self, wanted: dict[int, tuple[int, int]], purpose: str) -> Batch:
        """Fresh runs: so many in the baseline and so many in the candidate, by case, interleaved."""
        cells = []
        for i, (of_baseline, of_candidate) in wanted.items():
            have = self.fresh.get(i, ([], []))
            for r in range(max(of_baseline, of_candidate)):
                if r < of_baseline:
                    cells.append((i, BASELINE, self.design.fresh_from + len(have[BASELINE]) + r))
                if r < of_candidate:
                    cells.append((i, CANDIDATE, self.design.fresh_from + len(have[CANDIDATE]) + r))
        return batch(cells, purpose)

    def record(self, asked: Batch, given: Observations) -> None:
        """Notes the answers of a batch. A missing cell leaves NaN in all its metrics."""
        scores = np.where(given.missing[:, None], np.nan, given.scores)[:, list(self.design.columns)]
        scores = np.where((scores >= 0) & (scores <= 1), scores, np.nan)
        self.cells += len(asked)
        if asked.purpose in FRESH:
            for k, case in enumerate(asked.cases):
                runs = self.fresh.setdefault(int(case), ([], []))
                runs[int(asked.arms[k])].append(scores[k])
            self.fresh_missing |= bool(np.isnan(scores).any())
            return
        where = (asked.arms, asked.cases, asked.repetitions)
        self.asked[where] = True
        self.scores[where] = scores
        if asked.purpose == "replication":
            return
        self._account(asked, given)
        self.seen[asked.cases] = True

    def differences(self) -> Floats:
        """``[cases, metrics]`` for the block test: over all runs that both arms have, candidate − baseline; NaN without
        any. Replicates count, for they were chosen without regard to the sign."""
        return _mean(self.scores[CANDIDATE] - self.scores[BASELINE])

    def cautious_differences(self) -> Floats:
        """``[cases, metrics]`` for the approve bound: planned runs only, where a missing candidate counts 0 and a
        missing baseline counts 1; NaN for cases that were not asked for. Identical requests differ by 0."""
        design = self.design
        candidate = np.nan_to_num(self.scores[CANDIDATE], nan=0.0)
        baseline = np.nan_to_num(self.scores[BASELINE], nan=1.0)
        usable = (self.planned & self.asked[CANDIDATE] & self.asked[BASELINE])[:, :, None]
        result = _mean(np.where(usable, candidate - baseline, np.nan))
        result[design.identical] = 0.0
        return result

    def levels(self, arm: int) -> Floats:
        """``[cases, metrics]``: mean of an arm over planned runs; of stored runs where nothing had to be called."""
        result = _mean(np.where(self.planned[:, :, None], self.scores[arm], np.nan))
        if self.design.history is not None:
            same = self.design.identical
            result[same] = self.design.history.means[same][:, list(self.design.columns)]
        return result

    def missing(self, arm: int) -> int:
        """Planned or replicated cells of an arm that gave no usable answer."""
        return int((self.asked[arm] & np.isnan(self.scores[arm]).any(axis=2)).sum())

    def requested(self, arm: int) -> int:
        """Cells of an arm that were asked for, fresh ones left out."""
        return int(self.asked[arm].sum())

    def _arms(self) -> tuple[int, ...]:
        return (BASELINE, CANDIDATE) if self.design.paired else (CANDIDATE,)

    def _account(self, asked: Batch, given: Observations) -> None:
        """Costs and latencies count only where both arms answered the same repetition."""
        there = ~given.missing
        position = {
            (int(c), int(a), int(r)): k
            for k, (c, a, r) in enumerate(zip(asked.cases, asked.arms, asked.repetitions, strict=True))
            if there[k]
        }
        for (case, arm, repetition), k in position.items():
            if arm == CANDIDATE:
                other = position.get((case, BASELINE, repetition))
                if other is None:
                    continue
                for side, cell in ((BASELINE, other), (CANDIDATE, k)):
                    self.cost[side, case] += given.cost_usd[cell]
                    self.tokens[0, side, case] += given.input_tokens[cell]
                    self.tokens[1, side, case] += given.output_tokens[cell]
                if given.fresh[k] and given.fresh[other]:
                    self.latencies.append((case, float(given.latency_s[other]), float(given.latency_s[k])))


FRESH = frozenset({"lock", "contract", "watch", "protected", "smoke baseline"})
"""Purposes whose answers never enter the test that chose them."""


def batch(cells: list[tuple[int, int, int]], purpose: str) -> Batch:
    """Cells (case, arm, repetition) as a batch."""
    table = np.array(cells, dtype=np.int64).reshape(len(cells), 3)
    return Batch(table[:, 0], table[:, 1].astype(np.int8), table[:, 2], purpose)


def _mean(values: Floats) -> Floats:
    """Mean over runs ``[cases, runs, metrics]`` without NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    result: Floats = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count > 0)
    return result
