"""Combines the verdicts on single prompts into the verdict on the pull request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from schemas.verdicts import VerdictStatus

SEVERITY = tuple(VerdictStatus)
"""Worst first."""
DECIDED = (VerdictStatus.BLOCKED, VerdictStatus.ERROR)
"""Verdicts that open questions can't change."""


def combine(statuses: Iterable[VerdictStatus]) -> VerdictStatus:
    """Returns the worst of several verdicts, or ``not_applicable`` without any."""
    return min(statuses, key=SEVERITY.index, default=VerdictStatus.NOT_APPLICABLE)


def passes(status: VerdictStatus, inconclusive: Literal["pass", "block"]) -> bool:
    """Returns whether the required check passes.

    An inconclusive verdict passes unless the policy says ``block``. ``needs_review`` never passes.
    """
    if status is VerdictStatus.INCONCLUSIVE:
        return inconclusive == "pass"
    return status in (VerdictStatus.APPROVED, VerdictStatus.NOT_APPLICABLE)
