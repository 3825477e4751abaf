"""Adapts the number of concurrent calls of one key: additive increase, multiplicative decrease.

Distinguishes refusals that our rate causes from those that it doesn't, such as those of an overloaded server behind a
gateway.
"""

from __future__ import annotations

import asyncio
from collections import deque

from engine.runner.slots import Slots
from schemas.outcomes import Allowance
from schemas.ports import Clock

START = 16
"""Concurrent calls at the start. The limit doubles each round trip until the first refusal, like TCP's slow start."""
LEAST = 2.0
TOLERATED = 0.2
"""Share of 429s that doesn't slow the key down. Each refused call waits for its ``Retry-After``; the others go on."""
ALARM = 3.0
"""Excess refusals that trigger a slowdown (the bound of a CUSUM test; Page, Biometrika 1954)."""
JUDGED = 32
"""Number of calls after a slowdown from which it is judged."""
HOPELESS = 0.6
"""Share of refusals that triggers another slowdown before the last one is judged."""
MOST_BACKGROUND = 0.5
"""Largest share of refusals that counts as unrelated to our rate. With more, the refusals are about this key."""


class Limiter(Slots):
    """Slots of one key, shared by everything that uses it.

    Many 429s halve the limit. If most calls were refused, the whole key also waits for ``Retry-After``. A slowdown that
    doesn't halve the share of refusals didn't help: the refusals are not about our rate. From then on, that share is
    the background, the limit is restored, and only refusals beyond it slow the key down. With 20, 30 and 40% random
    refusals, a run would otherwise take 1.4, 2.3 and 3.2 times as long (tests/run/test_limiter.py simulates such a
    provider).
    """

    def __init__(self, clock: Clock, most: int) -> None:
        super().__init__(min(START, most))
        self._clock = clock
        self._most = float(most)
        self._refused_at: float | None = None
        """The limit at the last slowdown."""
        self._background = 0.0
        """Share of 429s that slowing down doesn't change."""
        self._excess = 0.0
        """The CUSUM: refusals beyond the tolerated share. ``_calls`` and ``_refusals`` count since it was last 0."""
        self._calls = self._refusals = 0
        self._before: float | None = None
        """Share of refusals before the last slowdown, while that slowdown is judged."""
        self._tokens_per_call = 0.0
        self._resume_at = 0.0
        self._begun = self._cut_at = 0
        """Calls begun so far, and at the last slowdown."""
        self._unknown: deque[int] = deque()
        """Calls that began and whose result isn't counted yet, in order."""
        self._waking: asyncio.Task[None] | None = None

    def began(self) -> int:
        """Registers a call that got its slot. Returns the number to report its result with."""
        self._begun += 1
        self._unknown.append(self._begun)
        return self._begun

    def succeeded(self, number: int, allowance: Allowance | None = None, tokens: int = 0) -> None:
        """Reports a successful call with this number of ``tokens``, and raises the limit.

        If the headers allow only the calls in flight, waits for the reset instead of causing a 429.
        """
        if 2 * self._busy >= self._limit:  # an unused limit says nothing about the provider
            self._limit = min(self._most, self._limit + self._step())
        self._count(number, 0, None)
        # A moving average, to estimate what the calls in flight will still use.
        self._tokens_per_call += 0.1 * (tokens - self._tokens_per_call)
        if allowance is None:
            return
        if allowance.requests is not None and allowance.requests <= self._busy:
            self._pause(allowance.requests_reset_s or 0)
        if allowance.tokens is not None and allowance.tokens <= self._busy * self._tokens_per_call:
            self._pause(allowance.tokens_reset_s or 0)

    def throttled(self, number: int, retry_after_s: float | None) -> None:
        """Reports a 429."""
        self._count(number, 1, retry_after_s)

    def timed_out(self, number: int) -> bool:
        """Reports a timeout. Halves the limit, once for all calls of a round.

        Servers that queue requests instead of refusing them time out under too many. Returns whether fewer calls are in
        flight now than at the time of that call.
        """
        if number > self._cut_at and self.limit > LEAST:
            self._cut_at, self._refused_at = self._begun, self._limit
            self._limit = max(LEAST, self._limit / 2)
            self._begin(None)
        return number <= self._cut_at

    def _count(self, number: int, refused: int, retry_after_s: float | None) -> None:
        """Counts the result of a call, unless it belongs to the round before the last slowdown.

        Refusals come fast and answers take time. So earlier calls that are still in flight count as accepted.
        """
        # Already counted as accepted when a later call's result came first. Its success must not count twice.
        known = not self._unknown or number < self._unknown[0]
        while self._unknown and self._unknown[0] <= number:
            if self._cut_at < self._unknown.popleft() < number:
                self._weigh(0, None)
        if number > self._cut_at and (refused or not known):
            self._weigh(refused, retry_after_s)

    def _weigh(self, refused: int, retry_after_s: float | None) -> None:
        self._calls += 1
        self._refusals += refused
        judging = self._before is not None
        # While a slowdown is judged, its effect is not visible yet. Cutting again would overshoot.
        tolerated = HOPELESS if judging else TOLERATED + 1.25 * self._background
        # Never below 0: a long quiet phase must not hide a sudden wave of refusals.
        self._excess = max(0.0, self._excess + refused - tolerated)
        if self._excess > ALARM:
            self._cut(max(self._refusals / self._calls, HOPELESS if judging else 0.0), retry_after_s)
        elif judging and self._calls >= JUDGED:
            self._judge(self._refusals / self._calls)
        elif not judging and not self._excess:
            self._calls = self._refusals = 0

    def _judge(self, share: float) -> None:
        """Decides whether the last slowdown helped. If it didn't, ``share`` becomes the background."""
        assert self._before is not None
        helped = share - self._background <= (self._before - self._background) / 2
        # The refusals have another cause, so a lower limit would only cost time.
        if not helped and share <= MOST_BACKGROUND:
            self._background = share
            # The former limit is restored at once, and without a refusal to remember it may double again.
            self._limit, self._refused_at = self._refused_at or self._limit, None
        self._begin(None)

    def _begin(self, before: float | None) -> None:
        self._before, self._excess, self._calls, self._refusals = before, 0.0, 0, 0

    def _cut(self, share: float, retry_after_s: float | None) -> None:
        # Calls that are already in flight began under the old limit, so they say nothing about the new one.
        self._cut_at = self._begun
        self._refused_at = self._limit
        self._limit = max(LEAST, self._limit / 2)
        self._begin(share)
        if retry_after_s and share - self._background > (1 - self._background) / 2:
            self._pause(retry_after_s)

    def _step(self) -> float:
        """Returns the increase of the limit after a success.

        It doubles the limit each round trip until the first refusal. Afterwards the limit rises quickly to near the
        last refusal and then slowly, as in CUBIC (RFC 9438).
        """
        if self._refused_at is None:
            return 1.0
        return (4 if self._limit < 0.8 * self._refused_at else 0.5) / self._limit

    def _pause(self, seconds: float) -> None:
        # A later, shorter pause must not end a longer one early.
        self._resume_at = max(self._resume_at, self._clock.monotonic() + seconds)

    def paused(self) -> bool:
        """Returns whether calls have to wait for the provider. Slots are given again after that."""
        if self._clock.monotonic() >= self._resume_at:
            return False
        # With no call in flight, no release would serve the queue after the pause.
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._wake())
        return True

    async def _wake(self) -> None:
        # Another refusal may extend the pause meanwhile.
        while (left := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._waking = None
        self.serve()
