"""From the spans of one trace to calls: one use of a prompt is counted once, whatever its spans and their order."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import TypeVar

from schemas.production import ProductionCall, SpanFacts

Found = TypeVar("Found")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def calls_of(spans: Iterable[SpanFacts]) -> list[ProductionCall]:
    """Returns the calls in the spans of one trace, earliest first. The order of ``spans`` doesn't matter.

    A span that names a prompt is a call, with the model requests inside it: those below it, else those during it. A
    model request outside any such span is a call of its own.
    """
    every = sorted(spans, key=lambda span: (span.started_at, span.span_id, span.part))
    own = {span.span_id: span for span in every if not span.is_log}
    parts: dict[str, list[SpanFacts]] = defaultdict(list)
    roots = _roots(own)
    for span in own.values():
        parts[roots[span.span_id]].append(span)
    read: dict[str, dict[str, str]] = {}
    for log in every:
        if log.is_log:
            read[log.span_id] = {**log.decisions, **read.get(log.span_id, {})}
    return [_call(own[root], members, read) for root, members in parts.items()]


def _roots(own: Mapping[str, SpanFacts]) -> dict[str, str]:
    """Returns for each span the id of the span that is its call: the outermost one."""
    outwards = _outwards(own)
    roots: dict[str, str] = {}
    for first in own:
        path: list[str] = []
        at: str | None = first
        while at is not None and at not in roots:
            # Only kept if spans are each other's parents: a circle has no outermost span.
            roots[at] = first
            path.append(at)
            at = outwards.get(at)
        root = path[-1] if at is None else roots[at]
        roots.update(dict.fromkeys(path, root))
    return roots


def _outwards(own: Mapping[str, SpanFacts]) -> dict[str, str]:
    """Returns the id of the next span outwards that the same call has, for each span that has one."""
    during = _during(own.values())
    found = {}
    for name, span in own.items():
        parent = own.get(span.parent_id or "")
        # Frameworks put spans of their own in between, which are not kept.
        around = during.get(name) if parent is None else parent.span_id if _same(parent, span) else None
        if around is not None:
            found[name] = around
    return found


def _same(outer: SpanFacts, inner: SpanFacts) -> bool:
    """Whether both may be of one call: the inner names no other prompt."""
    return inner.lineage is None or inner.lineage == outer.lineage


def _during(spans: Iterable[SpanFacts]) -> dict[str, str]:
    """Returns for each span the id of the latest, shortest application's span that it lies in, of the same prompt.

    One sweep over the starts, since a trace may have many spans. Longer spans come before shorter ones with the same
    start, and spans of the same interval don't surround each other.
    """
    around: dict[str | None, list[SpanFacts]] = defaultdict(list)
    found: dict[str, str] = {}
    ordered = sorted(spans, key=lambda one: (one.started_at, one.started_at - one.ended_at, one.span_id))
    for (_, ended), group in groupby(ordered, key=lambda one: (one.started_at, one.ended_at)):
        some = list(group)
        for span in some:
            open_ones = around[span.lineage]
            # The later one began, the earlier it ends.
            place = bisect_right(open_ones, -_since_epoch(ended), key=lambda one: -_since_epoch(one.ended_at))
            if place:
                found[span.span_id] = open_ones[place - 1].span_id
        for span in some:
            if span.lineage and not span.calls_model:
                for lineage in (None, span.lineage):
                    # One that ends no later is never again the latest that surrounds something.
                    while around[lineage] and around[lineage][-1].ended_at <= ended:
                        around[lineage].pop()
                    around[lineage].append(span)
    return found


def _since_epoch(at: datetime) -> timedelta:
    return at - EPOCH


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
