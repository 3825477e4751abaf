"""The HTTP endpoints. A webhook is verified, stored and acknowledged; everything else happens later.

docs.github.com/webhooks/using-webhooks/best-practices-for-using-webhooks: answers within 10 seconds, payloads of at
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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import anyio
from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders

from bot.telemetry.health import Trouble
from bot.telemetry.logs import logger
from bot.telemetry.metrics import CONTENT_TYPE, Metrics, WorkCounts
from bot.webhooks.bodies import BodyReader, BodyRefused
from bot.webhooks.routing import EVENTS
from bot.webhooks.signature import HEADER, signed
from schemas.errors import StoreError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.settings import Settings
    from schemas.ports import Clock

LARGEST_BODY = 25 * 1024 * 1024
"""Bytes: GitHub's limit for a payload."""
MOST_BUFFERED = 8 * LARGEST_BODY
"""Bytes of all bodies together whose sender is not verified yet."""
BODY_S = 10.0
"""Seconds for a whole body. GitHub gives up by then."""
CHECK_S = 5.0
WRITERS = 4
"""Threads that write to the ledger. More would only wait for each other."""
READERS = 2
"""Threads for checks and scrapes, so that a flood of them delays no webhook."""
LOG_EVERY_S = 10.0
EVENT = re.compile("[a-z][a-z0-9_]{0,63}")
DELIVERY = re.compile("[0-9A-Za-z][0-9A-Za-z-]{7,63}")
SAFE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

log = logger("web")


class DeliveryLedger(WorkCounts, Protocol):
    """The part of the records that the endpoints need. Methods block and raise StoreError."""

    def receive(self, delivery_id: str, event: str, body: bytes, at: datetime) -> bool:
        """Stores a delivery, synced. Returns False if it is known."""
        ...

    def check(self) -> None:
        """Raises StoreError if the database is not usable."""
        ...


class RejectedWebhook(Exception):  # noqa: N818 - an expected answer, not an error
    """A webhook that is rejected."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class _LastLogged(NamedTuple):
    """When a rejection was logged (monotonic seconds), and how many were not logged since."""

    at: float
    skipped: int


@dataclass
class WebhookReceiver:
    """The dependencies of the routes. ``wake`` is called after each new delivery. ``troubles`` names what isn't
    ready."""

    records: DeliveryLedger
    secrets: tuple[str, ...]
    clock: Clock
    metrics: Metrics
    wake: Callable[[], None]
    troubles: Callable[[], tuple[str, ...]]
    bodies: BodyReader = field(default_factory=lambda: BodyReader(LARGEST_BODY, MOST_BUFFERED, BODY_S))
    _logged: dict[str, _LastLogged] = field(default_factory=dict)
    """By reason: when a rejection was logged, and how many were not logged since."""
    writers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WRITERS))
    readers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(READERS))

    async def take(self, request: Request) -> bool:
        """Stores the webhook in ``request``. Returns False if it is known. Raises RejectedWebhook."""
        # Headers first: a request without them is refused before its body takes memory.
        given = _header(request, HEADER, 401, "the signature is missing").encode("latin-1")
        event = _header(request, "x-github-event", 400, "X-GitHub-Event is missing")
        delivery = _header(request, "x-github-delivery", 400, "X-GitHub-Delivery is missing")
        if not EVENT.fullmatch(event) or not DELIVERY.fullmatch(delivery):
            raise RejectedWebhook(400, "X-GitHub-Event or X-GitHub-Delivery is not one of GitHub's")
        if _header(request, "content-type", 415, JSON_ONLY).partition(";")[0].strip().lower() != "application/json":
            raise RejectedWebhook(415, JSON_ONLY)
        try:
            body = await self.bodies.read(request)
        except BodyRefused as refusal:
            raise RejectedWebhook(refusal.status, refusal.why) from None
        if not signed(body, given, self.secrets):
            raise RejectedWebhook(401, "the signature is wrong")
        try:
            new = await self._store(delivery, event, body)
        except StoreError as error:
            log.error("delivery not stored", delivery=delivery, why=str(error))
            # 503 and not 202: GitHub then lists the delivery as failed, and the sweep fetches it later.
            raise RejectedWebhook(503, "the delivery could not be stored") from None
        # Event names come from a header, so unknown ones share one label: each label value costs memory for good.
        self.metrics.deliveries.labels(event if event in EVENTS else "other", "stored" if new else "known").inc()
        # A known delivery is waiting or handled already, so no worker has to wake up for it.
        if new:
            self.wake()
        return new

    def log_rejection(self, refusal: RejectedWebhook) -> None:
        """Logs a rejection, one in ``LOG_EVERY_S`` seconds for each reason: anyone could fill the disk otherwise."""
        now = self.clock.monotonic()
        since, skipped = self._logged.get(refusal.why, _LastLogged(now - LOG_EVERY_S, 0))
        if now - since < LOG_EVERY_S:
            self._logged[refusal.why] = _LastLogged(since, skipped + 1)
            return
        self._logged[refusal.why] = _LastLogged(now, 0)
        log.warning("webhook rejected", status=refusal.status, why=refusal.why, not_logged_before=skipped)

    async def _store(self, delivery: str, event: str, body: bytes) -> bool:
        store = partial(self.records.receive, delivery, event, body, self.clock.utc())
        # A pool of its own: the default one may be full of work that waits for GitHub.
        return await anyio.to_thread.run_sync(store, limiter=self.writers)


JSON_ONLY = "webhooks must be application/json: set the content type of the App's webhook"


def _header(request: Request, name: str, status: int, why: str) -> str:
    """Returns the header of that name. Two are rejected: it would be unclear which one was verified."""
    given = request.headers.getlist(name)
    if len(given) != 1:
        raise RejectedWebhook(status, why)
    return given[0]


def create_app(
    records: DeliveryLedger,
    settings: Settings,
    *,
    clock: Clock,
    metrics: Metrics,
    wake: Callable[[], None],
    troubles: Callable[[], tuple[str, ...]] = tuple,
    webhook: bool = True,
) -> FastAPI:
    """Returns the application. Without ``webhook`` it has only the endpoints of a worker: health, readiness, metrics.

    ``wake`` is called in the event loop after each new delivery. ``troubles`` names what isn't ready, in a few words;
    it runs in a thread and may block.
    """
    secrets = tuple(secret.get_secret_value() for secret in settings.webhook_secrets)
    web = WebhookReceiver(records, secrets, clock, metrics, wake, troubles)
    # Without FastAPI's documentation pages, which would be public.
    app = FastAPI(title="Prompt Verdict", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.web = web
    app.add_middleware(SafeHeaders)
    metrics.watch(records, clock)

    @app.get("/healthz", response_class=Response, responses=_texts(200))
    async def healthz() -> Response:
        """Answers while the process is alive."""
        return _text(200, "alive")

    @app.get("/readyz", response_class=Response, responses=_texts(200, 503))
    async def readyz() -> Response:
        """Answers whether work can be done: the database answers, every part runs, and the worker has what it needs."""
        troubles = (*await _worker_troubles(web), *await _database_troubles(web))
        return _text(503, "not ready: " + ", ".join(troubles)) if troubles else _text(200, "ready")

    @app.get("/metrics", response_class=Response, responses=_texts(200))
    async def scrape() -> Response:
        """Metrics for Prometheus."""
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
            """Stores a webhook from GitHub."""
            began = time.perf_counter()
            try:
                new = await web.take(request)
            except RejectedWebhook as refusal:
                metrics.refused.labels(str(refusal.status)).inc()
                web.log_rejection(refusal)
                # Closed, because the rest of a refused body would otherwise be read from this connection.
                return _text(refusal.status, refusal.why, close=True)
            metrics.ack.observe(time.perf_counter() - began)
            return _text(202, "stored" if new else "known")

    return app


async def _worker_troubles(web: WebhookReceiver) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(CHECK_S):
            return await anyio.to_thread.run_sync(web.troubles, limiter=web.readers, abandon_on_cancel=True)
    except TimeoutError:
        log.error("worker not ready")
        return ("the worker",)


async def _database_troubles(web: WebhookReceiver) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(CHECK_S):
            await anyio.to_thread.run_sync(web.records.check, limiter=web.readers, abandon_on_cancel=True)
    except (StoreError, TimeoutError) as error:
        log.error("database not usable", why=str(error) or "no answer in time")
        return (str(Trouble("the database", getattr(error, "hint", None))),)
    return ()


def _text(status: int, text: str, *, close: bool = False) -> Response:
    headers = {"connection": "close"} if close else {}
    return Response(f"{text}\n", status, headers=headers, media_type="text/plain")


class SafeHeaders:
    """Middleware: no answer is cached, framed, sniffed or executed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers to every answer."""

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)  # pages have their own
            await send(message)

        await self.app(scope, receive, safe)


def _texts(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describes plain-text answers for the schema that tests are generated from."""
    plain = {"text/plain": {"schema": {"type": "string"}}}
    return {status: {"description": "A sentence", "content": plain} for status in statuses}


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
