"""From the decisions on lineages to the verdict on the pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from schemas.verdicts import VerdictStatus

SEVERITY = tuple(VerdictStatus)
"""Worst first."""
DECIDED = (VerdictStatus.BLOCKED, VerdictStatus.ERROR)
"""Nothing that is still open matters beside these."""


def combine(statuses: Iterable[VerdictStatus]) -> VerdictStatus:
    """Returns the worst of several verdicts; ``not_applicable`` when there is none."""
    return min(statuses, key=SEVERITY.index, default=VerdictStatus.NOT_APPLICABLE)


def passes(status: VerdictStatus, inconclusive: Literal["pass", "block"]) -> bool:
    """Returns whether the required check passes. Underpowered does unless the policy says ``block``; ``needs_review``
    never."""
    if status is VerdictStatus.UNDERPOWERED:
        return inconclusive == "pass"
    return status in (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE)
