"""Makes provider calls in a child process, so that the SDKs run on another core.

Importing an SDK is slow, and most CPU time of a call is the SDK's. All decisions stay in this process: limiter,
retries, budget, store, scores, cancellation. The child (worker.py) has the SDKs' clients and their keys. If it dies,
its calls in flight become transport failures, which the runner retries. The next call starts another child.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from adapters.call_process.process import CallingProcess
from adapters.call_process.protocol import Lines, Opening, Order, Question, Reply, line
from adapters.providers.installed import check_sdk
from adapters.providers.open_provider import CA_BUNDLE, PROXY, key_for, key_name, provider_for
from schemas.config import ModelConfig
from schemas.outcomes import Completion, CompletionError, ErrorKind
from schemas.ports import ModelProvider
from schemas.prompts import Request

START_S = 60.0
"""Seconds in which a provider must open. On a busy machine, importing an SDK takes long."""
GRACE_S = 5.0
"""Seconds beyond a call's timeout, which the child enforces, until the child counts as dead."""
MOST_DEATHS = 3
"""Children that may die in a row without any answer. Then the next start waits ``REST_S``."""
REST_S = 30.0


class Caller:
    """Opens providers in one calling process, which they share. Closing it, or any provider, closes all.

    ``process`` is a process that is already running. The caller belongs to the event loop of its first call. A provider
    opened before that is imported in the background.
    """

    def __init__(self, process: CallingProcess | None = None) -> None:
        self._openings: list[Opening] = []
        self._numbers = itertools.count()
        self._child = None if process is None else Child(process)
        self._deaths = 0
        self._died_at = 0.0
        self._closed = False

    def provider(self, model: ModelConfig, environment: Mapping[str, str]) -> ModelProvider:
        """Opens the model's provider in the calling process. A model without a key is served in this process.

        Raises ConfigError if the origin may not receive the key, ProviderError if the key isn't set or the SDK isn't
        installed."""
        # Recorded and simulated models need no SDK and hold no secret, so they need no second process.
        if model.spec.key is None:
            return provider_for(model, environment)
        check_sdk(model)
        # Called for its errors: a missing key must be reported here and not by a call in the child.
        key_for(model, environment)
        # Only what this provider may read. The child has no other variable.
        variables = {name: environment[name] for name in (key_name(model), PROXY, CA_BUNDLE) if name in environment}
        if variables.get(CA_BUNDLE):
            variables[CA_BUNDLE] = str(Path(variables[CA_BUNDLE]).absolute())  # the child has another working folder
        opening = Opening(provider=len(self._openings), model=model, variables=variables)
        child = self._living()
        self._openings.append(opening)
        if child is not None:
            child.open(opening)
        return CalledProvider(self, opening.provider)

    def _living(self) -> Child | None:
        """Returns the running child, or a new one with every provider open. Returns None during the pause after
        repeated deaths, if the start fails, and after ``aclose``."""
        if self._closed:
            return None
        child = self._child
        if child is not None and not child.gone:
            return child
        if child is not None:
            self._died()
        # A child that dies at once would otherwise be started again for every call.
        if self._deaths >= MOST_DEATHS and time.monotonic() - self._died_at < REST_S:
            return None
        try:
            self._child = child = Child(CallingProcess())
        except OSError:
            self._died()
            return None
        # A new child knows nothing, so every provider is opened again.
        for opening in self._openings:
            child.open(opening)
        return child

    async def ask(
        self, provider: int, request: Request, repetition: int, timeout_s: float
    ) -> Completion | CompletionError:
        """Makes one attempt. The child enforces the timeout; ours catches a child that hangs."""
        child = self._living()
        if child is None:
            return _failure("the calling process doesn't start", billed=False)
        if not child.has_opened(provider) and not await child.opens(provider):
            return _failure(f"the calling process ended before the call ({child.ending})", billed=False)
        number = next(self._numbers)
        answer = child.ask(
            Question(number=number, provider=provider, request=request, repetition=repetition, timeout_s=timeout_s)
        )
        try:
            try:
                async with asyncio.timeout(timeout_s + GRACE_S / 2):
                    # Shielded, because the timeout would cancel the future, and a late answer would be lost.
                    reply = await asyncio.shield(answer)
            except TimeoutError:  # this process may have been suspended; read what the child sent meanwhile
                async with asyncio.timeout(GRACE_S / 2):
                    reply = await answer
        except TimeoutError:
            # The child enforces the timeout itself. If it doesn't, its event loop is stuck.
            child.end("it did not answer")
            return CompletionError(kind=ErrorKind.TIMEOUT, message=f"no answer within {timeout_s:g} s", billed=True)
        finally:
            # Also after a cancellation: the child would go on with a call whose answer has no reader.
            child.forget(number)
        if reply is None:
            # The request may have been sent, so it counts as billed.
            return _failure(f"the calling process ended during the call ({child.ending})", billed=True)
        # An answer shows that the process works, so only deaths in a row count.
        self._deaths = 0
        if reply.completion is not None:
            left = reply.allowance
            return reply.completion if left is None else reply.completion.model_copy(update={"allowance": left})
        if reply.error is None:
            raise RuntimeError(f"in the calling process: {reply.bug}")
        return reply.error

    def close(self) -> None:
        """Ends the child for good. A late retry could not store its answer, so no new child is started."""
        self._closed = True
        if self._child is not None:
            self._child.end("it was closed")

    def _died(self) -> None:
        self._child = None
        self._deaths += 1
        self._died_at = time.monotonic()


@dataclass(frozen=True)
class CalledProvider:
    """``ModelProvider`` in the calling process."""

    caller: Caller
    number: int

    async def complete(self, request: Request, *, repetition: int, timeout_s: float) -> Completion | CompletionError:
        """Returns one attempt."""
        return await self.caller.ask(self.number, request, repetition, timeout_s)

    async def aclose(self) -> None:
        """Ends the calling process and with it all connections."""
        self.caller.close()
        await asyncio.sleep(0)  # let the loop close the transport


class Child(asyncio.Protocol):
    """The connection to one calling process."""

    def __init__(self, process: CallingProcess) -> None:
        self._process = process
        self._connecting: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._transport: asyncio.WriteTransport | None = None
        self._unsent: list[bytes] = []
        self._lines = Lines()
        self._opened: dict[int, asyncio.Future[Reply | None]] = {}
        self._waiting: dict[int, asyncio.Future[Reply | None]] = {}
        self._open: set[int] = set()
        self.ending: str | None = None
        """Why it is gone."""

    @property
    def gone(self) -> bool:
        """Whether it takes no more calls."""
        return self.ending is not None

    def open(self, opening: Opening) -> None:
        """Tells the child to open a provider."""
        self._say(Order(opening=opening))

    def has_opened(self, provider: int) -> bool:
        """Returns whether it is ready for calls."""
        return provider in self._open and not self.gone

    async def opens(self, provider: int) -> bool:
        """Waits until the provider is open. Returns false if the child ended first."""
        loop = asyncio.get_running_loop()
        # Connected by the first waiter: providers may be opened before there is an event loop.
        if self._connecting is None:
            self._connecting = loop.create_task(self._stay_connected())
        opened = self._opened.setdefault(provider, loop.create_future())
        try:
            async with asyncio.timeout(START_S):
                reply = await asyncio.shield(opened)
        except TimeoutError:
            self.end("it did not start")
            return False
        if reply is not None and reply.bug is not None:
            raise RuntimeError(f"in the calling process: {reply.bug}")
        return reply is not None

    async def _stay_connected(self) -> None:
        """Connects, and stays until the line closes.

        A loop that ends cancels its tasks. Then this one hangs up, since a closed loop can't close a transport.
        """
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._process.line)
            await self._lost.wait()
        finally:
            self._hang_up()

    def ask(self, question: Question) -> asyncio.Future[Reply | None]:
        """Sends a call. The future gives ``None`` if the child ends first."""
        answer: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        if self.gone:
            answer.set_result(None)
        else:
            self._waiting[question.number] = answer
            self._say(Order(question=question))
        return answer

    def forget(self, number: int) -> None:
        """Cancels the call if it is still in flight."""
        if self._waiting.pop(number, None) is not None and not self.gone:
            self._say(Order(dropped=number))

    def end(self, why: str) -> None:
        """Kills the child. Safe from any thread: a worker is closed from outside its event loop."""
        self._process.end()
        self.ending = self.ending or why
        if self._connecting is None:
            self._process.line.close()
        else:
            try:
                self._connecting.get_loop().call_soon_threadsafe(self._hang_up)
            except RuntimeError:  # that loop is closed: no task waits in it
                self._process.line.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends what was queued, now that the event loop has taken over the line."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's has its methods, not its class
        if self.gone:
            self._hang_up()
        else:
            self._transport.write(b"".join(self._unsent))

    def data_received(self, data: bytes) -> None:
        """Receives whole or partial replies."""
        for said in self._lines.cut(data):
            try:
                reply = Reply.model_validate_json(said)
            except ValidationError:
                # The rest of the line can't be trusted after that. A new child starts clean.
                self.end("it sent an unreadable reply")
                return
            if reply.opened is not None:
                self._open.add(reply.opened)
                told = self._opened.setdefault(reply.opened, asyncio.get_running_loop().create_future())
            elif reply.number in self._waiting:
                told = self._waiting.pop(reply.number)
            else:
                continue
            if not told.done():
                told.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's word
        """Records that the child died."""
        if not self.gone:
            self.ending = f"with {self._process.end()}"
        self._hang_up()
        self._lost.set()

    def _say(self, order: Order) -> None:
        if self._transport is not None:
            self._transport.write(line(order))
        elif self._connecting is not None:
            self._unsent.append(line(order))
        else:
            self._process.say(line(order))

    def _hang_up(self) -> None:
        for told in (*self._opened.values(), *self._waiting.values()):
            if not told.done():
                told.set_result(None)
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()


def _failure(message: str, *, billed: bool) -> CompletionError:
    return CompletionError(kind=ErrorKind.TRANSPORT, message=message, billed=billed)
