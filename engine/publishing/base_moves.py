"""Finds the verdicts that a move of their base branch affects. Pure."""

from __future__ import annotations

from schemas.detection import Detection
from schemas.verdicts import ReasonCode

ELSEWHERE = (ReasonCode.NOTHING_CHANGED, ReasonCode.WORKFLOW_CHANGED)
"""Reasons that affect no verdict on another pull request. How a workflow calls the gate doesn't matter to the bot."""


def concerned_lineages(moved: Detection) -> frozenset[str] | None:
    """Returns the names of the lineages that a move of the base changes. ``None``: it may affect any pull request.

    ``moved`` is the detection between two tips of the base branch, with the newer one as the head. A changed
    configuration may affect any pull request: a new lineage may gate its files.
    """
    if moved.policy or any(reason.code not in ELSEWHERE for reason in moved.reasons):
        return None
    return frozenset(change.name for change in moved.lineages)
