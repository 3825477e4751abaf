"""The HTTP listener. Closes idle connections. Shutdown is decided by the caller."""

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

HEADERS_S = 10.0
"""Seconds for a request's headers, from the connection or from the last answer."""
MOST_CONNECTIONS = 700
"""More would not fit into 1,024 open files, a usual limit, beside those of the databases and git."""
MOST_WAITING = 350
"""Connections without a whole request. The rest of the limit is reserved for those with one."""
SHUTDOWN_S = 3
"""Seconds for requests that are being answered at shutdown."""


class TimeoutProtocol(H11Protocol):
    """uvicorn's protocol, with a limit for connections that send no request.

    At most ``MOST_WAITING`` connections may be without a whole request. One more closes the one that has waited
    longest. So idle connections, however many, never keep a webhook out.
    """

    waiting: ClassVar[dict[TimeoutProtocol, None]]
    """The waiting connections of one listener, oldest first."""
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None until a request arrives
    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the time limit."""
        super().connection_made(transport)
        self._timeout = self.loop.call_later(HEADERS_S, transport.close)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stops the time limit once the headers are whole; a part of them does not restart it."""
        super().data_received(data)
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked and self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        elif not asked and self._timeout is None:
            self._timeout = self.loop.call_later(HEADERS_S, self.transport.close)
        # A connection that still sends its body counts as waiting: a slow body holds a place as well.
        if asked and self.cycle is not None and not self.cycle.more_body:
            self.waiting.pop(self, None)

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        if self._timeout is not None:
            self._timeout.cancel()
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def _wait(self) -> None:
        self.waiting.pop(self, None)
        self.waiting[self] = None
        if len(self.waiting) > MOST_WAITING:
            longest = next(iter(self.waiting))
            del self.waiting[longest]
            # Aborted and not closed: closing would wait for a peer that doesn't read.
            longest.transport.abort()


class Listener(uvicorn.Server):
    """Serves ``app`` until ``stop``. The service handles signals."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                # A class of its own for each listener, because the waiting connections are kept on the class.
                http=type("Waiting", (TimeoutProtocol,), {"waiting": {}}),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # No decision depends on the client's address, so forwarded headers are not trusted.
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=SHUTDOWN_S,
                h11_max_incomplete_event_size=32_768,
            )
        )
        self._listening = listening

    async def run_until_stopped(self) -> None:
        """Returns after the last answer, at most ``SHUTDOWN_S`` seconds after ``stop``."""
        try:
            await self.serve(sockets=[self._listening])
        finally:
            for server in getattr(
                self, "servers", ()
            ):  # after a cancellation: an event loop with an open port never closes
                server.close()

    def stop(self) -> None:
        """Accepts no more connections."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures no signals."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Binds the port; 0 means any free one. Raises UsageError if that fails."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = host == "::" and socket.has_dualstack_ipv6()
        bound = socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        raise UsageError(
            f"can't listen on {host}:{port}: {error.strerror or error}",
            where="PROMPTVERDICT_PORT",
            hint="set PROMPTVERDICT_PORT or PROMPTVERDICT_HOST, if another process uses the port",
        ) from None
    bound.setblocking(False)
    return bound
