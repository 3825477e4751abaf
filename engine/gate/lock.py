"""The fresh lock: a signal from a test blocks only if the same cases, run again, still point the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Floats, Ints, Observations
from engine.gate.course import Course
from engine.gate.signflip import single_p

CASES = 40
RUNS = 3
LEVEL = 0.10
AGAIN = 0.05
"""After a lock that didn't hold: several tries at 10% would let a drifted provider through."""


def lock(course: Course) -> Generator[Batch, Observations, bool | None]:
    """Runs up to 40 random cases that differ, of the hypothesis that was rejected most clearly, 3 times in each arm.

    True where they fall again (fresh p ≤ 0.10); ``None`` where they would, had every missing cell gone against the
    candidate. It guards against a provider that drifted between a stored baseline and today, and against chance. What
    an earlier lock of this comparison saw counts too, and a second signal needs p ≤ 0.05: it does not get a second roll
    of the dice.
    """
    design, ledger, result = course.design, course.ledger, course.result
    assert result is not None  # the block test came first
    h = design.hypotheses[int(np.argmax(np.where(result.rejected, result.statistics, -np.inf)))]
    inside = design.inside(h.slice) & ~design.identical
    level = AGAIN if course.locked else LEVEL
    moved = np.nan_to_num(ledger.differences()[:, h.metric]) != 0
    cases = _drawn(course, np.flatnonzero(moved & inside))
    asked = ledger.fresh_batch({int(i): (RUNS, RUNS) for i in cases}, "lock")
    given = ledger.record_fresh(asked, (yield asked))
    for case, (baseline, candidate) in given.items():
        before = course.locked.get(case)
        rows = np.stack([baseline, candidate])
        course.locked[case] = rows if before is None else np.concatenate([before, rows], axis=1)

    def p(missing: tuple[float, float]) -> float:
        falls = np.zeros(len(design.unit_names))
        for case, runs in course.locked.items():
            if inside[case]:
                falls[design.units[case]] += _difference(runs[:, :, h.metric], missing)
        return single_p(falls, design.unit_names, f"{design.seed} lock", design.flips)

    if p((np.nan, np.nan)) <= level:
        return True
    return None if p((1.0, 0.0)) <= level else False


def _difference(runs: Floats, missing: tuple[float, float]) -> float:
    """Mean candidate − baseline over the pairs of ``[arms, runs]``; 0 without any. ``missing``: what stands for NaN."""
    baseline, candidate = (np.where(np.isnan(runs[arm]), missing[arm], runs[arm]) for arm in (BASELINE, CANDIDATE))
    pairs = (candidate - baseline)[~np.isnan(candidate - baseline)]
    return float(pairs.mean()) if len(pairs) else 0.0


def _drawn(course: Course, cases: Ints) -> Ints:
    """Up to 40 of ``cases``, by hash; those that no lock has run yet come first."""
    design = course.design
    order = sorted(
        cases.tolist(),
        key=lambda i: (i in course.locked, hashlib.sha256(f"{design.seed}\0lock\0{design.ids[i]}".encode()).digest()),
    )
    return np.array(order[:CASES], dtype=np.int64)
