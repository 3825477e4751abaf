"""Protected cases: a confirmed failure of one blocks by itself."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.gate.bounds import CASE_MARGIN
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Floats, Observations
from engine.gate.course import Course

FAILURES = 4
PASSES = 10
TODAY = 4
"""Baseline runs of today, whatever is on record: a provider that drifted must not look like a candidate that fails."""


def protected(course: Course) -> Generator[Batch, Observations, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Runs the protected cases that look worse: the candidate 4 times, the baseline up to 10 runs on record.

    Broken are those where every fresh run of the candidate stays below every run of the baseline, by 10 points on
    average: for pass and fail, 4 failures in a row against 10 of 10 passes. If nothing changed, that happens in 1 of
    C(14, 4) = 1,001 cases. Returned: the broken ones, and those that would be had every missing cell gone against the
    candidate.
    """
    design, ledger = course.design, course.ledger
    falls = np.nan_to_num(ledger.imputed()[:, 0]) <= -CASE_MARGIN
    suspects = [int(i) for i in np.flatnonzero(design.protected & falls & ~design.identical)]
    if not suspects:
        return (), ()
    wanted = {i: (max(TODAY, PASSES - _on_record(course, i)), FAILURES) for i in suspects}
    asked = ledger.fresh_batch(wanted, "protected")
    given = ledger.record_fresh(asked, (yield asked))
    broken, possible = [], []
    for i in suspects:
        baseline, candidate = given[i][BASELINE][:, 0], given[i][CANDIDATE][:, 0]
        record = _lowest(course, i)
        if _fails(record, baseline, candidate):
            broken.append(i)
        elif _fails(record, np.nan_to_num(baseline, nan=1.0), np.nan_to_num(candidate, nan=0.0)):
            possible.append(i)
    return tuple(broken), tuple(possible)


def _on_record(course: Course, case: int) -> int:
    history = course.design.history
    stored = int(history.runs[case]) if history is not None else 0
    return stored + int((~np.isnan(course.ledger.scores[BASELINE, case, :, 0])).sum())


def _lowest(course: Course, case: int) -> float:
    """The baseline's lowest score on record; 1 without a record."""
    history = course.design.history
    stored = float(history.lowest[case]) if history is not None and history.runs[case] else 1.0
    return float(np.fmin(stored, np.nan_to_num(course.ledger.scores[BASELINE, case, :, 0], nan=1.0).min(initial=1.0)))


def _fails(record: float, baseline: Floats, candidate: Floats) -> bool:
    if np.isnan(baseline).any() or np.isnan(candidate).any():
        return False
    separated = candidate.max() < min(record, float(baseline.min()))
    return bool(separated and baseline.mean() - candidate.mean() >= CASE_MARGIN)
