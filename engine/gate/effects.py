"""The numbers that are shown, made of the decision's own bounds."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from engine.gate.bounds import PLANNING_VARIANCE, cases_for, observed_variance
from engine.gate.cells import BASELINE, CANDIDATE, Bools, Floats
from engine.gate.course import Course
from engine.gate.design import Design
from engine.gate.weights import by_unit, weights
from schemas.config import SlicePolicy
from schemas.scorecard import Effect, Interval

EffectReading = Literal["better", "worse", "same", "cant_tell", "no_data"]


def effects(
    course: Course, broken: frozenset[str | None] = frozenset(), doubted: frozenset[str | None] = frozenset()
) -> tuple[Effect, ...]:
    """One for each hypothesis of the design, in its order. ``broken``: must-pass and guarded
    slices that block; ``doubted``: slices judged by case that are still open or that a person should look at.

    The change is estimated from planned runs only. The interval's low end is the approve bound, the largest drop that
    is not ruled out (without what guards against a hidden drop where the drop is certain anyway); its high end comes
    from the block test's critical value: it lies below 0 exactly where that test blocks, and at most at 0 where such
    a slice does.
    """
    design = course.design
    if not design.hypotheses:  # nothing gates, so there is nothing to compare
        return ()
    differences = course.ledger.cautious_differences()
    moved = course.ledger.differences()
    shares, sums, moved_sums = course.weights(differences), course.sums(differences), course.sums(moved)
    levels = [course.ledger.levels(arm) for arm in (BASELINE, CANDIDATE)]
    shown = []
    for k, h in enumerate(design.hypotheses):
        inside = design.inside(h.slice)
        common = Effect(
            slice=h.slice,
            metric=design.metrics[h.metric].name,
            cases=h.cases,
            baseline=None,
            candidate=None,
            change=None,
            interval=None,
            margin=h.margin if h.policy is SlicePolicy.AVERAGE else None,
            margin_written=h.written,
            policy=h.policy,
            reading="no_data",
        )
        if not shares[k].any():
            alone = levels[CANDIDATE][:, h.metric]
            shown.append(common.model_copy(update={"candidate": _level(design, h.slice, alone, alone)}))
            continue
        change = float(sums[:, k].sum())
        worse = bool(course.blocking[k]) or (h.slice in broken and h.metric == 0)
        bounds = _interval(course, k, change, moved_sums[:, k], worse=worse)
        reading = _reading(bounds, h.margin, worse=worse)
        if h.policy is not SlicePolicy.AVERAGE and reading in ("same", "cant_tell"):
            reading = "cant_tell" if h.slice in doubted or math.isnan(course.bounds[k]) else "same"
        unsure = reading == "cant_tell" and h.margin > 0 and h.certifies
        shown.append(
            common.model_copy(
                update={
                    "baseline": _level(design, h.slice, levels[BASELINE][:, h.metric], differences[:, h.metric]),
                    "candidate": _level(design, h.slice, levels[CANDIDATE][:, h.metric], differences[:, h.metric]),
                    "change": change,
                    "interval": bounds,
                    "reading": reading,
                    "more_cases": _more_cases(course, k, sums[:, k], shares[k], inside) if unsure else None,
                    "better": int((moved[inside, h.metric] > 0).sum()),
                    "worse": int((moved[inside, h.metric] < 0).sum()),
                }
            )
        )
    return tuple(shown)


def _interval(course: Course, k: int, change: float, sums: Floats, *, worse: bool) -> Interval:
    if course.design.identical[course.design.inside(course.design.hypotheses[k].slice)].all():
        return Interval(low=0.0, high=0.0)
    bound = float(course.spread[k] if worse else course.bounds[k])
    low = None if math.isnan(bound) else -bound
    high = None
    if course.result is not None and math.isfinite(course.result.critical):
        high = float(sums.sum()) + course.result.critical * math.sqrt(float((sums**2).sum()))
        high = high if course.blocking[k] else max(high, change, 0.0)
        high = min(high, 1.0)
    if worse and not course.blocking[k]:
        high = 0.0
    if low is not None:
        low = max(min(low, change, math.inf if high is None else high), -1.0)
    return Interval(low=low, high=high)


def _reading(bounds: Interval, margin: float, *, worse: bool) -> EffectReading:
    if worse:
        return "worse"
    if bounds.low is None:
        return "cant_tell"
    if bounds.low > 0:
        return "better"
    return "same" if -bounds.low <= margin else "cant_tell"


def _more_cases(course: Course, k: int, sums: Floats, share: Floats, inside: Bools) -> int | None:
    """How many more cases (clusters) would certify the margin, if they vary as those that were seen; ``None`` where the
    run ended before all of them were."""
    design = course.design
    if math.isnan(course.bounds[k]) or not (course.ledger.seen | design.identical)[inside].all():
        return None
    h = design.hypotheses[k]
    have = len(np.unique(design.units[inside]))
    variance = max(observed_variance(sums, by_unit(design, share)), PLANNING_VARIANCE)
    return max(cases_for(h.margin, variance) - have, 1)


def _level(design: Design, name: str | None, level: Floats, differences: Floats) -> float | None:
    """Mean of an arm, or ``None`` where some of the compared cases have no level of their own (nothing was called)."""
    if np.isnan(level[design.inside(name) & design.identical]).any():
        return None
    known = ~np.isnan(level) & ~np.isnan(differences)
    share = weights(design, name, known)
    return float((share * np.nan_to_num(level)).sum()) if share.any() else None
