"""The machine's clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The ``Clock`` port with the real time."""

    def monotonic(self) -> float:
        """Returns seconds from an arbitrary start."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Returns the current time in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleeps on the running event loop."""
        await asyncio.sleep(seconds)
