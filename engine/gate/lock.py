"""The fresh lock: a signal from a test blocks only if the same cases, run again, still point the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Ints, Observations
from engine.gate.course import Course
from engine.gate.ledger import mean_over_runs
from engine.gate.signflip import single_p

CASES = 40
RUNS = 3
LEVEL = 0.10


def lock(course: Course) -> Generator[Batch, Observations, bool | None]:
    """Runs up to 40 random cases that differ, of the hypothesis that was rejected most clearly, 3 times in each arm.

    True where they fall again (fresh p ≤ 0.10); ``None`` where they would, had every missing cell gone against the
    candidate. It guards against a provider that drifted between a stored baseline and today, and against chance.
    """
    design, result = course.design, course.result
    assert result is not None  # the block test came first
    k = int(np.argmax(np.where(result.rejected, result.statistics, -np.inf)))
    hypothesis = design.hypotheses[k]
    moved = np.nan_to_num(course.ledger.differences()[:, hypothesis.metric])
    cases = _drawn(course, np.flatnonzero((moved != 0) & design.inside(hypothesis.slice) & ~design.identical))
    asked = course.ledger.fresh_batch({int(i): (RUNS, RUNS) for i in cases}, "lock")
    given = course.ledger.record_fresh(asked, (yield asked))
    metric = hypothesis.metric

    def p(missing_baseline: float, missing_candidate: float) -> float:
        values = np.zeros(len(design.unit_names))
        for case, runs in given.items():
            baseline = np.where(np.isnan(runs[BASELINE]), missing_baseline, runs[BASELINE])
            candidate = np.where(np.isnan(runs[CANDIDATE]), missing_candidate, runs[CANDIDATE])
            mean = mean_over_runs((candidate - baseline)[None])[0, metric]
            values[design.units[case]] += np.nan_to_num(mean)
        return single_p(values, design.unit_names, f"{design.seed} lock {course.look}", design.flips)

    if p(np.nan, np.nan) <= LEVEL:
        return True
    return None if p(1.0, 0.0) <= LEVEL else False


def _drawn(course: Course, cases: Ints) -> Ints:
    """Up to 40 of ``cases``, by hash."""
    design = course.design
    order = sorted(
        (int(i) for i in cases),
        key=lambda i: hashlib.sha256(f"{design.seed}\0lock {course.look}\0{design.ids[i]}".encode()).digest(),
    )
    return np.array(order[:CASES], dtype=np.int64)
