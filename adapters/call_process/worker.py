"""Runs in the calling process: the official SDKs on their own event loop and core.

process.py starts it, and client.py sends it calls. It sends only replies, and ends when its line closes: without the
parent, nothing would store a paid answer.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import socket
import traceback
from collections.abc import Sequence
from typing import cast

from adapters.call_process.protocol import Lines, Opening, Order, Question, Reply, line
from adapters.loop import run_async
from adapters.masking import masked
from adapters.providers.open_provider import provider_for
from schemas.outcomes import Completion
from schemas.ports import ModelProvider


def main(sdks: Sequence[str]) -> None:
    """Serves the line on standard input, a socket, until it closes. ``sdks`` names the modules to import early."""
    gc.set_threshold(100_000, 20, 20)  # as on the command line
    for module in sdks:
        importlib.import_module(module)
    run_async(_serve(socket.socket(fileno=0)))


async def _serve(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_unix_connection(Calling, sock=connection)
    await loop.create_future()  # Calling ends the process


class Calling(asyncio.Protocol):
    """The child's end of the connection."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._lines = Lines()
        self._providers: dict[int, ModelProvider] = {}
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._secrets: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stores the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's has its methods, not its class

    def data_received(self, data: bytes) -> None:
        """Receives whole or partial orders."""
        for said in self._lines.cut(data):
            self._obey(Order.model_validate_json(said))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's word
        """Exits at once: with the parent gone, no answer could be stored."""
        # Without cleanup: SDK clients may wait for connections when they close.
        os._exit(0)

    def _obey(self, order: Order) -> None:
        if order.opening is not None:
            self._open(order.opening)
        if order.question is not None:
            asked = order.question
            self._under_way[asked.number] = asyncio.get_running_loop().create_task(self._answer(asked))
        if order.dropped is not None and (task := self._under_way.get(order.dropped)) is not None:
            task.cancel()

    def _open(self, opening: Opening) -> None:
        # Remembered for masking only: a traceback may quote a variable.
        self._secrets.update(opening.variables.values())
        try:
            self._providers[opening.provider] = provider_for(opening.model, opening.variables)
            said = line(Reply(opened=opening.provider))
        except Exception:  # noqa: BLE001 - a bug of ours is shown by the parent, where bugs are shown
            said = line(Reply(opened=opening.provider, bug=self._bug()))
        self._say(said)

    async def _answer(self, asked: Question) -> None:
        try:
            provider = self._providers[asked.provider]
            result = await provider.complete(asked.request, repetition=asked.repetition, timeout_s=asked.timeout_s)
            if isinstance(result, Completion):
                reply = Reply(number=asked.number, completion=result, allowance=result.allowance)
            else:
                reply = Reply(number=asked.number, error=result)
            said = line(reply)
        except Exception:  # noqa: BLE001 - as above
            said = line(Reply(number=asked.number, bug=self._bug()))
        finally:
            del self._under_way[asked.number]
        self._say(said)

    def _bug(self) -> str:
        return masked(traceback.format_exc(), self._secrets).encode(errors="backslashreplace").decode()

    def _say(self, said: bytes) -> None:
        assert self._transport is not None
        self._transport.write(said)
