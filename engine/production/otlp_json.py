"""Reads spans and log records from an export in OTLP/JSON: one document, or one a line as collectors write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from pydantic import JsonValue

from engine.readers.bounded import MAX_DEPTH
from schemas.errors import UsageError
from schemas.production import SpanRecord

MAX_EXPORT_BYTES = 32 * 1024 * 1024
_NOTHING: dict[str, JsonValue] = {}


def records_in(path: str, text: str) -> list[SpanRecord]:
    """Returns the spans and log records of an export, in its order. Raises UsageError for another kind of file."""
    documents = _documents(path, text)
    found = [*_records(documents, "resourceSpans", "scopeSpans", "spans")]
    found += _records(documents, "resourceLogs", "scopeLogs", "logRecords")
    if not found:
        raise UsageError("the file has no spans and no log records", where=path, hint="export the trace as OTLP/JSON")
    return found


def _documents(path: str, text: str) -> list[JsonValue]:
    with suppress(ValueError, RecursionError):
        return [json.loads(text)]
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UsageError("the file is not JSON", where=path, hint="export the trace as OTLP/JSON") from error


def _records(documents: list[JsonValue], *keys: str) -> Iterator[SpanRecord]:
    found = documents
    for key in keys:
        found = [one for each in found for one in _list(_map(each).get(key))]
    for number, each in enumerate(found, 1):
        yield _record(_map(each), 0 if keys[-1] == "spans" else number)


def _record(row: dict[str, JsonValue], part: int) -> SpanRecord:
    start = _number(row.get("startTimeUnixNano") or row.get("timeUnixNano"))
    return SpanRecord(
        trace_id=str(row.get("traceId", "")).lower(),
        span_id=str(row.get("spanId", "")).lower(),
        parent_id=str(row["parentSpanId"]).lower() if row.get("parentSpanId") else None,
        name=str(row.get("name") or row.get("eventName") or ""),
        start_ns=start,
        end_ns=_number(row.get("endTimeUnixNano")) or start,
        attributes=_attributes(row.get("attributes")),
        part=part,
        body=_value(row.get("body")),
        events=[
            (str(_map(one).get("name")), _attributes(_map(one).get("attributes"))) for one in _list(row.get("events"))
        ],
    )


def _attributes(pairs: JsonValue) -> dict[str, JsonValue]:
    return {str(pair["key"]): _value(pair.get("value")) for pair in map(_map, _list(pairs)) if "key" in pair}


def _value(value: JsonValue, depth: int = 0) -> JsonValue:
    """Returns an ``AnyValue`` as plain JSON."""
    kind, held = next(iter(_map(value).items()), ("", None))
    if depth > MAX_DEPTH:
        return None
    if kind == "arrayValue":
        return [_value(one, depth + 1) for one in _list(_map(held).get("values"))]
    if kind == "kvlistValue":
        pairs = map(_map, _list(_map(held).get("values")))
        return {str(pair.get("key")): _value(pair.get("value"), depth + 1) for pair in pairs}
    return _number(held) if kind == "intValue" else held


def _number(value: JsonValue) -> int:
    """Returns an integer, which JSON writes as text; 0 for anything else."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 25 else 0


def _map(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else _NOTHING


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
