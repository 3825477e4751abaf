"""The result of the gate."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.gate.cells import Batch, Observations
from schemas.effects import CaseOutcome, CostEffect, Effect, LatencyEffect
from schemas.scorecard import Confidence
from schemas.verdicts import Reason, VerdictStatus


@dataclass(frozen=True)
class CaseResult:
    """The result of one case."""

    change: float | None
    """Candidate − baseline on the first metric, over all runs of the case."""
    result: CaseOutcome
    confirmed: bool
    """Whether fresh runs, other than those that raised the suspicion, show the same."""


@dataclass(frozen=True)
class Decision:
    """The verdict on one comparison, in the scorecard's own types."""

    status: VerdictStatus
    reasons: tuple[Reason, ...]
    """Most severe first."""
    overall: Effect | None
    slices: tuple[Effect, ...]
    metrics: tuple[Effect, ...]
    """Overall effects of all gating metrics, if there are several."""
    cost: CostEffect
    latency: LatencyEffect
    case_results: tuple[CaseResult, ...]
    """One for each case, in the design's order."""
    confidence: Confidence
    cells: int
    """Number of cells that were asked for."""
    planned: int
    """Number of cells that the design would ask for without stopping early."""
    digest: str
    """Digest of the design."""


Conversation = Generator[Batch, Observations, Decision]
"""A generator that yields batches of cells, receives their observations, and returns the decision."""


def step(conversation: Conversation, answers: Observations | None) -> Batch | Decision:
    """Returns what a conversation asks next, or its decision. ``answers``: to the last batch; ``None`` starts it."""
    try:
        return next(conversation) if answers is None else conversation.send(answers)
    except StopIteration as end:
        decision: Decision = end.value
        return decision
