"""One word for each case."""

from __future__ import annotations

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Floats
from engine.gate.course import Course
from engine.gate.decision import Reading
from engine.gate.watch import CONFIRMED, PAIRS

ENOUGH = 3
"""Runs an arm from which on «every run of one arm lies above every run of the other» says something."""


def readings(course: Course) -> tuple[Reading, ...]:
    """By case: improved or regressed where fresh pairs confirm it (5 of 6, or 3 of 3 in the lock), or where at least
    three runs an arm are fully apart; flaky where anything else differed; missing without a usable
    pair; not run where it was not asked for."""
    design, ledger = course.design, course.ledger
    if not design.metrics:
        return tuple(Reading(None, "not_run", confirmed=False) for _ in design.ids)
    changes = ledger.differences()[:, 0]
    steady, seen = _steady(ledger.scores[:, :, :, 0]), ledger.seen
    result = []
    for i, change in enumerate(changes):
        if np.isnan(change):
            result.append(Reading(None, "missing" if seen[i] else "not_run", confirmed=False))
        elif i in course.smoked:
            result.append(Reading(float(change), "regressed", confirmed=True))
        elif i in ledger.fresh or not steady[i]:
            result.append(_reading(course, i, float(change)))
        else:
            result.append(Reading(float(change), "same", confirmed=False))
    return tuple(result)


def _steady(scores: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Cases whose runs, of both arms, all gave the same score."""
    low, high = np.nan_to_num(scores, nan=np.inf).min(axis=(0, 2)), np.nan_to_num(scores, nan=-np.inf).max(axis=(0, 2))
    return np.asarray(high <= low)


def _reading(course: Course, case: int, change: float) -> Reading:
    fresh = course.ledger.fresh.get(case, ([], []))
    first, second = ([float(run[0]) for run in fresh[arm] if not np.isnan(run[0])] for arm in (BASELINE, CANDIDATE))
    signs = np.sign([c - b for b, c in zip(first, second, strict=False)])
    for sign, word in ((1, "improved"), (-1, "regressed")):
        if len(signs) >= ENOUGH and (signs == sign).mean() >= CONFIRMED / PAIRS and change * sign > 0:
            return Reading(change, word, confirmed=True)  # type: ignore[arg-type]
    baseline, candidate = (
        _runs(course.ledger.scores[arm, case, :, 0], extra) for arm, extra in ((0, first), (1, second))
    )
    if min(len(baseline), len(candidate)) >= ENOUGH:
        if min(candidate) > max(baseline):
            return Reading(change, "improved", confirmed=False)
        if max(candidate) < min(baseline):
            return Reading(change, "regressed", confirmed=False)
    apart = len({*baseline, *candidate}) > 1
    return Reading(change, "flaky" if apart else "same", confirmed=False)


def _runs(scores: Floats, fresh: list[float]) -> list[float]:
    return [*scores[~np.isnan(scores)].tolist(), *fresh]
