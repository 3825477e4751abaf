"""Bounds concurrent calls. Retries are served before new calls, so no call starves."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A number of slots, shared by any number of tasks. First come, first served, but retries come before new calls."""

    def __init__(self, limit: int) -> None:
        self._limit = float(limit)
        self._busy = 0
        self._retries: deque[asyncio.Future[None]] = deque()
        self._new: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Number of calls that may be in flight now."""
        # At least one, or no call could ever raise the limit again.
        return max(1, int(self._limit))

    async def acquire(self, *, retry: bool = False) -> None:
        """Waits for a slot and takes it."""
        # A newcomer must not overtake tasks that already wait.
        if self._busy < self.limit and not self.paused() and not self._retries and not self._new:
            self._busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A retry has already waited and holds reserved budget, so it goes first.
        queue = self._retries if retry else self._new
        queue.append(turn)
        self.serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the slot was given just before the cancellation
                self.release()
            raise

    def release(self) -> None:
        """Returns the slot."""
        self._busy -= 1
        self.serve()

    def serve(self) -> None:
        """Gives free slots to waiting tasks."""
        while self._busy < self.limit and (queue := self._retries or self._new) and not self.paused():
            turn = queue.popleft()
            # A cancelled task leaves its future in the queue.
            if not turn.done():
                self._busy += 1
                turn.set_result(None)

    def paused(self) -> bool:
        """Returns whether slots are withheld for now. A subclass that returns True must call ``serve`` when that
        ends."""
        return False
