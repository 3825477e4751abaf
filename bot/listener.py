"""The port: connections that dawdle are let go, and the end is somebody else's decision."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from schemas.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HEAD_S = 10.0
"""Seconds in which a request's head must be here, from the moment of the connection or of the last answer."""
MOST_CONNECTIONS = 400
LAST_ANSWERS_S = 3
"""Seconds for requests that are being answered when the end comes."""


class Impatient(H11Protocol):
    """uvicorn's protocol, but who connects and doesn't ask is not waited for."""

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None until something was asked
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time begins."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_S, transport.close)

    def data_received(self, data: bytes) -> None:
        """A whole head stops the time; half a head doesn't start it anew."""
        super().data_received(data)
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        elif not asked and self._patience is None:
            self._patience = self.loop.call_later(HEAD_S, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody to wait for."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)


class Listener(uvicorn.Server):
    """Serves ``app`` until ``stop``; signals are the service's business."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Impatient,
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
