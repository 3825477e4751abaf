"""The state of one comparison between two looks: what is known, what is certified, what the flips say."""

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
"""More than max(1, 2%) of an arm's cells missing is an error."""


@dataclass(frozen=True)
class Breaks:
    """What fresh runs of a slice's cases gave that looked worse. The second of each pair holds had every missing cell
    gone against the candidate."""

    p: float
    """Of «the candidate does no worse in these cases», by the labels of their runs."""
    worst_p: float
    worse: tuple[int, ...]
    """Cases that are worse in the fresh runs too."""
    worst: tuple[int, ...]
    broken: tuple[int, ...]
    """Those whose own p is at most 0.01: 6 passes against at most 1, say."""
    possible: tuple[int, ...]


class GuardReading(StrEnum):
    """What a guarded slice says against the other cases."""

    BREAKS = "breaks"
    MAY_BREAK = "may_break"
    UNSURE = "unsure"
    HOLDS = "holds"
    OPEN = "open"


@dataclass(frozen=True)
class GuardEffect:
    """A guarded slice beside the other cases."""

    slice: str
    broken: tuple[int, ...]
    """Cases whose break was confirmed."""
    changed: float | None
    """Share of the other cases whose result changed either way; ``None`` without others."""
    p: float
    """Of so many breaks or more, if the slice's passing cases break no more often than the others."""
    reading: GuardReading
    """``may_break``: a person should look. ``unsure``: missing cells decide. ``open``: more others must be seen."""


class ComparisonState:
    """Mutable, private to one run of the protocol."""

    def __init__(self, design: Design, observed: Ledger | None = None) -> None:
        count = len(design.hypotheses)
        self.design = design
        self.ledger = Ledger(design)
        self.observed = observed or self.ledger
        """What is shown: all that was answered, where this state goes by assumed answers."""
        self.look = 0
        """Looks taken."""
        self.result: LookResult | None = None
        """Of the latest block test."""
        self.blocking: Bools = np.zeros(count, dtype=np.bool_)
        """Hypotheses whose harm was confirmed by fresh runs."""
        self.bounds: Floats = np.full(count, np.nan)
        """Upper bound of the drop, at the look where it was last computed."""
        self.spread: Floats = np.full(count, np.nan)
        """The same by the spread of the differences alone: where a drop is certain, a hidden one is no question."""
        self.certified: Bools = np.zeros(count, dtype=np.bool_)
        self.breaks: dict[str | None, Breaks] = {}
        """What fresh runs said about cases that looked worse, by must-pass or guarded slice; ``None``: forbidden
        answers to other cases."""
        self.smoked: tuple[int, ...] = ()
        """Cases whose break ended the run before the first look."""
        self.guards: tuple[GuardEffect, ...] = ()
        """Guarded slices with a confirmed break, as they stand now."""
        self.locked: dict[int, Floats] = {}
        """Fresh runs of all confirmations by case: ``[arms, runs, metrics]``."""
        self.open_floors: set[str | None] = set()
        """Slices whose floor is neither broken nor certain yet."""
        self.found: list[Reason] = []
        """What was found beside the looks: smoke, protected cases, watched slices, doubts."""
        self._test = SignFlipTest(design.seed, design.unit_names, design.flips)
        self._shares: list[tuple[float, ...]] = [() for _ in range(count)]
        self._looks: tuple[float, ...] = ()

    @cached_property
    def plain(self) -> bool:
        """The plain design: one look, nothing added."""
        return self.design.gate.mode is GateMode.FIXED

    def new_cases(self) -> Ints:
        """Returns the cases that the next look adds: of slices in which something is not certain yet."""
        cases = self.design.looks[self.look]
        undecided = {h.slice for h in self.undecided()} | self.open_floors
        if None in undecided or not undecided or any(guard.reading is GuardReading.OPEN for guard in self.guards):
            return cases
        wanted = np.zeros(len(self.design.ids), dtype=np.bool_)
        for name in undecided:
            wanted |= self.design.inside(name)
        return cases[wanted[cases]]

    def undecided(self) -> list[Hypothesis]:
        """Hypotheses whose margin must be certified and isn't yet."""
        pairs = zip(self.design.hypotheses, self.certified, strict=True)
        return [h for h, done in pairs if h.certifies and not done]

    def may_hold(self, h: Hypothesis) -> bool:
        """Returns whether the estimate lies inside the margin."""
        differences = self.ledger.cautious_differences()
        k = self.design.hypotheses.index(h)
        return bool(-self.sums(differences)[:, k].sum() < h.margin)

    def take_look(self) -> None:
        """Counts a look, once its cases are there."""
        self.look += 1
        share = self._share(self.ledger.seen, self.design.counted)
        if not self._looks or share > self._looks[-1]:
            self._looks = (*self._looks, share)

    def too_much_missing(self) -> bool:
        """More than max(1, 2%) of an arm's cells gave nothing; cases that the head adds don't dilute the others."""
        gaps, asked = self.ledger.gaps().sum(axis=2), self.ledger.asked.sum(axis=2)
        return any(
            bool((gaps[:, group].sum(axis=1) > np.maximum(1, MISSING_SHARE * asked[:, group].sum(axis=1))).any())
            for group in (self.design.counted, self.design.added)
        )

    @property
    def case_level(self) -> float:
        """The p at which the breaks of one slice count."""
        listed = self.design.of_policy(SlicePolicy.MUST_PASS, SlicePolicy.GUARD)
        return self.design.alpha_cases / max(len(listed), 1)

    @property
    def alpha(self) -> float:
        """What the block test may have spent by now."""
        return spent(self.design.alpha, self._looks[-1])

    def critical(self, total: float) -> float:
        """The critical normal value of a test that is taken at every look so far and spends ``total`` over all."""
        looks = self._looks or (self._share(self.ledger.seen, self.design.counted),)  # smoke ends before the first
        return boundary(looks, total)

    def sums(self, differences: Floats) -> Floats:
        """``[clusters, hypotheses]``: each cluster's share of the mean difference."""
        result: Floats = np.zeros((len(self.design.unit_names), len(self.design.hypotheses)))
        for k, (h, share) in enumerate(zip(self.design.hypotheses, self.weights(differences), strict=True)):
            result[:, k] = by_unit(self.design, share * np.nan_to_num(differences[:, h.metric]))
        return result

    def weights(self, differences: Floats) -> list[Floats]:
        """The weights of the cases whose difference is known, by hypothesis."""
        known = ~np.isnan(differences)
        return [weights(self.design, h.slice, known[:, h.metric]) for h in self.design.hypotheses]

    def suspicion(self) -> float:
        """The smallest p of the block test as things stand, or had the missing cells gone against the candidate: a
        missing cell must not buy runs that the whole would not have had. Nothing is spent."""
        known = float(self._test.peek(self._tested(self.ledger.differences())).min())
        return min(known, self.worst_suspicion()) if self.ledger.gaps().any() else known

    def worst_suspicion(self) -> float:
        """Returns the smallest p if every missing candidate had failed and every missing baseline passed."""
        return float(self._test.peek(self._tested(self.ledger.imputed())).min())

    def test_harm(self) -> LookResult:
        """Spends this look's part of α on the block test."""
        self.result = self._test.look(self._tested(self.ledger.differences()), self.alpha)
        return self.result

    def _tested(self, differences: Floats) -> Floats:
        """``sums`` of what the block test looks at; of the rest nothing differs."""
        return self.sums(differences) * np.array([h.tests_harm for h in self.design.hypotheses], dtype=np.float64)

    def certify(self) -> None:
        """Computes every bound and notes which margins hold now. Where both arms send the same everywhere, nothing can
        have fallen."""
        differences = self.ledger.cautious_differences()
        shares, sums = self.weights(differences), self.sums(differences)
        for k, h in enumerate(self.design.hypotheses):
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
        """``[clusters]``: those of strata of which a part was seen. Complete strata say nothing about them: they would
        make a few cases of a large stratum look like many."""
        strata = self.design.strata
        waiting = np.bincount(strata[self.design.inside(name) & ~known], minlength=int(strata.max(initial=0)) + 1) > 0
        return by_unit(self.design, (known & waiting[strata]).astype(np.float64)) > 0

    def _bound(self, k: int, sums: Floats, share: Floats, known: Bools) -> tuple[float, float]:
        """Returns the largest drop of a hypothesis that its clusters don't rule out, and the largest that the spread
        of their differences doesn't. ``share`` is each case's part of the mean; what isn't called can't fall, and
        doesn't stand for what is.

        The approve bound is too bold for a handful of clusters: there must be so many without a fall that a break of
        the margin's size would have shown in one of them.
        """
        h, design = self.design.hypotheses[k], self.design
        seen = self._share(known, design.inside(h.slice))
        if not self._shares[k] or seen > self._shares[k][-1]:
            self._shares[k] = (*self._shares[k], seen)
        weights, sampled = by_unit(design, np.where(design.identical, 0.0, share)), self.sampled(h.slice, known)
        bound = largest_drop(sums, weights, boundary(self._shares[k], BETA), sampled)
        held = [(weights > 0) & (sums >= 0) & (sampled == kind) for kind in (False, True)]
        parts = [float(weights[sampled == kind].sum()) for kind in (False, True)]
        beta = spent(BETA, seen)
        hidden = max(part * hidden_drop(int(kind.sum()), beta) for part, kind in zip(parts, held, strict=True))
        return max(bound, hidden) if h.certifies and hidden > h.margin else bound, bound

    def _share(self, known: Bools, inside: Bools) -> float:
        """Returns how much of what is called inside a slice is known, in steps of 1%, rounded down: nothing is spent
        early."""
        called = inside & ~self.design.identical
        share = float(known[called].mean()) if called.any() else 1.0  # only cases that the head adds are called
        return max(math.floor(share * 100 + 1e-9) / 100, 0.01)
