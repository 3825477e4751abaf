"""The order of cases in reports: those that need a look first."""

from __future__ import annotations

from schemas.effects import CaseEffect, CaseOutcome

CASE_ORDER = (
    CaseOutcome.REGRESSED,
    CaseOutcome.MISSING,
    CaseOutcome.FLAKY,
    CaseOutcome.IMPROVED,
    CaseOutcome.NO_CHANGE,
    CaseOutcome.ALONE,
    CaseOutcome.NOT_RUN,
)


def needs_look_first(case: CaseEffect) -> tuple[int, bool]:
    """Returns the sort key of a case. Protected cases come before others with the same result."""
    return CASE_ORDER.index(case.result), not case.protected
