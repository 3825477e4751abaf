"""What the gate answers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.gate.cells import Batch, Observations
from schemas.effects import CaseReading, CostEffect, Effect, LatencyEffect
from schemas.scorecard import Confidence
from schemas.verdicts import Reason, VerdictStatus


@dataclass(frozen=True)
class CaseResult:
    """One case."""

    change: float | None
    """Candidate − baseline on the first metric, over all its runs."""
    reading: CaseReading
    confirmed: bool
    """By fresh runs that were not among those that raised the suspicion."""


@dataclass(frozen=True)
class Decision:
    """The verdict on one comparison, in the scorecard's own types."""

    status: VerdictStatus
    reasons: tuple[Reason, ...]
    """The most serious first."""
    overall: Effect | None
    slices: tuple[Effect, ...]
    metrics: tuple[Effect, ...]
    """Overall effects of all gating metrics when there are several."""
    cost: CostEffect
    latency: LatencyEffect
    readings: tuple[CaseResult, ...]
    """By case, in the design's order."""
    confidence: Confidence
    cells: int
    """Cells that were asked for."""
    planned: int
    """Cells that the design would have asked for without stopping early."""
    digest: str
    """Of the design."""


Conversation = Generator[Batch, Observations, Decision]
"""The gate asks for cells, is told what they gave, and in the end decides."""
