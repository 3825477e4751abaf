"""The port: connections that dawdle are let go, and the end is somebody else's decision."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from schemas.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEAD_S = 10.0
"""Seconds in which a request's head must be here, from the moment of the connection or of the last answer."""
MOST_CONNECTIONS = 400
MOST_WAITING = 300
"""Connections whose request isn't here yet; the rest is for those whose is."""
LAST_ANSWERS_S = 3
"""Seconds for requests that are being answered when the end comes."""


class TimeoutProtocol(H11Protocol):
    """uvicorn's protocol, but who connects and doesn't ask is not waited for.

    Of connections without a whole request there are at most ``MOST_WAITING``: one more ends the one that has waited
    longest. So idle connections, however many, never keep a webhook out.
    """

    waiting: ClassVar[dict[TimeoutProtocol, None]]
    """Of one listener, the longest first."""
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None until something was asked
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time begins."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_S, transport.close)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A whole head stops the time; half a head doesn't start it anew. A whole request waits no more."""
        super().data_received(data)
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        elif not asked and self._patience is None:
            self._patience = self.loop.call_later(HEAD_S, self.transport.close)
        if asked and self.cycle is not None and not self.cycle.more_body:
            self.waiting.pop(self, None)

    def on_response_complete(self) -> None:
        """The next request is waited for."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody to wait for."""
        if self._patience is not None:
            self._patience.cancel()
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting.pop(self, None)
        self.waiting[self] = None
        if len(self.waiting) > MOST_WAITING:
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            longest.transport.abort()


class Listener(uvicorn.Server):
    """Serves ``app`` until ``stop``; signals are the service's business."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=type("Waiting", (TimeoutProtocol,), {"waiting": {}}),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=LAST_ANSWERS_S,
                h11_max_incomplete_event_size=32_768,
            )
        )
        self._listening = listening

    async def run_until_stopped(self) -> None:
        """Returns when the last answer is out, at most ``LAST_ANSWERS_S`` seconds after ``stop``."""
        try:
            await self.serve(sockets=[self._listening])
        finally:
            for server in getattr(self, "servers", ()):  # when cancelled: a loop with an open port never closes
                server.close()

    def stop(self) -> None:
        """Takes no more connections."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are captured."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """The port, bound; 0: any free one. Raises UsageError when it can't be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        bound = socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port}: {error.strerror or error}",
            where="PROMPTVERDICT_PORT",
            mend="is the port taken? set PROMPTVERDICT_PORT or PROMPTVERDICT_HOST",
        ) from None
    bound.setblocking(False)
    return bound
