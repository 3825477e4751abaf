"""The state of one comparison between two looks: what is known, what is certified, what the flips say."""

from __future__ import annotations

import numpy as np

from engine.gate.bounds import BETA, largest_drop
from engine.gate.cells import BASELINE, CANDIDATE, Bools, Floats, Ints
from engine.gate.design import Design
from engine.gate.ledger import Ledger
from engine.gate.signflip import LookResult, SignFlipTest
from engine.gate.spending import boundary, spent
from engine.gate.weights import by_unit, weights

MISSING_SHARE = 0.02


class Course:
    """Mutable, private to one run of the protocol."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self.ledger = Ledger(design)
        self.test = SignFlipTest(design.seed, design.unit_names, design.flips)
        self.look = 0
        """Looks taken."""
        self.result: LookResult | None = None
        count = len(design.hypotheses)
        self.bounds: Floats = np.full(count, np.nan)
        """Upper bound of the drop, at the look where it was last computed."""
        self.certified: Bools = np.zeros(count, dtype=np.bool_)
        self._shares: list[tuple[float, ...]] = [() for _ in range(count)]

    def new_cases(self, look: int) -> Ints:
        """The cases that a look adds: of strata in which something is still to be certified."""
        cases = self.design.looks[look]
        open_names = {h.slice for h, done in zip(self.design.hypotheses, self.certified, strict=True)
                      if h.certifies and not done}  # fmt: skip
        if look == 0 or None in open_names or not open_names:
            return cases
        wanted = np.zeros(len(self.design.ids), dtype=np.bool_)
        for name in open_names:
            wanted |= self.design.inside(name)
        return cases[wanted[cases]]

    def too_much_missing(self) -> bool:
        """More than max(1, 2%) of an arm's cells gave nothing."""
        return any(
            self.ledger.missing(arm) > max(1.0, MISSING_SHARE * self.ledger.requested(arm))
            for arm in (BASELINE, CANDIDATE)
        )

    def share(self) -> float:
        """How much of the gating test set was seen, or needs no call."""
        counted = self.design.counted
        return float((self.ledger.seen | self.design.identical)[counted].mean())

    def sums(self, differences: Floats) -> Floats:
        """``[clusters, hypotheses]``: each cluster's share of the mean difference."""
        return np.column_stack([
            by_unit(self.design, values * np.nan_to_num(differences[:, h.metric]))
            for h, values in zip(self.design.hypotheses, self._weights(differences), strict=True)
        ])  # fmt: skip

    def _weights(self, differences: Floats) -> list[Floats]:
        present = {m: ~np.isnan(differences[:, m]) for m in range(differences.shape[1])}
        return [weights(self.design, h.slice, present[h.metric]) for h in self.design.hypotheses]

    def block_differences(self) -> Floats:
        """Differences for the block test; identical requests differ by 0."""
        differences = self.ledger.differences()
        differences[self.design.identical] = 0.0
        return differences

    def test_harm(self) -> LookResult:
        """Spends this look's part of α on the block test."""
        self.result = self.test.look(self.sums(self.block_differences()), spent(self.design.alpha, self.share()))
        return self.result

    def certify(self) -> None:
        """Computes every bound and notes which margins hold now."""
        differences = self.ledger.cautious_differences()
        shares = self._weights(differences)
        sums = self.sums(differences)
        for k, h in enumerate(self.design.hypotheses):
            inside = self.design.inside(h.slice)
            if self.certified[k] or not shares[k].any():
                continue
            seen = float((~np.isnan(differences[inside, h.metric])).mean())
            if not self._shares[k] or seen > self._shares[k][-1] + 1e-9:
                self._shares[k] = (*self._shares[k], round(seen, 4))
            z = boundary(self._shares[k], BETA)
            self.bounds[k] = largest_drop(sums[:, k], by_unit(self.design, shares[k]), z)
            self.certified[k] = h.certifies and self.bounds[k] <= h.margin
