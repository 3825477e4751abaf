"""Keeps the newest line of progress of a run where pages read it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bot.store.async_records import AsyncRecords
    from schemas.ports import Clock

PROGRESS_S = 2.0
"""Seconds between two notes. A page reads them."""


@asynccontextmanager
async def noting(records: AsyncRecords, clock: Clock, run_id: str) -> AsyncIterator[Callable[[str], None]]:
    """Gives a function that takes lines, and notes the newest one until the end."""
    line = ""

    def report(newest: str) -> None:
        nonlocal line
        line = newest

    async def show() -> None:
        shown = ""
        while True:
            await clock.sleep(PROGRESS_S)
            if line != shown:
                shown = line
                await records.note_progress(run_id, shown)

    showing = asyncio.create_task(show())
    try:
        yield report
    finally:
        showing.cancel()
