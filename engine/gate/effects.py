"""Effects to show: the decision's bounds around the estimate from all runs."""

from __future__ import annotations

import math

import numpy as np

from engine.gate.bounds import cases_for, observed_variance, planning_sample
from engine.gate.cells import Bools, Floats
from engine.gate.estimates import Estimates
from engine.gate.state import ComparisonState
from engine.gate.weights import by_unit, weights
from schemas.effects import Effect, EffectResult
from schemas.gate_config import SlicePolicy
from schemas.verdicts import Interval


def effects(
    state: ComparisonState, broken: frozenset[str | None] = frozenset(), doubted: frozenset[str | None] = frozenset()
) -> tuple[Effect, ...]:
    """Returns one effect for each hypothesis of the design, in its order.

    ``broken`` holds must-pass and guarded slices that block. ``doubted`` holds slices judged by case that are open or
    need review.

    Scores, changes and counts come from all runs (``Estimates``). The low end of the interval is the approve bound: the
    largest drop that planned runs don't rule out. For a proven drop it leaves out the guard against hidden drops. The
    high end comes from the critical value of the block test and is below 0 if that test blocks.
    """
    design = state.design
    if not design.hypotheses:  # no metric gates
        return ()
    estimates = Estimates(design, state.observed)
    differences = state.ledger.cautious_differences()
    shares, sums = state.weights(differences), state.sums(differences)
    # The high end belongs to the block test, which uses all runs and no imputed cells.
    moved_sums = state.sums(state.ledger.differences())
    shown = []
    for k, h in enumerate(design.hypotheses):
        # Shown results follow the decision. A second rule here could contradict the verdict above it.
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
            result=EffectResult.WORSE if worse else EffectResult.TOO_FEW_CASES if unsure else EffectResult.NO_CHANGE,
            more_cases=_more_cases(state, k, sums[:, k], shares[k], design.inside(h.slice))
            if h.margin > 0 and h.certifies
            else None,
        )
        shown.append(estimates.shown(effect))
    return tuple(shown)


def planned_changes(state: ComparisonState) -> list[float | None]:
    """Returns, by hypothesis, the change that the decision uses.

    It is estimated from planned runs; every missing answer counts against the candidate.
    """
    differences = state.ledger.cautious_differences()
    shares, sums = state.weights(differences), state.sums(differences)
    return [float(sums[:, k].sum()) if share.any() else None for k, share in enumerate(shares)]


def scores_nothing(state: ComparisonState, arm: int) -> bool:
    """Returns whether an arm scores at most the margin overall: from there, no larger drop is possible."""
    design, ledger = state.design, state.ledger
    margin = next(h.margin for h in design.hypotheses if h.slice is None and h.metric == 0)
    asked = ~np.isnan(ledger.cautious_differences()[:, 0])
    level = ledger.levels(arm)[:, 0]
    share = weights(design, None, ~np.isnan(level) & asked)
    # Unchanged cases without stored answers may score anything, so nothing is claimed about the mean.
    unknown = np.isnan(level[design.counted & design.identical]).any()
    return not unknown and bool(share.any()) and float((share * np.nan_to_num(level)).sum()) <= margin


def _bounds(state: ComparisonState, k: int, sums: Floats, *, worse: bool) -> Interval:
    inside = state.design.inside(state.design.hypotheses[k].slice)
    if inside.any() and state.design.identical[inside].all():
        return Interval(low=0.0, high=0.0)
    bound = float(state.spread[k] if worse else state.bounds[k])
    high = None
    # Turns the critical value of the statistic back into a change of the score.
    if state.result is not None and math.isfinite(state.result.critical):
        high = float(sums.sum()) + state.result.critical * math.sqrt(float((sums**2).sum()))
        # Only a block may claim that the score fell for certain.
        high = high if state.blocking[k] else max(high, 0.0)
    return Interval(low=None if math.isnan(bound) else -bound, high=high)


def _more_cases(state: ComparisonState, k: int, sums: Floats, share: Floats, inside: Bools) -> int | None:
    """Returns how many more clusters would certify the margin, if they vary as the seen ones do.

    ``None`` if the run ended before all cases were seen.
    """
    design = state.design
    if math.isnan(state.bounds[k]) or not (state.ledger.seen | design.identical)[inside].all():
        return None
    h = design.hypotheses[k]
    sizes = np.unique(design.units[inside], return_counts=True)[1].tolist()
    # A handful of equal cases would suggest a variance of 0 and promise too much.
    variance = max(observed_variance(sums, by_unit(design, share)), planning_sample(sizes)[1])
    return max(cases_for(h.margin, variance) - len(sizes), 1)
