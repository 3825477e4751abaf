"""Protected cases: a confirmed failure of one blocks by itself."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from engine.gate.bounds import CASE_MARGIN
from engine.gate.cells import BASELINE, CANDIDATE, Batch, Floats, Observations
from engine.gate.state import ComparisonState

FAILURES = 4
PASSES = 10
TODAY = 4
"""Fewest fresh baseline runs. Without them, a drifted provider would look like a failing candidate."""


def protected(state: ComparisonState) -> Generator[Batch, Observations, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Re-runs the protected cases that look worse.

    The candidate runs 4 times, and the baseline until it has up to 10 runs in this comparison. A case is broken if
    every fresh run of the candidate scores below every run of the baseline, by 10 points on average. For pass and fail,
    that is 4 failures in a row against 10 of 10 passes. If nothing changed, it happens in 1 of C(14, 4) = 1,001 cases.

    Returns the broken cases, and those that are broken only if missing cells count against the candidate.
    """
    design, ledger = state.design, state.ledger
    # A missing answer counts as a fall here: it only decides which cases are run again.
    falls = np.nan_to_num(ledger.imputed()[:, design.case_metric]) <= -CASE_MARGIN
    suspects = [int(i) for i in np.flatnonzero(design.protected & falls & ~design.identical)]
    if not suspects:
        return (), ()
    # The baseline gets more runs than the candidate: its pass rate decides whether four failures mean anything.
    wanted = {i: (max(TODAY, PASSES - _runs(state, i)), FAILURES) for i in suspects}
    asked = ledger.fresh_batch(wanted, "protected")
    given = ledger.record_fresh(asked, (yield asked))
    broken, possible = [], []
    for i in suspects:
        baseline, candidate = (given[i][arm][:, design.case_metric] for arm in (BASELINE, CANDIDATE))
        planned = ledger.scores[BASELINE, i, :, design.case_metric]
        # A missing planned run counts as passed, so it can't hide that the baseline fails too.
        record = float(np.nan_to_num(planned, nan=1.0).min(initial=1.0))
        if _fails(record, baseline, candidate):
            broken.append(i)
        elif _fails(record, np.nan_to_num(baseline, nan=1.0), np.nan_to_num(candidate, nan=0.0)):
            possible.append(i)
    return tuple(broken), tuple(possible)


def _runs(state: ComparisonState, case: int) -> int:
    return int((~np.isnan(state.ledger.scores[BASELINE, case, :, state.design.case_metric])).sum())


def _fails(record: float, baseline: Floats, candidate: Floats) -> bool:
    # An incomplete record can't show "every run", so it never blocks.
    if np.isnan(baseline).any() or np.isnan(candidate).any():
        return False
    separated = candidate.max() < min(record, float(baseline.min()))
    return bool(separated and baseline.mean() - candidate.mean() >= CASE_MARGIN)
