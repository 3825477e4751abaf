"""All observations so far, and the paired differences that follow from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Bools, Floats, Ints, Observations
from engine.gate.design import Design

REPLICATES = 2
"""Runs added to a case if its arms disagreed, or if its slice is still undecided."""

FRESH = ("smoke", "breaks", "protected", "watch", "confirmation")
FRESH_RUNS = 100
"""Each purpose has fresh repetitions of its own, so that one test doesn't change the draws of another."""

Pairs = Mapping[int, tuple[Floats, Floats]]
"""Fresh runs by case: ``[runs, metrics]`` of the baseline and of the candidate, in the order asked."""


class Ledger:
    """Runs by arm, case and repetition. Planned runs come first, added ones after them. Fresh runs are kept apart."""

    def __init__(self, design: Design) -> None:
        n, m = len(design.ids), len(design.metrics)
        # Room for the replicates of the block test and for those of undecided slices.
        deepest = int(design.repetitions.max(initial=1)) + 2 * REPLICATES
        self.design = design
        self.planned: Ints = design.repetitions.copy()
        """Runs per arm that don't depend on what was seen in this comparison, by case."""
        self.runs: Ints = np.zeros(n, dtype=np.int64)
        """Runs per arm that were asked for, without fresh ones."""
        self.scores: Floats = np.full((2, n, deepest, m), np.nan)
        self.asked: Bools = np.zeros((2, n, deepest), dtype=np.bool_)
        self.usage: Floats = np.full((5, 2, n, deepest), np.nan)
        """Input tokens, output tokens, USD, seconds, and the time of the answer."""
        self.unanswered: Bools = np.zeros_like(self.asked)
        """Calls with unknown cost: failed ones, even if a score is assumed for them, and answers without usage."""
        self.forbidden: Bools = np.zeros(n, dtype=np.bool_)
        """Cases to which the candidate gave a forbidden answer, or may have given one that is missing."""
        self.fresh: dict[int, tuple[list[Floats], list[Floats]]] = {}
        self.cells = 0
        self._used: dict[tuple[str, int], list[int]] = {}

    @property
    def arms(self) -> tuple[int, ...]:
        """Both arms, or only the candidate if there is no baseline."""
        return (BASELINE, CANDIDATE) if self.design.paired else (CANDIDATE,)

    @property
    def seen(self) -> Bools:
        """Cases whose planned runs were asked for."""
        return np.asarray(self.runs > 0)

    def first(self, cases: Ints, purpose: str) -> Batch:
        """Returns the planned runs of ``cases`` in both arms."""
        return self._batch(cases, np.zeros(len(cases), dtype=np.int64), self.planned[cases], purpose)

    def more(self, cases: Ints, purpose: str) -> Batch:
        """Returns two more runs of ``cases`` in both arms."""
        return self._batch(cases, self.runs[cases], self.runs[cases] + REPLICATES, purpose)

    def fresh_batch(self, wanted: Mapping[int, tuple[int, int]], purpose: str) -> Batch:
        """Returns fresh runs, with the arms interleaved.

        ``wanted`` holds, by case, the number of runs of the baseline and of the candidate.
        """
        rows = []
        first = self.design.fresh_from + FRESH_RUNS * FRESH.index(purpose)
        for case, counts in wanted.items():
            # Counted per purpose, so a second request continues with new draws instead of repeating the first.
            have = self._used.setdefault((purpose, case), [0, 0])
            for r in range(max(counts)):
                # Interleaved, so a provider that drifts during the batch affects both arms alike.
                rows += [(case, arm, first + have[arm] + r) for arm in self.arms if r < counts[arm]]
            self._used[purpose, case] = [have[arm] + counts[arm] for arm in (BASELINE, CANDIDATE)]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
        return Batch(table[:, 0], table[:, 1].astype(np.int8), table[:, 2], purpose)

    def record(self, asked: Batch, given: Observations) -> None:
        """Records the answers to planned or added cells. A missing cell leaves NaN in all its metrics."""
        where = (asked.arms, asked.cases, asked.repetitions)
        self.asked[where] = True
        self._note_forbidden(asked, given)
        self.scores[where] = self._scores(given)
        self.unanswered[where] = given.missing | np.isnan(given.cost_usd)
        # Usage of a failed call is unknown, even if its score is imputed.
        self.usage[:, *where] = np.where(
            given.missing,
            np.nan,
            [given.input_tokens, given.output_tokens, given.cost_usd, given.latency_s, given.made_at],
        )
        # The first repetition that some arm was not asked for is the number of complete runs.
        complete: Bools = np.logical_and.reduce(self.asked[list(self.arms)])
        self.runs = np.where(complete.all(axis=1), complete.shape[1], complete.argmin(axis=1)).astype(np.int64)
        self.cells += len(asked)

    def record_fresh(self, asked: Batch, given: Observations) -> Pairs:
        """Records fresh runs and returns them by case. No other test uses them."""
        self._note_forbidden(asked, given)
        scores = self._scores(given)
        result: dict[int, tuple[list[Floats], list[Floats]]] = {}
        for k, case in enumerate(asked.cases.tolist()):
            for book in (self.fresh, result):
                book.setdefault(case, ([], []))[int(asked.arms[k])].append(scores[k])
        self.cells += len(asked)
        width = len(self.design.metrics)
        return {
            case: (np.array(b).reshape(len(b), width), np.array(c).reshape(len(c), width))
            for case, (b, c) in result.items()
        }

    def differences(self) -> Floats:
        """Returns ``[cases, metrics]`` for the block test: candidate − baseline over all runs that both arms have.

        NaN without any run. Replicates count, because they were chosen regardless of the sign. Identical requests
        differ by 0.
        """
        result = mean_over_runs(self.scores[CANDIDATE] - self.scores[BASELINE])
        result[self.design.identical] = 0.0
        return result

    def imputed(self) -> Floats:
        """Returns ``differences``, with a missing candidate counted 0 and a missing baseline 1."""
        return self._imputed(np.asarray(self.asked.all(axis=0)))

    def cautious_differences(self) -> Floats:
        """Returns ``[cases, metrics]`` for the approve bound: imputed differences over planned runs.

        Replicates are left out: they were added because the arms disagreed, and would flatter the candidate. NaN for
        cases that were not asked for.
        """
        return self._imputed(
            np.asarray(self.asked.all(axis=0)) & (np.arange(self.asked.shape[2]) < self.planned[:, None])
        )

    def levels(self, arm: int, *, missing: float = np.nan) -> Floats:
        """Returns ``[cases, metrics]``: the mean of an arm over planned runs, or over stored runs if nothing had to be
        called.

        ``missing`` is the score of cells that were asked for and gave none.
        """
        inside = self.asked[arm] & (np.arange(self.asked.shape[2]) < self.planned[:, None])
        scores = np.nan_to_num(self.scores[arm], nan=missing)
        result = mean_over_runs(np.where(inside[:, :, None], scores, np.nan))
        history = self.design.history
        if history is not None:
            same = self.design.identical & np.isnan(result).all(axis=1)
            result[same] = history.means[same][:, list(self.design.columns)]
        return result

    def averages(self) -> Floats:
        """Returns ``[2, cases, metrics]``: the mean of each arm over every run, fresh ones included.

        If nothing was called, it is the mean of stored runs. NaN without any.
        """
        known = ~np.isnan(self.scores)
        total, count = np.where(known, self.scores, 0.0).sum(axis=2), known.sum(axis=2)
        for case, arms in self.fresh.items():
            for arm, runs in enumerate(arms):
                for run in runs:
                    total[arm, case] += np.nan_to_num(run)
                    count[arm, case] += ~np.isnan(run)
        result: Floats = np.full(total.shape, np.nan)
        np.divide(total, count, out=result, where=count > 0)
        history = self.design.history
        if history is not None:
            same = self.design.identical & np.isnan(result).all(axis=(0, 2))
            result[:, same] = history.means[same][:, list(self.design.columns)]
        return result

    def paired_usage(self, kind: int) -> Floats:
        """Returns ``[2, cases]``: mean usage of both arms over planned runs that both answered; NaN without any.

        ``kind`` is an index of ``usage``.
        """
        values = self.usage[kind]
        # Only pairs: if one arm's expensive call failed, its partner must not count either.
        both = ~np.isnan(values).any(axis=0) & (np.arange(values.shape[2]) < self.planned[:, None])
        both &= ~self.design.identical[:, None]
        return np.stack([mean_over_runs(np.where(both, values[arm], np.nan)[:, :, None])[:, 0] for arm in (0, 1)])

    def gaps(self) -> Bools:
        """Returns ``[2, cases, runs]``: cells that were asked for and lack a gating metric."""
        return np.asarray(self.asked & np.isnan(self.scores).any(axis=3))

    def unmeasured(self) -> Bools:
        """Returns ``gaps`` and the calls with unknown cost."""
        return self.gaps() | self.unanswered

    def missing(self) -> int:
        """Returns the number of cells without a usable answer so far, fresh ones included."""
        fresh = sum(int(np.isnan(run).any()) for arms in self.fresh.values() for runs in arms for run in runs)
        return int(self.gaps().sum()) + fresh

    def _imputed(self, usable: Bools) -> Floats:
        values = np.nan_to_num(self.scores[CANDIDATE], nan=0.0) - np.nan_to_num(self.scores[BASELINE], nan=1.0)
        result = mean_over_runs(np.where(usable[:, :, None], values, np.nan))
        result[self.design.identical] = 0.0
        return result

    def _note_forbidden(self, asked: Batch, given: Observations) -> None:
        # A missing answer may have held the forbidden text, so it is noted as if it did.
        held = (asked.arms == CANDIDATE) & self.design.forbids[asked.cases] & (given.forbidden | given.missing)
        self.forbidden[asked.cases[held]] = True

    def _scores(self, given: Observations) -> Floats:
        """Returns the scores of the gating metrics. Values that are missing, not finite or outside [0, 1] become
        NaN."""
        scores = given.scores[:, list(self.design.columns)]
        # NaN compares as false here, so one condition covers missing, infinite and invalid scores.
        return np.where((scores >= 0) & (scores <= 1), scores, np.nan)

    def _batch(self, cases: Ints, start: Ints, end: Ints, purpose: str) -> Batch:
        """Returns repetitions ``start`` … ``end`` − 1 of ``cases`` that were not asked before. The arms are
        neighbors."""
        arms = len(self.arms)
        counts = (end - start) * arms
        rows = np.repeat(cases, counts)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        repetitions = np.repeat(start, counts) + within // arms
        chosen = np.array(self.arms, dtype=np.int8)[within % arms]
        # Smoke cases belong to the first look. Asking for them again would pay twice.
        new = ~self.asked[chosen, rows, repetitions]
        return Batch(rows[new], chosen[new], repetitions[new], purpose)


def mean_over_runs(values: Floats) -> Floats:
    """Returns the mean of ``[cases, runs, metrics]`` over runs without NaN; NaN if there are none."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    result: Floats = np.full(total.shape, np.nan)
    np.divide(total, count, out=result, where=count > 0)
    return result
