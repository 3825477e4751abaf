"""What production reports about a prompt: the facts of spans, and the calls that they make up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from schemas.values import Value

TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
NO_REASON = "no reason given"
"""``deferred`` of a call that gives none."""
SpanId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
LONGEST_NAME = 200
"""Characters of a model, a decision, a reason or another name from a trace. The rest is cut."""


class SpanKey(NamedTuple):
    """Names a span (``part`` 0), or a log record about it."""

    trace_id: str
    span_id: str
    part: int


class SpanFacts(Value):
    """What is kept of one span, or of a log record about it. It holds no content."""

    trace_id: TraceId
    span_id: SpanId
    part: int = Field(default=0, ge=0)
    """0: the span itself. Else the number of a log record about it, of which only ``decisions`` is used."""
    parent_id: SpanId | None = None
    started_at: AwareDatetime
    ended_at: AwareDatetime
    calls_model: bool = False
    """Whether it is one request to a model. Others are an application's own spans around such requests."""
    lineage: str | None = None
    digest: str | None = None
    """The prompt's version, as the hub's client names it."""
    tag: str | None = None
    provider: str | None = None
    model: str | None = None
    """As the provider names it in its answer."""
    asked_model: str | None = None
    decision: str | None = None
    """As the application names it."""
    decisions: dict[str, str] = {}
    """By lineage: what its output contract reads from the output. The output itself is not kept."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    deferred: str | None = None
    """Why a person decides instead; ``None`` if not deferred. Never empty."""
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    cost_usd: Decimal | None = None
    """``None``: no price is known."""
    finish_reason: str | None = None
    error: str | None = None
    """The type of the error, never its message."""

    @property
    def key(self) -> SpanKey:
        """What makes it unique within a repository: sent again, it is the same span or record."""
        return SpanKey(self.trace_id, self.span_id, self.part)

    @property
    def is_log(self) -> bool:
        """Whether a log record brought it."""
        return self.part > 0


class ContentMessage(Value):
    """One message of a request, as text."""

    role: str
    text: str


class SpanContent(Value):
    """Input and output of a model request. Kept only where the prompt asks for it."""

    lineage: str
    input: tuple[ContentMessage, ...] = ()
    output: str | None = None


class SpanRecord(NamedTuple):
    """A span, or a log record about one, as it arrived. Its values are others' data."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    """Of the span, or of the record's event."""
    start_ns: int
    """Since 1970."""
    end_ns: int
    attributes: Mapping[str, JsonValue]
    part: int = 0
    """As ``SpanFacts.part``."""
    failed: bool = False
    """Whether its status is an error."""
    body: JsonValue = None
    """Of a log record."""
    events: Sequence[tuple[str, Mapping[str, JsonValue]]] = ()
    """Name and attributes."""


class ProductionCall(Value):
    """One use of a prompt: the application's span with every model request in it."""

    trace_id: TraceId
    span_id: SpanId
    started_at: AwareDatetime
    lineage: str | None
    """``None``: the trace doesn't say which prompt it is."""
    digest: str | None
    tag: str | None
    model: str | None
    """As served; else as asked for."""
    decision: str | None
    confidence: float | None
    deferred: str | None
    latency_s: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    finish_reason: str | None
    error: str | None
    requests: int
    """Requests to models. 0: only the application's span is known."""
