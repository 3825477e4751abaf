"""The HTTP surface: take a webhook's bytes, check who sent them, store them, say so. Everything else happens later.

docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks: an answer within 10 seconds; a payload has at
most 25 MB.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect

from bot.telemetry.logs import logger
from bot.telemetry.metrics import CONTENT_TYPE, Ledger, Metrics
from bot.webhooks.routing import EVENTS
from bot.webhooks.signature import HEADER, signed
from schemas.errors import StoreError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.settings import Settings
    from schemas.ports import Clock

LARGEST_BODY = 25 * 1024 * 1024
"""Bytes: GitHub sends no more."""
MOST_BUFFERED = 8 * LARGEST_BODY
"""Bytes of bodies whose sender isn't known yet, all together."""
BODY_S = 10.0
"""Seconds for a whole body: GitHub has given up by then."""
CHECK_S = 5.0
WRITERS = 4
"""Threads that write to the ledger; more would only wait for each other."""
READERS = 2
"""Threads for checks and scrapes: a flood of them keeps no webhook waiting."""
TELL_S = 10.0
EVENT = re.compile("[a-z][a-z0-9_]{0,63}")
DELIVERY = re.compile("[0-9A-Za-z][0-9A-Za-z-]{7,63}")
SAFE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

log = logger("web")


class Records(Ledger, Protocol):
    """What is asked of the records. Blocks; raises StoreError."""

    def receive(self, delivery_id: str, event: str, body: bytes, at: datetime) -> bool:
        """Stores a delivery, synced. False: it was there already."""
        ...

    def check(self) -> None:
        """Raises StoreError when the database isn't usable."""
        ...


class Refusal(Exception):  # noqa: N818 - an answer, not a mishap
    """A webhook that is turned away."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass
class Web:
    """What the routes work with. ``wake`` is called after each new delivery; ``troubles`` names what isn't ready."""

    records: Records
    secrets: tuple[str, ...]
    clock: Clock
    metrics: Metrics
    wake: Callable[[], None]
    troubles: Callable[[], tuple[str, ...]]
    body_s: float = BODY_S
    buffered: int = 0
    _told: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Why webhooks were refused: when it was logged, and how often it wasn't since."""
    writers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WRITERS))
    readers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(READERS))

    async def take(self, request: Request) -> bool:
        """Stores the webhook in ``request``; False: it was stored before. Raises Refusal."""
        given = _header(request, HEADER, 401, "the signature is missing").encode("latin-1")
        event = _header(request, "x-github-event", 400, "X-GitHub-Event is missing")
        delivery = _header(request, "x-github-delivery", 400, "X-GitHub-Delivery is missing")
        if not EVENT.fullmatch(event) or not DELIVERY.fullmatch(delivery):
            raise Refusal(400, "X-GitHub-Event or X-GitHub-Delivery is not one of GitHub's")
        if _header(request, "content-type", 415, JSON_ONLY).partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, JSON_ONLY)
        body = await self._read(request)
        if not signed(body, given, self.secrets):
            raise Refusal(401, "the signature is wrong")
        try:
            new = await self._store(delivery, event, body)
        except StoreError as error:
            log.error("a delivery could not be stored", delivery=delivery, why=str(error))
            raise Refusal(503, "the delivery could not be stored") from None
        self.metrics.deliveries.labels(event if event in EVENTS else "other", "stored" if new else "known").inc()
        if new:
            self.wake()
        return new

    def tell(self, refusal: Refusal) -> None:
        """Logs a refusal; of those for the same reason one in ``TELL_S`` seconds, or anybody could fill the disk."""
        now = self.clock.monotonic()
        since, unsaid = self._told.get(refusal.why, (now - TELL_S, 0))
        if now - since < TELL_S:
            self._told[refusal.why] = (since, unsaid + 1)
            return
        self._told[refusal.why] = (now, 0)
        log.warning("webhook refused", status=refusal.status, why=refusal.why, unsaid_before=unsaid)

    async def _store(self, delivery: str, event: str, body: bytes) -> bool:
        store = partial(self.records.receive, delivery, event, body, self.clock.utc())
        return await anyio.to_thread.run_sync(store, limiter=self.writers)

    async def _read(self, request: Request) -> bytes:
        """The body, bounded in size, in time, and together with all others that are being read."""
        announced = request.headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and (len(announced) > 12 or int(announced) > LARGEST_BODY):
            raise Refusal(413, "the body is too large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.body_s):
                async for part in request.stream():
                    size += len(part)
                    self.buffered += len(part)
                    if size > LARGEST_BODY:
                        raise Refusal(413, "the body is too large")
                    if self.buffered > MOST_BUFFERED:
                        raise Refusal(503, "too much is being sent at once")
                    parts.append(part)
        except TimeoutError:
            raise Refusal(408, "the body came too slowly") from None
        except ClientDisconnect:
            raise Refusal(400, "the body is not whole") from None
        finally:
            self.buffered -= size
        return b"".join(parts)


JSON_ONLY = "webhooks are taken as application/json: set the App's webhook to that content type"


def _header(request: Request, name: str, status: int, why: str) -> str:
    """The one header of that name: of two, which was meant?"""
    given = request.headers.getlist(name)
    if len(given) != 1:
        raise Refusal(status, why)
    return given[0]


def create_app(
    records: Records,
    settings: Settings,
    *,
    clock: Clock,
    metrics: Metrics,
    wake: Callable[[], None],
    troubles: Callable[[], tuple[str, ...]] = tuple,
    webhook: bool = True,
) -> FastAPI:
    """The application. ``webhook``: False leaves what a worker answers: is it alive, is it ready, what does it count.

    ``wake`` is called in the event loop after each new delivery; ``troubles`` says in a few words of ours what isn't
    ready: it may block, in a thread.
    """
    secrets = tuple(secret.get_secret_value() for secret in settings.webhook_secrets)
    web = Web(records, secrets, clock, metrics, wake, troubles)
    app = FastAPI(title="Prompt Verdict", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.web = web
    app.add_middleware(SafeHeaders)
    metrics.watch(records, clock)

    @app.get("/healthz", response_class=Response, responses=_texts(200))
    async def healthz() -> Response:
        """The process is alive."""
        return _text(200, "alive")

    @app.get("/readyz", response_class=Response, responses=_texts(200, 503))
    async def readyz() -> Response:
        """Work can be taken: the database answers, every part runs, and the worker has what it needs."""
        troubles = (*await _worker_troubles(web), *await _database_troubles(web))
        return _text(503, "not ready: " + ", ".join(troubles)) if troubles else _text(200, "ready")

    @app.get("/metrics", response_class=Response, responses=_texts(200))
    async def scrape() -> Response:
        """What is counted, for Prometheus."""
        text = await anyio.to_thread.run_sync(metrics.text, limiter=web.readers)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    if webhook:

        @app.post(
            "/webhook",
            status_code=202,
            response_class=Response,
            responses=_texts(202, 400, 401, 408, 413, 415, 503),
            openapi_extra=WEBHOOK_REQUEST,
        )
        async def take(request: Request) -> Response:
            """Stores a webhook of GitHub's."""
            began = time.perf_counter()
            try:
                new = await web.take(request)
            except Refusal as refusal:
                metrics.refused.labels(str(refusal.status)).inc()
                web.tell(refusal)
                return _text(refusal.status, refusal.why, close=True)
            metrics.ack.observe(time.perf_counter() - began)
            return _text(202, "stored" if new else "known")

    return app


async def _worker_troubles(web: Web) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(CHECK_S):
            return await anyio.to_thread.run_sync(web.troubles, limiter=web.readers, abandon_on_cancel=True)
    except TimeoutError:
        log.error("the worker's parts don't answer in time")
        return ("the worker",)


async def _database_troubles(web: Web) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(CHECK_S):
            await anyio.to_thread.run_sync(web.records.check, limiter=web.readers, abandon_on_cancel=True)
    except (StoreError, TimeoutError) as error:
        log.error("the database is not usable", why=str(error) or "no answer in time")
        return ("the database",)
    return ()


def _text(status: int, text: str, *, close: bool = False) -> Response:
    headers = {"connection": "close"} if close else {}
    return Response(f"{text}\n", status, headers=headers, media_type="text/plain")


class SafeHeaders:
    """Middleware: nothing of ours is cached, framed, sniffed or run."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers to every answer."""

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE)
            await send(message)

        await self.app(scope, receive, safe)


def _texts(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the description of the surface that tests are made from."""
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {status: {"description": "In words", "content": plain} for status in statuses}


def _named(name: str, pattern: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "pattern": f"^{pattern}$"}}


WEBHOOK_REQUEST: dict[str, Any] = {
    "parameters": [
        _named("X-GitHub-Event", EVENT.pattern),
        _named("X-GitHub-Delivery", DELIVERY.pattern),
        _named("X-Hub-Signature-256", "sha256=[0-9a-f]{64}"),
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}
