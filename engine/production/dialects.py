"""The attributes of four dialects in one table, and the facts that are kept of a span.

The dialects: OpenTelemetry's ``gen_ai.*`` up to 1.36, its later ``gen_ai.*``, OpenInference's ``llm.*``, and the Vercel
AI SDK's ``ai.*``. Only the names of this table are read. Texts that could hold content are never among the facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import JsonValue

from engine.planning.call_cost import bill
from schemas.outcomes import Usage
from schemas.pricing import Price
from schemas.production import LONGEST_NAME, NO_REASON, SpanFacts, SpanRecord

OWN = "prompt_verdict."
"""The prefix of our own attributes, which the hub's client gives."""
METADATA = ("", "ai.telemetry.metadata.", "metadata.")
"""Where a dialect puts attributes of the application."""


class Names(NamedTuple):
    """The attributes that a fact is read from, by dialect. The first that is there counts."""

    latest: tuple[str, ...]
    until_1_36: tuple[str, ...]
    openinference: tuple[str, ...]
    vercel: tuple[str, ...]


TABLE = {
    "operation": Names(
        ("gen_ai.operation.name",), ("llm.request.type",), ("openinference.span.kind",), ("ai.operationId",)
    ),
    "provider": Names(
        ("gen_ai.provider.name",), ("gen_ai.system",), ("llm.provider", "llm.system"), ("ai.model.provider",)
    ),
    "model": Names(("gen_ai.response.model",), (), ("llm.model_name",), ("ai.response.model",)),
    "asked_model": Names(("gen_ai.request.model",), (), (), ("ai.model.id",)),
    "input_tokens": Names(
        ("gen_ai.usage.input_tokens",), ("gen_ai.usage.prompt_tokens",), ("llm.token_count.prompt",),
        ("ai.usage.inputTokens", "ai.usage.promptTokens"),
    ),
    "output_tokens": Names(
        ("gen_ai.usage.output_tokens",), ("gen_ai.usage.completion_tokens",), ("llm.token_count.completion",),
        ("ai.usage.outputTokens", "ai.usage.completionTokens"),
    ),
    "cached_tokens": Names(
        ("gen_ai.usage.cache_read.input_tokens",), ("gen_ai.usage.cache_read_input_tokens",),
        ("llm.token_count.prompt_details.cache_read",), ("ai.usage.cachedInputTokens",),
    ),
    "finish_reason": Names(
        ("gen_ai.response.finish_reasons",), (), ("llm.finish_reason",), ("ai.response.finishReason",)
    ),
    "error": Names(("error.type",), (), (), ()),
}  # fmt: skip
"""By fact."""

Pricing = Callable[[str | None, str], Price | None]
"""Takes a provider and a model. ``None``: the price is unknown."""

REQUESTS = frozenset({"chat", "text_completion", "completion", "generate_content", "responses", "llm"})
"""Operations that are one request to a model. Tools, embeddings and agents are not."""
VERCEL_CALL = re.compile(r"ai\.(?:generate|stream)(?:Text|Object)(?:\.do(?:Generate|Stream))?")
_TYPE = re.compile(r"[\w.:$<>-]{1,100}", re.ASCII)
"""The form of an error's type and a finish reason. Anything else may be a message."""
_MODEL = re.compile(r"[\w./:@+-]{1,200}", re.ASCII)
MOST_TOKENS = 10**8
"""Tokens of one request. Larger numbers are mistakes, and their cost would not fit into the database."""
START = datetime(1970, 1, 1, tzinfo=UTC)


def facts_of(record: SpanRecord, decisions: Mapping[str, str], price: Pricing) -> SpanFacts | None:
    """Returns what is kept of a span; ``None`` for one that is about neither a model nor a prompt.

    For a log record, what ties it to a span. ``decisions`` are those that were read from its output, by prompt.
    Raises ValueError or OverflowError for a time that can't be.
    """
    given, is_log = record.attributes, record.part > 0
    calls_model = not is_log and _is_request(given)
    lineage = own_attribute(given, "lineage") or _name(given.get("gen_ai.prompt.name"))
    decision = own_attribute(given, "decision")
    if not (calls_model or lineage or is_log):
        return None
    start = START + timedelta(microseconds=record.start_ns // 1_000)
    facts: dict[str, Any] = {"decision": decision, "confidence": _share(given), "deferred": _deferred(given)}
    return SpanFacts(
        trace_id=record.trace_id,
        span_id=record.span_id,
        part=record.part,
        parent_id=record.parent_id,
        started_at=start,
        ended_at=max(start, START + timedelta(microseconds=record.end_ns // 1_000)),
        calls_model=calls_model,
        lineage=lineage,
        digest=own_attribute(given, "version"),
        tag=own_attribute(given, "tag"),
        decisions=dict(decisions),
        **({} if is_log else facts | _figures(given, price) | {"error": _error(record)}),
    )


def own_attribute(given: Mapping[str, JsonValue], name: str) -> str | None:
    """Returns our attribute of that name, wherever the dialect put it."""
    found = (_name(given.get(f"{place}{OWN}{name}")) for place in METADATA)
    return next((one for one in found if one is not None), None)


def _figures(given: Mapping[str, JsonValue], price: Pricing) -> dict[str, Any]:
    provider, model, asked = (_matching(_MODEL, _read(given, name)) for name in ("provider", "model", "asked_model"))
    read, written, cached = (_count(_read(given, f"{name}_tokens")) for name in ("input", "output", "cached"))
    cost, named = None, model or asked
    if named is not None and read is not None and written is not None:
        known = price(provider, named)
        used = Usage(input=read, output=written, cached_input=min(cached or 0, read))
        cost = None if known is None else bill(used, known)
    return {
        "provider": provider,
        "model": model,
        "asked_model": asked,
        "input_tokens": read,
        "output_tokens": written,
        "cost_usd": cost,
        "finish_reason": _matching(_TYPE, _read(given, "finish_reason")),
    }


def _read(given: Mapping[str, JsonValue], fact: str) -> JsonValue:
    for names in TABLE[fact]:
        for name in names:
            value = given.get(name)
            if value is not None:
                return value[0] if isinstance(value, list) and value else value
    return None


def _is_request(given: Mapping[str, JsonValue]) -> bool:
    operation = _read(given, "operation")
    if operation is None:  # instrumentations before the attribute existed
        return "gen_ai.request.model" in given
    text = str(operation)
    return text.lower() in REQUESTS or VERCEL_CALL.fullmatch(text) is not None


def _error(record: SpanRecord) -> str | None:
    said = _read(record.attributes, "error")
    if said is None and record.failed:
        thrown = (given.get("exception.type") for name, given in record.events if name == "exception")
        said = next(thrown, None)
    if said is None and not record.failed:
        return None
    return _matching(_TYPE, said) or "error"


def _share(given: Mapping[str, JsonValue]) -> float | None:
    for place in METADATA:
        value = given.get(f"{place}{OWN}confidence")
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
    return None


def _deferred(given: Mapping[str, JsonValue]) -> str | None:
    for place in METADATA:
        value = given.get(f"{place}{OWN}deferred")
        if value is True:
            return NO_REASON
        if isinstance(value, str):
            return _name(value) or NO_REASON
    return None


def _name(value: JsonValue) -> str | None:
    """Returns a name on one line; ``None`` for an empty one and for other values."""
    if not isinstance(value, str):
        return None
    text = value[:LONGEST_NAME]
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(text.split()) or None


def _matching(form: re.Pattern[str], value: JsonValue) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _count(value: JsonValue) -> int | None:
    """Returns a number of tokens. Some senders write whole numbers as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_TOKENS else None
