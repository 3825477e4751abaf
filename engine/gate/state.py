"""The state of one comparison between two looks: what is known, what is certified, and the latest test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from engine.gate.bounds import BETA, hidden_drop, largest_drop
from engine.gate.cells import Bools, Floats, Ints
from engine.gate.design import Design
from engine.gate.hypotheses import Hypothesis
from engine.gate.ledger import Ledger
from engine.gate.signflip import LookResult, SignFlipTest
from engine.gate.spending import boundary, spent
from engine.gate.weights import by_unit, weights
from schemas.gate_config import GateMode, SlicePolicy
from schemas.verdicts import Reason

MISSING_SHARE = 0.02
"""Share of an arm's cells that may be missing. More than max(1, 2%) is an error."""


@dataclass(frozen=True)
class Breaks:
    """Results of fresh runs of a slice's cases that looked worse.

    The second field of each pair counts every missing cell against the candidate.
    """

    p: float
    """p of "the candidate is no worse in these cases", by the labels of their runs."""
    worst_p: float
    worse: tuple[int, ...]
    """Cases that score lower in the fresh runs too."""
    worst: tuple[int, ...]
    broken: tuple[int, ...]
    """Cases whose own p is at most 0.01, such as 6 passes against at most 1."""
    possible: tuple[int, ...]


class GuardResult(StrEnum):
    """How a guarded slice compares with the other cases."""

    BREAKS = "breaks"
    MAY_BREAK = "may_break"
    UNSURE = "unsure"
    HOLDS = "holds"
    OPEN = "open"


@dataclass(frozen=True)
class GuardEffect:
    """A guarded slice compared with the other cases."""

    slice: str
    broken: tuple[int, ...]
    """Cases whose break was confirmed."""
    changed: float | None
    """Share of the other cases whose result changed in either direction. ``None`` without others."""
    p: float
    """p of at least this many breaks, if the slice's passing cases break no more often than the others."""
    result: GuardResult
    """``may_break``: needs review. ``unsure``: missing cells decide. ``open``: more other cases must be seen."""


class ComparisonState:
    """Mutable state, private to one run of the protocol."""

    def __init__(self, design: Design, observed: Ledger | None = None) -> None:
        count = len(design.hypotheses)
        self.design = design
        self.ledger = Ledger(design)
        self.observed = observed or self.ledger
        """The ledger to show. It holds all real answers, while this state may use assumed ones."""
        self.look = 0
        """Number of looks taken."""
        self.result: LookResult | None = None
        """Result of the latest block test."""
        self.blocking: Bools = np.zeros(count, dtype=np.bool_)
        """Hypotheses whose harm fresh runs confirmed."""
        self.bounds: Floats = np.full(count, np.nan)
        """Upper bound of the drop, at the look where it was last computed."""
        self.spread: Floats = np.full(count, np.nan)
        """The same bound without the guard against hidden drops, which doesn't matter if a drop is certain."""
        self.certified: Bools = np.zeros(count, dtype=np.bool_)
        self.breaks: dict[str | None, Breaks] = {}
        """Results of fresh runs of cases that looked worse, by must-pass or guarded slice. ``None`` groups other cases
        with forbidden answers."""
        self.smoked: tuple[int, ...] = ()
        """Cases whose break ended the run before the first look."""
        self.guards: tuple[GuardEffect, ...] = ()
        """Guarded slices with a confirmed break, as of now."""
        self.confirmed_runs: dict[int, Floats] = {}
        """Fresh runs of all confirmations by case: ``[arms, runs, metrics]``."""
        self.open_floors: set[str | None] = set()
        """Slices whose floor is neither broken nor certain to hold yet."""
        self.found: list[Reason] = []
        """Reasons found outside the looks: smoke test, protected cases, watched slices, doubts."""
        self._test = SignFlipTest(design.seed, design.unit_names, design.flips)
        self._shares: list[tuple[float, ...]] = [() for _ in range(count)]
        self._looks: tuple[float, ...] = ()

    @cached_property
    def plain(self) -> bool:
        """Whether the design is fixed: one look, no added runs."""
        return self.design.gate.mode is GateMode.FIXED

    def new_cases(self) -> Ints:
        """Returns the cases that the next look adds: those of slices that are still open."""
        cases = self.design.looks[self.look]
        undecided = {h.slice for h in self.undecided()} | self.open_floors
        # While all cases together are open, or a guarded slice still needs others to compare with, every stratum must
        # be seen.
        if None in undecided or not undecided or any(guard.result is GuardResult.OPEN for guard in self.guards):
            return cases
        wanted = np.zeros(len(self.design.ids), dtype=np.bool_)
        for name in undecided:
            wanted |= self.design.inside(name)
        return cases[wanted[cases]]

    def undecided(self) -> list[Hypothesis]:
        """Returns the hypotheses whose margin must be certified and isn't yet."""
        pairs = zip(self.design.hypotheses, self.certified, strict=True)
        return [h for h, done in pairs if h.certifies and not done]

    def may_hold(self, h: Hypothesis) -> bool:
        """Returns whether the estimate lies inside the margin."""
        differences = self.ledger.cautious_differences()
        k = self.design.hypotheses.index(h)
        return bool(-self.sums(differences)[:, k].sum() < h.margin)

    def take_look(self) -> None:
        """Counts a look, after its cases were recorded."""
        self.look += 1
        share = self._share(self.ledger.seen, self.design.counted)
        # A look without new information spends nothing, so it gets no entry of its own.
        if not self._looks or share > self._looks[-1]:
            self._looks = (*self._looks, share)

    def too_much_missing(self) -> bool:
        """Returns whether more than max(1, 2%) of an arm's cells gave no score.

        Cases that the head adds are counted apart, so they can't dilute the others.
        """
        gaps, asked = self.ledger.gaps().sum(axis=2), self.ledger.asked.sum(axis=2)
        return any(
            bool((gaps[:, group].sum(axis=1) > np.maximum(1, MISSING_SHARE * asked[:, group].sum(axis=1))).any())
            for group in (self.design.counted, self.design.added)
        )

    @property
    def case_level(self) -> float:
        """The largest p at which the breaks of one slice count."""
        listed = self.design.of_policy(SlicePolicy.MUST_PASS, SlicePolicy.GUARD)
        # Bonferroni over the slices that are judged by case.
        return self.design.alpha_cases / max(len(listed), 1)

    @property
    def alpha(self) -> float:
        """The error rate that the block test may have spent by now."""
        return spent(self.design.alpha, self._looks[-1])

    def critical(self, total: float) -> float:
        """Returns the critical normal value of a test that runs at every look and spends ``total`` over all looks."""
        looks = self._looks or (
            self._share(self.ledger.seen, self.design.counted),
        )  # the smoke test may end the run before the first look
        # Tests of limits run at every look, so they use the same spending as the main test.
        return boundary(looks, total)

    def sums(self, differences: Floats) -> Floats:
        """Returns ``[clusters, hypotheses]``: each cluster's share of the mean difference."""
        result: Floats = np.zeros((len(self.design.unit_names), len(self.design.hypotheses)))
        for k, (h, share) in enumerate(zip(self.design.hypotheses, self.weights(differences), strict=True)):
            result[:, k] = by_unit(self.design, share * np.nan_to_num(differences[:, h.metric]))
        return result

    def weights(self, differences: Floats) -> list[Floats]:
        """Returns the weights of the cases whose difference is known, by hypothesis."""
        known = ~np.isnan(differences)
        return [weights(self.design, h.slice, known[:, h.metric]) for h in self.design.hypotheses]

    def suspicion(self) -> float:
        """Returns the smallest p of the block test, with missing cells as they are or counted against the candidate.

        Taking the smaller one keeps a missing cell from causing runs that complete data would not have caused. Nothing
        is spent.
        """
        known = float(self._test.peek(self._tested(self.ledger.differences())).min())
        return min(known, self.worst_suspicion()) if self.ledger.gaps().any() else known

    def worst_suspicion(self) -> float:
        """Returns the smallest p if every missing candidate cell failed and every missing baseline cell passed."""
        return float(self._test.peek(self._tested(self.ledger.imputed())).min())

    def test_harm(self) -> LookResult:
        """Spends this look's part of α on the block test."""
        self.result = self._test.look(self._tested(self.ledger.differences()), self.alpha)
        return self.result

    def _tested(self, differences: Floats) -> Floats:
        """Returns ``sums``, with 0 for hypotheses that the block test doesn't include."""
        # Zeros instead of fewer columns, so that every test keeps its index. A column of zeros never has a large
        # statistic.
        return self.sums(differences) * np.array([h.tests_harm for h in self.design.hypotheses], dtype=np.float64)

    def certify(self) -> None:
        """Computes every bound and marks the margins that hold now. Identical requests in both arms can't fall."""
        differences = self.ledger.cautious_differences()
        shares, sums = self.weights(differences), self.sums(differences)
        for k, h in enumerate(self.design.hypotheses):
            # A certificate stays: its look has spent its part of the error rate, and later data don't take it back.
            if self.certified[k] or not shares[k].any():
                continue
            inside = self.design.inside(h.slice)
            if self.design.identical[inside].all():
                self.bounds[k] = self.spread[k] = 0.0
            else:
                known = ~np.isnan(differences[:, h.metric])
                self.bounds[k], self.spread[k] = self._bound(k, sums[:, k], shares[k], known)
            self.certified[k] = h.certifies and bool(self.bounds[k] <= h.margin)

    def sampled(self, name: str | None, known: Bools) -> Bools:
        """Returns ``[clusters]``: those of strata that were seen in part.

        Complete strata say nothing about the unseen cases. Counting them would make a few cases of a large stratum look
        like many.
        """
        strata = self.design.strata
        waiting = np.bincount(strata[self.design.inside(name) & ~known], minlength=int(strata.max(initial=0)) + 1) > 0
        return by_unit(self.design, (known & waiting[strata]).astype(np.float64)) > 0

    def _bound(self, k: int, sums: Floats, share: Floats, known: Bools) -> tuple[float, float]:
        """Returns the largest drop that the clusters don't rule out, and the largest by the spread of differences
        alone.

        ``share`` is each case's part of the mean. Cases that aren't called can't fall, and don't represent those that
        are.

        The approve bound alone is too bold for a handful of clusters. So enough clusters without a fall are required
        that a break of the margin's size would have shown in one of them.
        """
        h, design = self.design.hypotheses[k], self.design
        seen = self._share(known, design.inside(h.slice))
        # Each slice has looks of its own: one that was not seen further at a look spends nothing there.
        if not self._shares[k] or seen > self._shares[k][-1]:
            self._shares[k] = (*self._shares[k], seen)
        weights, sampled = by_unit(design, np.where(design.identical, 0.0, share)), self.sampled(h.slice, known)
        bound = largest_drop(sums, weights, boundary(self._shares[k], BETA), sampled)
        held = [(weights > 0) & (sums >= 0) & (sampled == kind) for kind in (False, True)]
        parts = [float(weights[sampled == kind].sum()) for kind in (False, True)]
        beta = spent(BETA, seen)
        # Sampled and complete strata are separate samples. The worse of the two bounds the drop.
        hidden = max(part * hidden_drop(int(kind.sum()), beta) for part, kind in zip(parts, held, strict=True))
        # The guard only stops a certificate. For slices that need none, it would only widen the shown interval.
        return max(bound, hidden) if h.certifies and hidden > h.margin else bound, bound

    def _share(self, known: Bools, inside: Bools) -> float:
        """Returns the seen share of the called cases of a slice, rounded down to 1%, so that nothing is spent early."""
        called = inside & ~self.design.identical
        share = float(known[called].mean()) if called.any() else 1.0  # every called case is one that the head adds
        return max(math.floor(share * 100 + 1e-9) / 100, 0.01)
