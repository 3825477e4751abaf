"""The machine's clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The ``Clock`` port on the real time."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Returns the time of day, UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleeps on the running event loop."""
        await asyncio.sleep(seconds)
