"""What is done now and then: retention in both stores. Removed installations leave nothing behind, in the shared
outcome store neither."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bot.store.records import Records
    from bot.store.retention import Retention

UNDER_WAY = timedelta(hours=1)
"""A call that was paid when the App was removed may still be written: so long its row is looked for again."""
WRONG_CLOCK = timedelta(days=1)
"""An outcome that is dated so far ahead was stored by a machine whose clock was wrong: its age can't be told."""
TOGETHER = 500


class ForgettingStore(Protocol):
    """An outcome store that can let go (``adapters.store``)."""

    async def forget(self, digests: Collection[str]) -> int:
        """Deletes everything of these requests, and the plans of these contents; how many rows."""
        ...

    async def prune(self, *, older_than: str, newer_than: str) -> int:
        """Deletes what was made before, or is dated after (UTC, ISO 8601); how many rows."""
        ...


async def keep_house(records: Records, store: ForgettingStore, retention: Retention, at: datetime) -> int:
    """What a sweep does now and then: retention in both stores, and the outcomes of removed repositories. How many rows
    went. Raises StoreError; what was not done then is done the next time."""
    went = await asyncio.to_thread(records.prune, retention, at)
    oldest, newest = (
        moment.isoformat(timespec="microseconds")
        for moment in (at - timedelta(days=retention.texts_days), at + WRONG_CLOCK)
    )
    went += await store.prune(older_than=oldest, newer_than=newest)
    return went + await forget_orphans(records, store, at)


async def forget_orphans(records: Records, store: ForgettingStore, at: datetime) -> int:
    """Deletes from the outcome store what only removed repositories used; how many rows. To be called by every sweep.
    Raises StoreError; what was not done then is done the next time."""
    deleted, last = 0, ""
    while digests := await asyncio.to_thread(records.orphaned_outcomes, after=last, limit=TOGETHER):
        deleted += await store.forget(digests)
        await asyncio.to_thread(records.outcomes_deleted, digests, before=at - UNDER_WAY)
        last = digests[-1]
    return deleted
