"""Answers of OTLP/HTTP: success, partial success, and errors as ``google.rpc.Status``, in the sender's format."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import Response
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from schemas.values import canonical_json

if TYPE_CHECKING:
    from google.protobuf.message import Message

PROTOBUF, JSON = "application/x-protobuf", "application/json"
CODES = {400: 3, 401: 16, 408: 4, 413: 3, 415: 3, 429: 8, 503: 14}
"""google.rpc.Code by HTTP status."""


class Refused(Exception):  # noqa: N818 - an expected answer, not an error
    """A request that is refused. ``retry_after_s`` asks the sender to keep it and come back."""

    def __init__(self, status: int, why: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.retry_after_s = retry_after_s


class Signal(NamedTuple):
    """One of the two routes."""

    path: str
    is_logs: bool


def accepted(signal: Signal, rejected: int, *, is_json: bool) -> Response:
    """Returns the answer to a request whose records are stored, but for ``rejected`` ones."""
    why = "without a valid id, or with a time that is too old or in the future" if rejected else ""
    answer: Message
    if signal.is_logs:
        answer = ExportLogsServiceResponse()
        if rejected:
            answer.partial_success.rejected_log_records = rejected
            answer.partial_success.error_message = why
    else:
        answer = ExportTraceServiceResponse()
        if rejected:
            answer.partial_success.rejected_spans = rejected
            answer.partial_success.error_message = why
    body = MessageToJson(answer, indent=None).encode() if is_json else answer.SerializeToString()
    return Response(body, media_type=JSON if is_json else PROTOBUF)


def refused(refusal: Refused, *, is_json: bool) -> Response:
    """Returns the answer to a refused request. Its connection is closed, since the body may be unread."""
    headers = {"connection": "close"}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    code = CODES.get(refusal.status, 2)
    text = refusal.why.encode()
    body = canonical_json({"code": code, "message": refusal.why}) if is_json else _status(code, text)
    return Response(body, refusal.status, headers=headers, media_type=JSON if is_json else PROTOBUF)


def _status(code: int, message: bytes) -> bytes:
    """Encodes ``google.rpc.Status``: field 1 is the code, field 2 the message. Both are below 128."""
    return bytes([0x08, code, 0x12, len(message)]) + message
