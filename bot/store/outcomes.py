"""The shared outcome store as one repository uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from bot.store.records import Records
    from schemas.outcomes import StoredCompletion
    from schemas.ports import CallKey, Clock, OutcomeStore


class NotedOutcomes:
    """``OutcomeStore`` of one repository: what it asks for is noted in the bot's database first, in as few transactions
    as possible. Raises StoreError, before anything is paid, when the App was removed from the repository."""

    def __init__(self, store: OutcomeStore, records: Records, repository_id: int, clock: Clock) -> None:
        self._store = store
        self._records = records
        self._clock = clock
        self._repository = repository_id
        self._noted: set[str] = set()
        self._waiting: set[str] = set()
        self._turn = asyncio.Lock()

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """The newest row of each key that there is."""
        await self._note({digest for digest, _ in keys})
        return await self._store.get(keys)

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Returns when the rows are synced."""
        await self._store.put(rows)

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """The keys that were won."""
        await self._note({digest for digest, _ in keys})
        return await self._store.claim(keys)

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Gives up claims."""
        await self._store.release(keys)

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Every row of each request digest, oldest first."""
        return await self._store.history(digests)

    async def plan(self, content_digest: str) -> JsonValue:
        """The plan that was kept under this digest."""
        await self._note({content_digest})
        return await self._store.plan(content_digest)

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Keeps the first plan of a digest."""
        await self._note({content_digest})
        return await self._store.keep_plan(content_digest, plan)

    async def aclose(self) -> None:
        """Nothing: the store is shared, and closed by who opened it."""

    async def _note(self, digests: set[str]) -> None:
        fresh = digests - self._noted
        if not fresh:
            return
        self._waiting |= fresh
        async with self._turn:  # what arrives meanwhile goes together in the next transaction
            some = (self._waiting | fresh) - self._noted
            self._waiting = set()
            if some:
                await asyncio.to_thread(self._records.use_outcomes, self._repository, some, self._clock.utc())
                self._noted |= some
