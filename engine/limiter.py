"""How many calls one key has under way: found out, not guessed. Additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio
from collections import deque

from schemas.outcomes import Allowance
from schemas.ports import Clock

START = 16
"""Calls under way at first; doubles each round trip until the provider says stop, like TCP's slow start."""


LEAST = 2.0


class Limiter:
    """Slots of one key, shared by everything that uses it. Retries are served before new calls, so nobody starves."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = float(most)
        self._limit = min(float(START), self._most)
        self._refused_at: float | None = None
        """The limit that was too much, at the last time that one was."""
        self._busy = 0
        self._tokens_per_call = 0.0
        self._resume_at = 0.0
        self._last_cut = -1.0
        self._retries: deque[asyncio.Future[None]] = deque()
        self._new: deque[asyncio.Future[None]] = deque()
        self._waking: asyncio.Task[None] | None = None

    @property
    def limit(self) -> int:
        """Calls that may be under way now."""
        return max(1, int(self._limit))

    async def acquire(self, *, retry: bool = False) -> float:
        """Waits for a slot; the time at which it was given, to be handed back to ``throttled``."""
        if self._busy < self.limit and not self._paused() and not self._retries and not self._new:
            self._busy += 1
            return self._clock.monotonic()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._retries if retry else self._new
        queue.append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the slot was given in the same moment
                self.release()
            raise
        return self._clock.monotonic()

    def release(self) -> None:
        """Gives the slot back."""
        self._busy -= 1
        self._serve()

    def succeeded(self, allowance: Allowance | None = None, tokens: int = 0) -> None:
        """A call of ``tokens`` went through: climb. Where the headers say that what is left is only enough for the
        calls that are under way, wait for the reset instead of a 429."""
        self._limit = min(self._most, self._limit + self._step())
        self._tokens_per_call += 0.1 * (tokens - self._tokens_per_call)
        if allowance is None:
            return
        if allowance.requests is not None and allowance.requests <= self._busy:
            self._pause(allowance.requests_reset_s or 0)
        if allowance.tokens is not None and allowance.tokens <= self._busy * self._tokens_per_call:
            self._pause(allowance.tokens_reset_s or 0)

    def throttled(self, started: float, retry_after_s: float | None) -> None:
        """The provider said 429 to a call that started at ``started``: halve, once for all calls of the same round."""
        if started > self._last_cut:
            self._last_cut = self._clock.monotonic()
            self._refused_at = self._limit
            self._limit = max(LEAST, self._limit / 2)
        if retry_after_s:
            self._pause(retry_after_s)

    def _step(self) -> float:
        """Doubles in each round trip until the first refusal; after one quickly back to near where it came, then slowly
        on, as in CUBIC (RFC 9438)."""
        if self._refused_at is None:
            return 1.0
        return (4 if self._limit < 0.8 * self._refused_at else 0.5) / self._limit

    def _pause(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, self._clock.monotonic() + seconds)

    def _paused(self) -> bool:
        return self._clock.monotonic() < self._resume_at

    def _serve(self) -> None:
        while self._busy < self.limit and (queue := self._retries or self._new):
            if self._paused():
                self._wake_later()
                return
            turn = queue.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)

    def _wake_later(self) -> None:
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        while (left := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._waking = None
        self._serve()
