"""Adapts the number of concurrent calls of one key: additive increase, multiplicative decrease. Tells refusals that our
rate causes from those that it doesn't (an overloaded server behind a gateway)."""

from __future__ import annotations

import asyncio
from collections import deque

from engine.runner.slots import Slots
from schemas.outcomes import Allowance
from schemas.ports import Clock

START = 16
"""Calls under way at first; doubles each round trip until the provider says stop, like TCP's slow start."""
LEAST = 2.0
TOLERATED = 0.2
"""Share of 429s that doesn't slow the key down: each refused call waits for its ``Retry-After``, the others go on."""
ALARM = 3.0
"""Excess refusals that trigger a slowdown (the bound of a CUSUM test; Page, Biometrika 1954)."""
JUDGED = 32
"""Calls after a slowdown that show whether it helped."""
HOPELESS = 0.6
"""Share of refusals that triggers the next slowdown before the last one is judged."""
MOST_BACKGROUND = 0.5
"""If more than half is refused at any rate, the refusals are about this key."""


class Limiter(Slots):
    """Slots of one key, shared by everything that uses it.

    Many 429s halve the limit. If most calls were refused, the whole key also waits as long as ``Retry-After`` says. If
    half as many calls are refused as often as before, the refusals are not about our rate: that share is the background
    from then on, the limit is restored, and only what is refused beyond it slows the key down. Where 20, 30 and 40% are
    refused at random, a run would take 1.4, 2.3 and 3.2 times as long without that (tests/run/test_limiter.py simulates
    such a provider).
    """

    def __init__(self, clock: Clock, most: int) -> None:
        super().__init__(min(START, most))
        self._clock = clock
        self._most = float(most)
        self._refused_at: float | None = None
        """The limit at the last slowdown."""
        self._background = 0.0
        """Share of 429s that slowing down does not change."""
        self._excess = 0.0
        """The CUSUM: refusals beyond what is tolerated; and of how many calls, since it was 0 the last time."""
        self._calls = self._refusals = 0
        self._before: float | None = None
        """Share of refusals before the last slowdown, while that is being judged."""
        self._tokens_per_call = 0.0
        self._resume_at = 0.0
        self._begun = self._cut_at = 0
        """Calls begun so far, and by the last cut."""
        self._unknown: deque[int] = deque()
        """Calls begun that are not counted yet, in order."""
        self._waking: asyncio.Task[None] | None = None

    def began(self) -> int:
        """Registers a call that got its slot; returns the number to report its outcome with."""
        self._begun += 1
        self._unknown.append(self._begun)
        return self._begun

    def succeeded(self, number: int, allowance: Allowance | None = None, tokens: int = 0) -> None:
        """The call went through and had ``tokens``: climb. Where the headers say that what is left is only enough for
        the calls that are under way, wait for the reset instead of a 429."""
        if 2 * self._busy >= self._limit:  # a limit that is never reached says nothing about the provider
            self._limit = min(self._most, self._limit + self._step())
        self._count(number, 0, None)
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
        """No answer came to the call in time. Servers that queue instead of refusing say in this way that there are too
        many: halve the limit, once for all calls of a round. Whether fewer are under way now than beside that call."""
        if number > self._cut_at and self.limit > LEAST:
            self._cut_at, self._refused_at = self._begun, self._limit
            self._limit = max(LEAST, self._limit / 2)
            self._begin(None)
        return number <= self._cut_at

    def _count(self, number: int, refused: int, retry_after_s: float | None) -> None:
        """Takes what became of a call into account, unless it belongs to the round before the last cut.

        A refusal is quick, an answer takes its time: calls that began earlier and are still under way were let in."""
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
        tolerated = HOPELESS if judging else TOLERATED + 1.25 * self._background
        self._excess = max(0.0, self._excess + refused - tolerated)
        if self._excess > ALARM:
            self._cut(max(self._refusals / self._calls, HOPELESS if judging else 0.0), retry_after_s)
        elif judging and self._calls >= JUDGED:
            self._judge(self._refusals / self._calls)
        elif not judging and not self._excess:
            self._calls = self._refusals = 0

    def _judge(self, share: float) -> None:
        """Decides whether the last slowdown helped; if it didn't, ``share`` is refused at any rate."""
        assert self._before is not None
        helped = share - self._background <= (self._before - self._background) / 2
        if not helped and share <= MOST_BACKGROUND:
            self._background = share
            self._limit, self._refused_at = self._refused_at or self._limit, None
        self._begin(None)

    def _begin(self, before: float | None) -> None:
        self._before, self._excess, self._calls, self._refusals = before, 0.0, 0, 0

    def _cut(self, share: float, retry_after_s: float | None) -> None:
        self._cut_at = self._begun
        self._refused_at = self._limit
        self._limit = max(LEAST, self._limit / 2)
        self._begin(share)
        if retry_after_s and share - self._background > (1 - self._background) / 2:
            self._pause(retry_after_s)

    def _step(self) -> float:
        """Doubles in each round trip until the first refusal; after one quickly back to near where it came, then slowly
        on, as in CUBIC (RFC 9438)."""
        if self._refused_at is None:
            return 1.0
        return (4 if self._limit < 0.8 * self._refused_at else 0.5) / self._limit

    def _pause(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, self._clock.monotonic() + seconds)

    def paused(self) -> bool:
        """Returns whether the provider is not to be asked yet; slots are given again when that is over."""
        if self._clock.monotonic() >= self._resume_at:
            return False
        if self._waking is None or self._waking.done():
            self._waking = asyncio.get_running_loop().create_task(self._wake())
        return True

    async def _wake(self) -> None:
        while (left := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._waking = None
        self.serve()
