"""Values of the production records."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from schemas.production import ProductionCall, SpanContent, SpanFacts
from schemas.values import Value

LATENCY_STEPS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""Upper ends of the steps by which latencies are counted; the last step has no end."""


class DayDecisions(NamedTuple):
    """The decisions of one day (UTC), by version and by model as served."""

    day: date
    lineage: str
    digest: str
    """Empty: the calls don't say."""
    model: str
    counts: dict[str, int]
    """By decision. Calls without one, such as errors and deferrals without a label, are not counted."""


class Figures(NamedTuple):
    """Sums over calls."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    priced: int = 0
    """Calls whose cost is known."""
    confidence: int = 0
    """Sum, in millionths."""
    confident: int = 0
    """Calls with a confidence."""
    latency_ms: int = 0
    latencies: tuple[int, ...] = (0,) * (len(LATENCY_STEPS_S) + 1)
    """Calls by ``LATENCY_STEPS_S``."""

    def plus(self, other: Figures, sign: int = 1) -> Figures:
        """Returns the sum, or the difference with ``sign`` -1."""
        steps = tuple(mine + sign * theirs for mine, theirs in zip(self.latencies, other.latencies, strict=True))
        return Figures(
            calls=self.calls + sign * other.calls,
            input_tokens=self.input_tokens + sign * other.input_tokens,
            output_tokens=self.output_tokens + sign * other.output_tokens,
            cost_usd=self.cost_usd + sign * other.cost_usd,
            priced=self.priced + sign * other.priced,
            confidence=self.confidence + sign * other.confidence,
            confident=self.confident + sign * other.confident,
            latency_ms=self.latency_ms + sign * other.latency_ms,
            latencies=steps,
        )


class HourKey(NamedTuple):
    """What figures are told apart by. Empty texts: the calls don't say."""

    lineage: str
    hour: AwareDatetime
    digest: str
    model: str
    decision: str
    deferred: str
    error: str


class HourFigures(NamedTuple):
    """The figures of one hour and key."""

    key: HourKey
    figures: Figures


class PromptTotals(NamedTuple):
    """Sums of one prompt over a time."""

    repository_id: int
    lineage: str
    calls: int
    deferred: int
    errors: int
    cost_usd: Decimal
    latency_s: float
    """Sum."""
    decisions: dict[str, int]


class RecentCall(NamedTuple):
    """A call, and whether content of its trace is kept."""

    call: ProductionCall
    has_content: bool


class StoredSpan(Value):
    """A span, with its content where that was sampled and has not expired."""

    facts: SpanFacts
    content: SpanContent | None = None


class StoredTrace(Value):
    """What is kept of a trace."""

    trace_id: str
    calls: tuple[ProductionCall, ...]
    spans: tuple[StoredSpan, ...]


class LineageSettings(Value):
    """What the default branch's configuration says about one prompt's production."""

    lineage: str
    defer: tuple[str, ...] = ()
    """Decisions that choose no label, so that a person decides."""
    content_share: float = Field(default=0.0, ge=0, le=1)
    """Share of traces whose content is kept."""
    content_days: int = Field(default=14, ge=1, le=365)
    config: str = ""
    """``LineageConfig`` as JSON, as far as it says how an output is read."""


class Written(NamedTuple):
    """What became of a batch."""

    new: int
    known: int
    """Sent before."""
