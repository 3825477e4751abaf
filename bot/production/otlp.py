"""Decodes OTLP/HTTP requests, protobuf and JSON, into records.

opentelemetry.io/docs/specs/otlp. JSON has ids in hex, where protobuf's own JSON would have base64: its parser takes the
32 digits of a trace id for 24 bytes and doesn't complain. So ids are converted first.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from schemas.production import SpanRecord

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from pydantic import JsonValue

LARGEST = 16 * 1024 * 1024
"""Bytes of a request after it was unpacked."""
UNCOUNTED = 1024 * 1024
"""Bytes below which a protobuf request is not counted: it has too few messages to matter."""
MOST_MESSAGES = 200_000
"""Messages in a request, at any depth. One takes two bytes on the wire, and hundreds in memory."""
DEEPEST = 20
"""Nested values of one attribute. Deeper ones are left out."""
MOST_ATTRIBUTES = 1_000
IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
PARTS = 2**62


class BadRequestError(ValueError):
    """A body that is not an OTLP request. Its text never quotes the body."""


class TooLargeError(ValueError):
    """A body that unpacks to more than ``LARGEST``, or has more messages than ``MOST_MESSAGES``."""


class Decoded(NamedTuple):
    """The records of a request."""

    records: Sequence[SpanRecord]
    broken: int
    """Spans without a valid id or time, which can't be stored."""


def unpacked(body: bytes) -> bytes:
    """Returns a gzip body's content, never more than ``LARGEST`` bytes. Raises BadRequestError and TooLargeError."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        content = unpack.decompress(body, LARGEST + 1)
    except zlib.error:
        raise BadRequestError("the body is not gzip") from None
    if len(content) > LARGEST:
        raise TooLargeError(f"the body unpacks to more than {LARGEST:,} bytes")
    if not unpack.eof:
        raise BadRequestError("the gzip body is incomplete")
    return content


def spans_of(body: bytes, *, is_json: bool) -> Decoded:
    """Returns the spans of an ``ExportTraceServiceRequest``. Raises BadRequestError and TooLargeError."""
    request = ExportTraceServiceRequest()
    _parse(request, body, is_json=is_json)
    spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    records = [_span(span) for span in spans if _is_whole(span.trace_id, span.span_id, span.start_time_unix_nano)]
    return Decoded(records, len(spans) - len(records))


def logs_of(body: bytes, *, is_json: bool) -> Decoded:
    """Returns the records of an ``ExportLogsServiceRequest`` that belong to a span. Others are ignored.

    Raises BadRequestError and TooLargeError.
    """
    request = ExportLogsServiceRequest()
    _parse(request, body, is_json=is_json)
    logs = [log for resource in request.resource_logs for scope in resource.scope_logs for log in scope.log_records]
    return Decoded([_log(log) for log in logs if _is_whole(log.trace_id, log.span_id, _time(log))], 0)


def _parse(request: Message, body: bytes, *, is_json: bool) -> None:
    # Counted before anything is made of them.
    many = _is_many(body, request) if not is_json else body.count(b"{") + body.count(b"[") > MOST_MESSAGES
    if many:
        raise TooLargeError(f"the request has more than {MOST_MESSAGES:,} parts: send smaller batches")
    try:
        if not is_json:
            request.ParseFromString(body)
            return
        document: Any = json.loads(body)
        if not isinstance(document, dict):
            raise BadRequestError("the body is no request")
        # Fields that we don't know are ignored, as the protocol demands.
        plain: Any = _with_bytes(document)
        ParseDict(plain, request, ignore_unknown_fields=True, max_recursion_depth=64)
    except (DecodeError, ParseError, RecursionError, UnicodeDecodeError, ValueError):
        # The parser's own words may quote the body.
        raise BadRequestError(f"the body is not OTLP/{'JSON' if is_json else 'protobuf'}") from None


def _is_many(body: bytes, request: Message) -> bool:
    """Returns whether a protobuf request has more messages than ``MOST_MESSAGES``. False for a broken one."""
    left = [(0, len(body), request.DESCRIPTOR)] if len(body) > UNCOUNTED else []
    count = 0
    while left:
        at, end, kind = left.pop()
        while at < end:
            tag, at = _varint(body, at)
            wire = tag & 7
            if wire in (0, 2):
                size, at = _varint(body, at)
                if wire == 2:
                    inner = kind.fields_by_number.get(tag >> 3)
                    if inner is not None and inner.message_type is not None:
                        count += 1
                        left.append((at, min(at + size, end), inner.message_type))
                    at += size
            elif wire in (1, 5):
                at += 8 if wire == 1 else 4
            else:  # the parser refuses it
                return False
            if count > MOST_MESSAGES:
                return True
    return False


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """Returns the number that begins at a place, and the place behind it. The end of the body ends it too."""
    value = shift = 0
    for byte in body[at : at + 10]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at


def _with_bytes(value: JsonValue, depth: int = 0) -> JsonValue:
    """Returns a request with its ids as base64, as protobuf's parser expects bytes."""
    if depth > 64:
        raise BadRequestError("too deep")
    if isinstance(value, list):
        return [_with_bytes(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        # Attributes have other names ("key", "value"), so nothing of theirs is taken for an id.
        name: _id(inner) if name in IDS and isinstance(inner, str) else _with_bytes(inner, depth + 1)
        for name, inner in value.items()
    }


def _id(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _is_whole(trace_id: bytes, span_id: bytes, at: int) -> bool:
    return len(trace_id) == 16 and len(span_id) == 8 and any(trace_id) and any(span_id) and at > 0


def _span(span: Span) -> SpanRecord:
    parent = span.parent_span_id
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=parent.hex() if len(parent) == 8 and any(parent) else None,
        name=span.name,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        events=[(event.name, _attributes(event.attributes)) for event in span.events[:MOST_ATTRIBUTES]],
    )


def _log(log: LogRecord) -> SpanRecord:
    attributes, at = _attributes(log.attributes), _time(log)
    named = attributes.get("event.name")  # before the field existed
    name = log.event_name or (named if isinstance(named, str) else "")
    # Log records have no id. The same record sent again has the same number.
    digest = hashlib.sha256(b"%d\0%s\0" % (at, name.encode()) + log.body.SerializeToString(deterministic=True))
    return SpanRecord(
        trace_id=log.trace_id.hex(),
        span_id=log.span_id.hex(),
        parent_id=None,
        name=name,
        start_ns=at,
        end_ns=at,
        attributes=attributes,
        part=1 + int.from_bytes(digest.digest()[:8], "big") % PARTS,
        body=_value(log.body),
    )


def _time(log: LogRecord) -> int:
    return log.time_unix_nano or log.observed_time_unix_nano


def _attributes(pairs: Sequence[KeyValue]) -> dict[str, JsonValue]:
    return {pair.key: _value(pair.value) for pair in pairs[:MOST_ATTRIBUTES]}


def _value(value: AnyValue, depth: int = 0) -> JsonValue:
    if depth > DEEPEST:
        return None
    kind = value.WhichOneof("value")
    match kind:
        case "string_value" | "bool_value" | "int_value" | "double_value":
            found: JsonValue = getattr(value, kind)
            return found
        case "array_value":
            return [_value(one, depth + 1) for one in value.array_value.values]
        case "kvlist_value":
            return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
        case _:
            return None
