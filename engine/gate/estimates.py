"""Estimates of each arm and slice from all runs. Everything shown uses them; no test does."""

from __future__ import annotations

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Bools, Floats
from engine.gate.design import Design
from engine.gate.ledger import Ledger
from engine.gate.weights import weights
from schemas.effects import Effect, EffectResult
from schemas.verdicts import Interval

SAME = 1e-9
"""Means that differ by less than this are equal: only the order of summation differs."""


class Estimates:
    """Mean scores over all runs: planned, replicated and fresh ones.

    Each case counts once, however often it ran. A slice's score is the weighted mean over cases with a score in both
    arms, so the change is candidate − baseline. Missing answers are left out.
    """

    def __init__(self, design: Design, ledger: Ledger) -> None:
        self._design = design
        self._levels = ledger.averages()
        changes = self._levels[CANDIDATE] - self._levels[BASELINE]
        # Stored runs of the same request may differ by chance. Both arms share them, so the change is exactly 0.
        changes[design.identical] = 0.0
        self._changes: Floats = np.where(np.abs(changes) < SAME, 0.0, changes)
        self._columns = {metric.name: column for column, metric in enumerate(design.metrics)}

    def changes(self) -> Floats:
        """Returns ``[cases]``: candidate − baseline on the first metric. NaN if an arm has no score."""
        return self._changes[:, 0]

    def shown(self, effect: Effect) -> Effect:
        """Returns ``effect``, which holds the decision's bounds, with the estimate of its slice and metric.

        An estimate outside the bounds widens them, because the bounds come from planned runs only. If no case has a
        score in both arms, the change and the interval are ``None``.
        """
        design, column = self._design, self._columns[effect.metric]
        changes = self._changes[:, column]
        share = weights(design, effect.slice, ~np.isnan(changes))
        levels = [self._level(effect.slice, share, arm, column) for arm in (BASELINE, CANDIDATE)]
        known = {"baseline": levels[BASELINE], "candidate": levels[CANDIDATE]}
        if not share.any():
            nothing = {
                "change": None,
                "interval": None,
                "result": EffectResult.NO_DATA,
                "more_cases": None,
                "compared": 0,
            }
            # One arm's score alone is shown, but no change is claimed.
            return effect.model_copy(update=known | nothing)
        change = float((share * np.nan_to_num(changes)).sum())
        inside = design.inside(effect.slice)
        # A preference is one half in the baseline, so it can't move by more.
        limit = 0.5 if design.metrics[column].kind == "preference" else 1.0
        interval = _around(change, effect.interval, limit)
        # A block is never shown as anything else, even if runs outside the decision moved the estimate.
        result = effect.result if effect.result is EffectResult.WORSE else _result_of(interval, effect)
        return effect.model_copy(
            update=known
            | {
                "change": change,
                "interval": interval,
                "result": result,
                # A number of missing cases beside a decided result would read as a request for more.
                "more_cases": effect.more_cases if result == EffectResult.TOO_FEW_CASES else None,
                "compared": int((~np.isnan(changes[inside])).sum()),
                "better": int((changes[inside] > 0).sum()),
                "worse": int((changes[inside] < 0).sum()),
            }
        )

    def _level(self, name: str | None, share: Floats, arm: int, column: int) -> float | None:
        """Returns the mean of an arm over the compared cases, or over its own if none is compared.

        ``None`` if there are no scores, or if a compared case has no score because both arms send the same request and
        nothing was called.
        """
        level = self._levels[arm][:, column]
        if not share.any():
            share = weights(self._design, name, ~np.isnan(level))
        counts: Bools = share > 0
        if not counts.any() or np.isnan(level[counts]).any():
            return None
        return float((share * np.nan_to_num(level)).sum())


def _around(change: float, bounds: Interval | None, limit: float) -> Interval:
    """Returns the bounds, widened to hold the change. No change is outside ±``limit``."""
    low, high = (None, None) if bounds is None else (bounds.low, bounds.high)
    return Interval(
        low=None if low is None else max(min(low, change), -limit),
        high=None if high is None else min(max(high, change), limit),
    )


def _result_of(bounds: Interval, effect: Effect) -> str:
    """Returns the result that the bounds give. A slice that is judged by its cases keeps the decision's result."""
    if bounds.low is not None and bounds.low > 0:
        return EffectResult.BETTER
    if effect.margin is None:
        return effect.result
    return EffectResult.TOO_FEW_CASES if bounds.low is None or -bounds.low > effect.margin else EffectResult.NO_CHANGE
