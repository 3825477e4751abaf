"""The shared outcome store as one repository uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from bot.store.async_records import AsyncRecords
from schemas.values import digest_of

if TYPE_CHECKING:
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.outcomes import StoredCompletion
    from schemas.ports import CallKey, Clock, OutcomeStore


class RepositoryOutcomes:
    """``OutcomeStore`` of one repository.

    The bot's database first records which rows the repository asks for, in as few transactions as possible. Raises
    StoreError, before anything is paid, if the App was removed from the repository.

    Keys contain the installation: a count of stored answers must not tell one account what another has asked.
    """

    def __init__(self, store: OutcomeStore, records: Records, repo: RepositoryRef, clock: Clock) -> None:
        self._store = store
        self._records = AsyncRecords(records)
        self._clock = clock
        self._repo = repo
        self._noted: set[str] = set()
        self._waiting: set[str] = set()
        self._turn = asyncio.Lock()

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """Returns the newest row of each key that exists."""
        own = self._own_keys(keys)
        await self._note({digest for digest, _ in own})
        rows = await self._store.get(list(own))
        return {own[key]: _renamed(row, own[key][0]) for key, row in rows.items()}

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Returns when the rows are synced."""
        await self._store.put([_renamed(row, self._own(row.request_digest)) for row in rows])

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Returns the keys that were won."""
        own = self._own_keys(keys)
        await self._note({digest for digest, _ in own})
        return frozenset(own[key] for key in await self._store.claim(list(own)))

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Gives up claims."""
        await self._store.release(list(self._own_keys(keys)))

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Returns every row of each request digest, oldest first."""
        own = {self._own(digest): digest for digest in digests}
        found = await self._store.history(list(own))
        return {own[key]: tuple(_renamed(row, own[key]) for row in rows) for key, rows in found.items()}

    async def plan(self, content_digest: str) -> JsonValue:
        """Returns the plan that was kept under this digest."""
        own = self._own(content_digest)
        await self._note({own})
        return await self._store.plan(own)

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Keeps the first plan of a digest and returns it."""
        own = self._own(content_digest)
        await self._note({own})
        return await self._store.keep_plan(own, plan)

    def _own(self, digest: str) -> str:
        return digest_of([self._repo.installation_id, digest])

    def _own_keys(self, keys: Sequence[CallKey]) -> dict[CallKey, CallKey]:
        return {(self._own(digest), repetition): (digest, repetition) for digest, repetition in keys}

    async def aclose(self) -> None:
        """Does nothing: the store is shared, and its owner closes it."""

    async def _note(self, digests: set[str]) -> None:
        fresh = digests - self._noted
        if not fresh:
            return
        self._waiting |= fresh
        async with self._turn:  # digests that arrive meanwhile share the next transaction
            some = (self._waiting | fresh) - self._noted
            self._waiting = set()
            if some:
                await self._records.use_outcomes(self._repo.repository_id, some, self._clock.utc())
                # Only after the transaction: a failure must be noticed again by the next call.
                self._noted |= some


def _renamed(row: StoredCompletion, digest: str) -> StoredCompletion:
    return row.model_copy(update={"request_digest": digest})
