"""The numbers that are shown, made of the decision's own bounds."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from engine.gate.bounds import cases_for, observed_variance
from engine.gate.cells import BASELINE, CANDIDATE, Floats
from engine.gate.course import Course
from engine.gate.design import Design
from engine.gate.weights import by_unit, weights
from schemas.scorecard import Effect, Interval

EffectReading = Literal["better", "worse", "same", "cant_tell", "no_data"]


def effects(course: Course) -> tuple[Effect, ...]:
    """One for each hypothesis of the design, in its order.

    The change is estimated from planned runs only. The interval's low end is the approve bound (the largest drop that
    is not ruled out), its high end comes from the block test's critical value: it lies below 0 exactly where that test
    rejects.
    """
    design = course.design
    cautious = course.ledger.cautious_differences()
    known = course.ledger.cautious_differences()
    block = course.block_differences()
    sums = course.sums(block)
    levels = [course.ledger.levels(arm) for arm in (BASELINE, CANDIDATE)]
    shown = []
    for k, h in enumerate(design.hypotheses):
        inside = design.inside(h.slice)
        present = ~np.isnan(block[:, h.metric]) & inside
        share = weights(design, h.slice, ~np.isnan(known[:, h.metric]))
        name = design.metrics[h.metric].name
        if not share.any():
            shown.append(
                Effect(
                    slice=h.slice,
                    metric=name,
                    cases=h.cases,
                    margin=h.margin,
                    margin_written=h.written,
                    policy=h.policy,
                    baseline=None,
                    candidate=None,
                    change=None,
                    interval=None,
                    reading="no_data",
                )
            )
            continue
        change = float((share * np.nan_to_num(cautious[:, h.metric])).sum())
        rejected = course.result is not None and bool(course.result.rejected[k])
        bounds = _interval(course, k, change, sums[:, k], rejected)
        means = [_level(design, h.slice, level[:, h.metric]) for level in levels]
        variance = observed_variance(course.sums(cautious)[:, k], by_unit(design, share))
        needed = cases_for(h.margin, variance) - len(np.unique(design.units[inside])) if h.margin > 0 else 0
        certified = bool(course.certified[k])
        reading = _reading(bounds, h.margin, rejected)
        shown.append(
            Effect(
                slice=h.slice,
                metric=name,
                cases=h.cases,
                margin=h.margin,
                margin_written=h.written,
                baseline=means[0],
                candidate=means[1],
                change=change,
                interval=bounds,
                policy=h.policy,
                reading=reading,
                more_cases=max(needed, 1) if not certified and reading == "cant_tell" else None,
                better=int((block[present, h.metric] > 0).sum()),
                worse=int((block[present, h.metric] < 0).sum()),
            )
        )
    return tuple(shown)


def _interval(course: Course, k: int, change: float, sums: Floats, rejected: bool) -> Interval:
    low = -float(course.bounds[k]) if not math.isnan(course.bounds[k]) else None
    high = None
    if course.result is not None and math.isfinite(course.result.critical):
        high = float(sums.sum()) + course.result.critical * math.sqrt(float((sums**2).sum()))
        high = high if rejected else max(high, change, 0.0)
    if low is not None:
        low = max(min(low, change, high if high is not None else change), -1.0)
    return Interval(low=low, high=min(high, 1.0) if high is not None else None)


def _reading(bounds: Interval, margin: float, rejected: bool) -> EffectReading:
    if rejected:
        return "worse"
    if bounds.low is None:
        return "cant_tell"
    if bounds.low > 0:
        return "better"
    return "same" if -bounds.low <= margin else "cant_tell"


def _level(design: Design, name: str | None, level: Floats) -> float | None:
    share = weights(design, name, ~np.isnan(level))
    return float((share * np.nan_to_num(level)).sum()) if share.any() else None
