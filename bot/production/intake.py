"""``POST /v1/traces`` and ``/v1/logs``: OTLP/HTTP from applications with a write token.

A request is answered with success once its spans are committed. A sender that must wait gets 429 or 503 with
Retry-After, keeps its batch and sends it again: spans that were stored meanwhile are known by their ids.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio
from fastapi import Request, Response

from bot.hub.tokens import token_hash
from bot.production.answers import JSON, PROTOBUF, Refused, Signal, accepted, refused
from bot.production.otlp import BadRequestError, TooLargeError, logs_of, spans_of, unpacked
from bot.production.span_queue import Batch, QueueFull, SpanQueue
from bot.production.span_reader import RepositoryReader
from bot.store.hub_values import TokenKind
from bot.telemetry.logs import logger
from bot.webhooks.bodies import BodyReader, BodyRefused
from schemas.errors import StoreError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bot.production.span_reader import Read
    from bot.store.records import Records
    from bot.telemetry.metrics import Metrics
    from engine.production.dialects import Pricing
    from schemas.ports import Clock

SIGNALS = (Signal("/v1/traces", is_logs=False), Signal("/v1/logs", is_logs=True))
LARGEST_BODY = 8 * 1024 * 1024
"""Bytes as sent, perhaps compressed."""
MOST_BUFFERED = 8 * LARGEST_BODY
BODY_S = 20.0
DECODERS = 2
"""Threads that decode."""
MOST_DECODING = 50
"""Requests that wait for them."""
COMMIT_S = 9.0
"""Seconds until a sender is told to come back. Exporters give up after ten."""
RETRY_AFTER_S = 5
SETTINGS_S = 60.0
"""Seconds for which the settings of a repository's prompts are reused."""
MOST_REPOSITORIES = 500

log = logger("production")
T = TypeVar("T")


class _Cached(NamedTuple):
    reader: RepositoryReader
    until: float


class Intake:
    """The routes. ``keep_days``: how long spans are kept."""

    def __init__(self, records: Records, clock: Clock, metrics: Metrics, price: Pricing, *, keep_days: int) -> None:
        self._records = records
        self._clock = clock
        self._metrics = metrics
        self._price = price
        self._keep = timedelta(days=keep_days)
        self.queue = SpanQueue(records.write_spans)
        self._bodies = BodyReader(LARGEST_BODY, MOST_BUFFERED, BODY_S)
        self._threads = anyio.CapacityLimiter(DECODERS)
        self._readers: OrderedDict[int, _Cached] = OrderedDict()
        metrics.watch_production(records, clock, lambda: self.queue.spans)

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes to ``app``."""
        for signal in SIGNALS:
            app.add_route(signal.path, self._endpoint(signal), methods=["POST"], include_in_schema=False)

    def _endpoint(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            is_json = kind == JSON
            try:
                if kind not in (JSON, PROTOBUF):
                    raise Refused(415, f"send {PROTOBUF} or {JSON}")
                return await self._take(request, signal, is_json=is_json)
            except Refused as refusal:
                self._metrics.refused_exports.labels(str(refusal.status)).inc()
                return refused(refusal, is_json=is_json)

        return endpoint

    async def _take(self, request: Request, signal: Signal, *, is_json: bool) -> Response:
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise Refused(415, "send the body uncompressed, or as gzip")
        hashed = token_hash(request.headers.get("authorization", "").removeprefix("Bearer ").strip())
        if hashed is None:
            raise Refused(401, "an ingest token is missing: send Authorization: Bearer pv_…")
        if self._threads.statistics().tasks_waiting >= MOST_DECODING:
            raise Refused(429, "too many requests at once", retry_after_s=RETRY_AFTER_S)
        # Asked before the body is read: only a known sender may make us decode anything.
        repository_id = await self._in_thread(partial(self._owner, hashed))
        try:
            body = await self._bodies.read(request)
        except BodyRefused as refusal:
            later = RETRY_AFTER_S if refusal.status == 503 else None
            raise Refused(refusal.status, refusal.why, retry_after_s=later) from None
        read, broken = await self._in_thread(
            partial(self._read, repository_id, signal, body, packed=encoding == "gzip", is_json=is_json)
        )
        if read.spans or read.contents:
            await self._store(Batch(repository_id, read.spans, read.contents, read.bytes))
        self._metrics.spans.labels("log" if signal.is_logs else "span").inc(len(read.spans))
        rejected = read.rejected + broken
        if rejected:
            self._metrics.rejected_spans.inc(rejected)
        return accepted(signal, rejected, is_json=is_json)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
        except StoreError as error:
            log.error("spans not taken", why=str(error))
            raise Refused(503, "the database did not answer", retry_after_s=RETRY_AFTER_S) from None

    async def _store(self, batch: Batch) -> None:
        try:
            async with asyncio.timeout(COMMIT_S):
                await self.queue.put(batch)
        except QueueFull:
            raise Refused(429, "the database can't keep up", retry_after_s=RETRY_AFTER_S) from None
        except (StoreError, TimeoutError):
            raise Refused(503, "the spans could not be stored yet", retry_after_s=RETRY_AFTER_S) from None

    def _owner(self, hashed: str) -> int:
        owner = self._records.token_owner(hashed, self._clock.utc(), TokenKind.INGEST)
        if owner is None:
            raise Refused(401, "the ingest token is unknown or revoked")
        return owner.repo.repository_id

    def _read(
        self, repository_id: int, signal: Signal, body: bytes, *, packed: bool, is_json: bool
    ) -> tuple[Read, int]:
        try:
            content = unpacked(body) if packed else body
            decoded = (logs_of if signal.is_logs else spans_of)(content, is_json=is_json)
        except TooLargeError as error:
            raise Refused(413, str(error)) from None
        except BadRequestError as error:
            raise Refused(400, str(error)) from None
        return self._reader(repository_id).read(decoded.records, self._clock.utc()), decoded.broken

    def _reader(self, repository_id: int) -> RepositoryReader:
        """Returns what reads a repository's spans, at most ``SETTINGS_S`` old. Raises StoreError."""
        now = self._clock.monotonic()
        cached = self._readers.get(repository_id)
        if cached is not None and now < cached.until:
            return cached.reader
        settings = self._records.lineage_settings(repository_id)
        reader = RepositoryReader.of(settings, self._price, self._keep)
        self._readers[repository_id] = _Cached(reader, now + SETTINGS_S)
        while len(self._readers) > MOST_REPOSITORIES:
            self._readers.popitem(last=False)
        return reader
