"""Classifies each case as improved, regressed, flaky and so on (``CaseOutcome``)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE
from engine.gate.decision import CaseResult
from engine.gate.design import Design
from engine.gate.estimates import Estimates
from engine.gate.ledger import Ledger
from engine.gate.watched_slices import CONFIRMED, PAIRS
from schemas.effects import CaseOutcome

ENOUGH = 3
"""Fewest runs per arm for which "every run of one arm scores above every run of the other" is evidence."""


def case_results(design: Design, ledger: Ledger, broken: Collection[int] = ()) -> tuple[CaseResult, ...]:
    """Returns the result of each case, with its change over all runs.

    - improved, regressed: fresh pairs confirm it (5 of 6, or 3 of 3 in confirmation), or all of at least three runs of
      one arm score above all runs of the other
    - flaky: scores differ in any other way
    - same: scores don't differ
    - missing: an arm was asked and gave no score
    - alone: there is no baseline
    - not run: no arm was asked

    ``broken`` holds cases whose break was confirmed together with others. Where such a case scores lower, it regressed.
    """
    if not design.metrics:
        return tuple(CaseResult(None, CaseOutcome.NOT_RUN, confirmed=False) for _ in design.ids)
    changes = Estimates(design, ledger).changes().tolist()
    return tuple(
        CaseResult(None, _without_change(design, ledger, case), confirmed=False)
        if np.isnan(change)
        else CaseResult(change, CaseOutcome.REGRESSED, confirmed=True)
        if case in broken and change < 0
        else _case_outcome(ledger, case, change)
        for case, change in enumerate(changes)
    )


def _without_change(design: Design, ledger: Ledger, case: int) -> CaseOutcome:
    if not ledger.asked[:, case].any():
        return CaseOutcome.NOT_RUN
    alone = not design.paired and not np.isnan(ledger.scores[CANDIDATE, case, :, 0]).all()
    return CaseOutcome.ALONE if alone else CaseOutcome.MISSING


def _case_outcome(ledger: Ledger, case: int, change: float) -> CaseResult:
    fresh = ledger.fresh.get(case, ([], []))
    first, second = ([float(run[0]) for run in fresh[arm] if not np.isnan(run[0])] for arm in (BASELINE, CANDIDATE))
    signs = np.sign([c - b for b, c in zip(first, second, strict=False)])
    # Fresh pairs first: they were not chosen by their own result, so they are unbiased.
    for sign, word in ((1, CaseOutcome.IMPROVED), (-1, CaseOutcome.REGRESSED)):
        # The overall change must point the same way, or the table would contradict its own figures.
        if len(signs) >= ENOUGH and (signs == sign).mean() >= CONFIRMED / PAIRS and change * sign > 0:
            return CaseResult(change, word, confirmed=True)
    baseline, candidate = (_runs(ledger, arm, case, extra) for arm, extra in ((BASELINE, first), (CANDIDATE, second)))
    if min(len(baseline), len(candidate)) >= ENOUGH:
        if min(candidate) > max(baseline):
            return CaseResult(change, CaseOutcome.IMPROVED, confirmed=False)
        if max(candidate) < min(baseline):
            return CaseResult(change, CaseOutcome.REGRESSED, confirmed=False)
    apart = len({*baseline, *candidate}) > 1
    return CaseResult(change, CaseOutcome.FLAKY if apart else CaseOutcome.NO_CHANGE, confirmed=False)


def _runs(ledger: Ledger, arm: int, case: int, fresh: list[float]) -> list[float]:
    scores = ledger.scores[arm, case, :, 0]
    return [*scores[~np.isnan(scores)].tolist(), *fresh]
