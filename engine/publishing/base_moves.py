"""Which verdicts a move of their base branch concerns. Pure."""

from __future__ import annotations

from schemas.detection import Detection
from schemas.verdicts import ReasonCode

ELSEWHERE = (ReasonCode.NOTHING_CHANGED, ReasonCode.WORKFLOW_CHANGED)
"""Reasons that change no verdict on another pull request: how a workflow calls us is not the bot's gate."""


def concerned_lineages(moved: Detection) -> frozenset[str] | None:
    """Returns the names of the lineages that a move of base changes; ``None``: it may concern any pull request.

    ``moved`` is the detection between two tips of the base branch, as if the newer were a head. A changed
    configuration concerns everybody: a lineage that is new there may gate what a pull request changes.
    """
    if moved.policy or any(reason.code not in ELSEWHERE for reason in moved.reasons):
        return None
    return frozenset(change.name for change in moved.lineages)
