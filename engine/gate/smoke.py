"""Smoke: ten cases that have always passed. A candidate that fails half of them need not be measured further."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Observations
from engine.gate.course import Course

CASES = 10
BREAKS = 5
"""So many failures of the candidate are smoke …"""
TOLERATED = 1
"""… unless a fresh baseline fails more than so many."""
PASS = 0.5
"""A stable case scores 1; below this it fails."""


def smoke(course: Course) -> Generator[Batch, Observations, tuple[tuple[int, ...], bool]]:
    """Runs ten stable cases of the first look, each of another cluster; where the candidate fails at least 5, the
    baseline afresh.

    The cases that it fails if the fresh baseline fails at most one, else nothing; and whether it is smoke only if
    missing cells count against the candidate. Its candidate runs are planned ones and are used by the looks. By chance
    (5% flake): 1 in 10,000.
    """
    design = course.design
    if design.history is None or course.plain or not design.paired:
        return (), False
    stable = design.history.stable() & design.counted & ~design.identical
    cases = [int(i) for i in design.looks[0] if stable[i]]
    cases.sort(key=lambda i: hashlib.sha256(f"{design.seed}\0smoke\0{design.ids[i]}".encode()).digest())
    of_cluster: dict[int, int] = {}
    for i in cases:
        of_cluster.setdefault(int(design.units[i]), i)  # the others may be the same draw
    chosen = np.array(list(of_cluster.values())[:CASES], dtype=np.int64)
    if len(chosen) < CASES:
        return (), False
    both = course.ledger.first(chosen, "smoke")
    mine = both.arms == CANDIDATE
    asked = Batch(both.cases[mine], both.arms[mine], both.repetitions[mine], "smoke")
    course.ledger.record(asked, (yield asked))
    scores = course.ledger.scores[CANDIDATE, chosen, 0, 0]
    failed = scores < PASS
    if (failed | np.isnan(scores)).sum() < BREAKS:
        return (), False
    again = course.ledger.fresh_batch({int(i): (1, 0) for i in chosen}, "smoke")
    fresh = course.ledger.record_fresh(again, (yield again))
    baseline = np.array([fresh[int(i)][BASELINE][0, 0] for i in chosen])
    if failed.sum() >= BREAKS and (baseline >= PASS).sum() >= CASES - TOLERATED:
        return tuple(int(i) for i in chosen[failed]), False
    return (), bool((~(baseline < PASS)).sum() >= CASES - TOLERATED)
