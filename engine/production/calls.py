"""From the spans of one trace to calls: one use of a prompt is counted once, whatever its spans and their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from schemas.production import ProductionCall, SpanFacts

Found = TypeVar("Found")


def calls_of(spans: Iterable[SpanFacts]) -> list[ProductionCall]:
    """Returns the calls in the spans of one trace, earliest first. The order of ``spans`` doesn't matter.

    A span that names a prompt is a call, with the model requests inside it: those below it, else those during it. A
    model request outside any such span is a call of its own.
    """
    every = sorted(spans, key=lambda span: (span.started_at, span.span_id, span.part))
    own = {span.span_id: span for span in every if not span.is_log}
    parts: dict[str, list[SpanFacts]] = defaultdict(list)
    for span in own.values():
        parts[_root(span, own)].append(span)
    read: dict[str, dict[str, str]] = {}
    for log in every:
        if log.is_log:
            read[log.span_id] = {**log.decisions, **read.get(log.span_id, {})}
    return [_call(own[root], members, read) for root, members in parts.items()]


def _root(span: SpanFacts, own: dict[str, SpanFacts]) -> str:
    """Returns the id of the span that is the call of ``span``."""
    seen = {span.span_id}
    while (around := _around(span, own)) is not None and around.span_id not in seen:
        seen.add(around.span_id)
        span = around
    return span.span_id


def _around(span: SpanFacts, own: dict[str, SpanFacts]) -> SpanFacts | None:
    """Returns the next span outwards that the same call has."""
    parent = own.get(span.parent_id or "")
    if parent is not None:
        return parent if _same(parent, span) else None
    # Frameworks put spans of their own in between, which are not kept.
    theirs = (one for one in own.values() if one.lineage and not one.calls_model)
    during = [one for one in theirs if _same(one, span) and _within(span, one)]
    return max(during, key=lambda one: (one.started_at, one.span_id), default=None)


def _same(outer: SpanFacts, inner: SpanFacts) -> bool:
    """Whether both may be of one call: the inner names no other prompt."""
    return inner.lineage is None or inner.lineage == outer.lineage


def _within(inner: SpanFacts, outer: SpanFacts) -> bool:
    inside = outer.started_at <= inner.started_at and inner.ended_at <= outer.ended_at
    longer = outer.ended_at - outer.started_at > inner.ended_at - inner.started_at
    return inside and longer


def _call(root: SpanFacts, members: Sequence[SpanFacts], read: dict[str, dict[str, str]]) -> ProductionCall:
    requests = _requests(members)
    outwards = [root, *(one for one in reversed(requests) if one is not root), *members]
    last = requests[-1] if requests else root
    figures = requests or [root]
    return ProductionCall(
        trace_id=root.trace_id,
        span_id=root.span_id,
        started_at=root.started_at,
        lineage=root.lineage,
        digest=_first(one.digest for one in outwards),
        tag=_first(one.tag for one in outwards),
        model=last.model or last.asked_model,
        decision=_decision(root.lineage, outwards, read),
        confidence=_first(one.confidence for one in outwards),
        deferred=_first(one.deferred for one in outwards),
        latency_s=max((root.ended_at - root.started_at).total_seconds(), 0.0),
        input_tokens=_sum(one.input_tokens for one in figures),
        output_tokens=_sum(one.output_tokens for one in figures),
        cost_usd=_cost([one.cost_usd for one in figures]),
        finish_reason=last.finish_reason,
        # A request that was tried again with success is no error.
        error=root.error or last.error,
        requests=len(requests),
    )


def _requests(members: Sequence[SpanFacts]) -> list[SpanFacts]:
    """Returns the requests to models, in the order in which they ended."""
    above = {one.parent_id for one in members if one.calls_model}
    # A span around requests, such as Vercel's ai.generateText, sums up what they report. It is not a request itself.
    requests = (one for one in members if one.calls_model and one.span_id not in above)
    return sorted(requests, key=lambda one: (one.ended_at, one.span_id))


def _decision(lineage: str | None, outwards: Sequence[SpanFacts], read: dict[str, dict[str, str]]) -> str | None:
    """Returns what the application says; else what the output contract read."""
    said = _first(one.decision for one in outwards)
    if said is not None or lineage is None:
        return said
    return _first({**read.get(one.span_id, {}), **one.decisions}.get(lineage) for one in outwards)


def _cost(costs: Sequence[Decimal | None]) -> Decimal | None:
    """Returns the sum. ``None`` if one is unknown: the cost of a part would pass for that of the whole."""
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _first(values: Iterable[Found | None]) -> Found | None:
    return next((value for value in values if value is not None), None)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
