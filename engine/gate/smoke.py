"""Smoke: twenty cases of the first look. A candidate that breaks eight of them need not be measured further."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from engine.gate.bounds import CASE_MARGIN
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Floats, Observations
from engine.gate.design import Design
from engine.gate.state import ComparisonState

CASES = 20
BREAKS = 8
"""So many cases break, and none gets better …"""
REPEATS = 0.75
"""… and of those that broke so many break again in a fresh pair."""
HALF = 0.5
"""A case breaks here when it loses more than half of the scale."""


def smoke(state: ComparisonState) -> Generator[Batch, Observations, tuple[tuple[int, ...], bool]]:
    """Runs twenty cases of the first look, each of another cluster; where at least 8 break, these once more.

    The broken cases if they break again, else nothing; and whether it is smoke only if missing cells count against the
    candidate. The first runs are planned ones and are used by the looks. If nothing changed this happens in fewer than
    1 of 100,000 pull requests, whatever the cases' chances to pass are; under 14% of churn too.
    """
    design = state.design
    if state.plain or not design.paired:
        return (), False
    chosen = _chosen(design)
    if len(chosen) < CASES:
        return (), False
    asked = state.ledger.first(chosen, "smoke")
    state.ledger.record(asked, (yield asked))
    known, feared = (d[chosen, 0] for d in (state.ledger.differences(), state.ledger.imputed()))
    if not _breaks(feared):
        return (), False
    suspects = chosen[feared < -HALF]
    again = state.ledger.fresh_batch({int(i): (1, 1) for i in suspects}, "smoke")
    fresh = state.ledger.record_fresh(again, (yield again))
    falls = {i: (fresh[i][CANDIDATE][0, 0] - fresh[i][BASELINE][0, 0]) for i in suspects.tolist()}
    needed = REPEATS * len(suspects)
    repeated = sum(fall < -HALF for fall in falls.values())
    if _breaks(known) and repeated >= needed:
        return tuple(sorted(i for i, fall in falls.items() if fall < -HALF)), False
    return (), sum(np.isnan(fall) or fall < -HALF for fall in falls.values()) >= needed


def _chosen(design: Design) -> npt.NDArray[np.int64]:
    """Returns the cases by a draw of the design's seed, at most one of each cluster."""
    called = design.counted & ~design.identical
    cases = [int(i) for i in design.looks[0] if called[i]]
    cases.sort(key=lambda i: hashlib.sha256(f"{design.seed}\0smoke\0{design.ids[i]}".encode()).digest())
    of_cluster: dict[int, int] = {}
    for i in cases:
        of_cluster.setdefault(int(design.units[i]), i)  # the others may be the same draw
    return np.array(list(of_cluster.values())[:CASES], dtype=np.int64)


def _breaks(differences: Floats) -> bool:
    known = np.nan_to_num(differences)
    return bool((known < -HALF).sum() >= BREAKS and not (known >= CASE_MARGIN).any())
