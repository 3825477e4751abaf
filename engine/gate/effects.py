"""The effects that are shown: the decision's own bounds around the estimate from all runs."""

from __future__ import annotations

import math

import numpy as np

from engine.gate.bounds import cases_for, observed_variance, planning_sample
from engine.gate.cells import BASELINE, CANDIDATE, Bools, Floats
from engine.gate.estimates import Estimates
from engine.gate.state import ComparisonState
from engine.gate.weights import by_unit, weights
from schemas.effects import Effect, EffectReading
from schemas.gate_config import SlicePolicy
from schemas.verdicts import Interval


def effects(
    state: ComparisonState, broken: frozenset[str | None] = frozenset(), doubted: frozenset[str | None] = frozenset()
) -> tuple[Effect, ...]:
    """Returns one for each hypothesis of the design, in its order. ``broken``: must-pass and guarded slices that
    block; ``doubted``: slices judged by case that are still open or that a person should look at.

    Scores, changes and counts are those of all runs (``Estimates``). The interval's low end is the approve bound, the
    largest drop that planned runs don't rule out (without what guards against a hidden drop where the drop is certain
    anyway); its high end comes from the block test's critical value and lies below 0 where that test blocks.
    """
    design = state.design
    if not design.hypotheses:  # nothing gates, so there is nothing to compare
        return ()
    estimates = Estimates(design, state.observed)
    differences = state.ledger.cautious_differences()
    shares, sums = state.weights(differences), state.sums(differences)
    moved_sums = state.sums(state.ledger.differences())
    shown = []
    for k, h in enumerate(design.hypotheses):
        worse = bool(state.blocking[k]) or (h.slice in broken and h.metric == 0)
        unsure = h.slice in doubted or math.isnan(state.bounds[k])
        effect = Effect(
            slice=h.slice,
            metric=design.metrics[h.metric].name,
            cases=h.cases,
            baseline=None,
            candidate=None,
            change=None,
            interval=_bounds(state, k, moved_sums[:, k], worse=worse),
            margin=h.margin if h.policy is SlicePolicy.AVERAGE else None,
            margin_written=h.written,
            policy=h.policy,
            reading=EffectReading.WORSE if worse else EffectReading.CANT_TELL if unsure else EffectReading.SAME,
            more_cases=_more_cases(state, k, sums[:, k], shares[k], design.inside(h.slice))
            if h.margin > 0 and h.certifies
            else None,
        )
        shown.append(estimates.shown(effect))
    return tuple(shown)


def planned_changes(state: ComparisonState) -> list[float | None]:
    """By hypothesis: the change that the decision goes by, estimated from planned runs, every missing answer counted
    against the candidate."""
    differences = state.ledger.cautious_differences()
    shares, sums = state.weights(differences), state.sums(differences)
    return [float(sums[:, k].sum()) if share.any() else None for k, share in enumerate(shares)]


def can_not_fall(state: ComparisonState) -> bool:
    """Returns whether both arms score so little overall in planned runs that a drop above the margin is impossible."""
    design, ledger = state.design, state.ledger
    margin = next(h.margin for h in design.hypotheses if h.slice is None and h.metric == 0)
    asked = ~np.isnan(ledger.cautious_differences()[:, 0])
    for arm in (BASELINE, CANDIDATE):
        level = ledger.levels(arm)[:, 0]
        share = weights(design, None, ~np.isnan(level) & asked)
        unknown = np.isnan(level[design.counted & design.identical]).any()
        if unknown or not share.any() or float((share * np.nan_to_num(level)).sum()) > margin:
            return False
    return True


def _bounds(state: ComparisonState, k: int, sums: Floats, *, worse: bool) -> Interval:
    inside = state.design.inside(state.design.hypotheses[k].slice)
    if inside.any() and state.design.identical[inside].all():
        return Interval(low=0.0, high=0.0)
    bound = float(state.spread[k] if worse else state.bounds[k])
    high = None
    if state.result is not None and math.isfinite(state.result.critical):
        high = float(sums.sum()) + state.result.critical * math.sqrt(float((sums**2).sum()))
        high = high if state.blocking[k] else max(high, 0.0)
    return Interval(low=None if math.isnan(bound) else -bound, high=high)


def _more_cases(state: ComparisonState, k: int, sums: Floats, share: Floats, inside: Bools) -> int | None:
    """Returns how many more cases (clusters) would certify the margin, if they vary as those that were seen; ``None``
    where the run ended before all of them were."""
    design = state.design
    if math.isnan(state.bounds[k]) or not (state.ledger.seen | design.identical)[inside].all():
        return None
    h = design.hypotheses[k]
    sizes = np.unique(design.units[inside], return_counts=True)[1].tolist()
    variance = max(observed_variance(sums, by_unit(design, share)), planning_sample(sizes)[1])
    return max(cases_for(h.margin, variance) - len(sizes), 1)
