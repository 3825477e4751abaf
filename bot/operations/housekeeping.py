"""Retention in both stores. A removed installation leaves nothing behind, not even in the shared outcome store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from bot.store.async_records import AsyncRecords

if TYPE_CHECKING:
    from bot.store.records import Records
    from bot.store.retention import Retention

UNDER_WAY = timedelta(hours=1)
"""How long after a removal an answer may still be written, by a call that was already paid."""
WRONG_CLOCK = timedelta(days=1)
"""Answers dated further ahead were stored by a machine with a wrong clock: their age is unknown."""
BATCH = 500


class ForgettingStore(Protocol):
    """An outcome store that can delete (``adapters.store``)."""

    async def forget(self, digests: Collection[str]) -> int:
        """Deletes all answers to these requests and the plans of these contents; returns the number of rows."""
        ...

    async def prune(self, *, older_than: str, newer_than: str) -> int:
        """Deletes answers outside these times (UTC, ISO 8601); returns the number of rows."""
        ...


async def keep_house(records: Records, store: ForgettingStore, retention: Retention, at: datetime) -> int:
    """Applies ``retention`` to both stores and deletes the answers of removed repositories.

    Returns the number of deleted rows. Raises StoreError; the next call does what is left.
    """
    deleted = await AsyncRecords(records).prune(retention, at)
    oldest, newest = (
        moment.isoformat(timespec="microseconds")
        for moment in (at - timedelta(days=retention.texts_days), at + WRONG_CLOCK)
    )
    deleted += await store.prune(older_than=oldest, newer_than=newest)
    return deleted + await forget_orphans(records, store, at)


async def forget_orphans(records: Records, store: ForgettingStore, at: datetime) -> int:
    """Deletes the answers that only removed repositories used; returns the number of rows. Raises StoreError."""
    kept = AsyncRecords(records)
    deleted, last = 0, ""
    while digests := await kept.orphaned_outcomes(after=last, limit=BATCH):
        # The store first: after a crash in between, the digests are still listed and are deleted again.
        deleted += await store.forget(digests)
        await kept.outcomes_deleted(digests, before=at - UNDER_WAY)
        # Recently orphaned digests stay listed, so the loop goes on behind them instead of starting over.
        last = digests[-1]
    return deleted
