"""The smoke test: if a candidate breaks 8 of the first 20 cases, no more cases are run."""

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
"""Fewest broken cases. None may be better."""
REPEATS = 0.75
"""Share of the broken cases that must break again in a fresh pair."""
HALF = 0.5
"""A case counts as broken here if it loses more than this part of the scale."""


def smoke(state: ComparisonState) -> Generator[Batch, Observations, tuple[tuple[int, ...], bool]]:
    """Runs 20 cases of the first look, each of another cluster. If at least 8 break, re-runs these once.

    Returns the broken cases if they break again, else none; and whether they would break if missing cells counted
    against the candidate. The first runs are planned ones, and the looks use them too. If nothing changed, the test
    fires in fewer than 1 of 100,000 pull requests, whatever the cases' pass rates, and even with 14% churn.
    """
    design = state.design
    # A fixed plan runs everything by definition, and without a baseline nothing can break.
    if state.plain or not design.paired:
        return (), False
    chosen = _chosen(design)
    # With fewer cases than the thresholds were computed for, the error rate would be another.
    if len(chosen) < CASES:
        return (), False
    asked = state.ledger.first(chosen, "smoke")
    state.ledger.record(asked, (yield asked))
    known, feared = (d[chosen, design.case_metric] for d in (state.ledger.differences(), state.ledger.imputed()))
    if not _breaks(feared):
        return (), False
    suspects = chosen[feared < -HALF]
    again = state.ledger.fresh_batch({int(i): (1, 1) for i in suspects}, "smoke")
    fresh = state.ledger.record_fresh(again, (yield again))
    metric = design.case_metric
    falls = {i: (fresh[i][CANDIDATE][0, metric] - fresh[i][BASELINE][0, metric]) for i in suspects.tolist()}
    # A provider outage can fail eight cases once. It rarely fails the same ones again.
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
    # One case that got better is enough to doubt that the candidate is simply broken.
    return bool((known < -HALF).sum() >= BREAKS and not (known >= CASE_MARGIN).any())
