"""An outcome store in which a run finds only its own answers to a watch's requests, and those of the same day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from schemas.outcomes import StoredCompletion
from schemas.ports import CallKey, OutcomeStore
from schemas.values import digest_of

Served = Counter[tuple[str, str | None]]
"""Number of answers by model and fingerprint, as the provider reported them."""


class FreshAnswers:
    """``OutcomeStore`` around another one.

    ``asks`` names the requests of the watch by their digests, each with the experiment it belongs to. They are kept
    under names of their own with ``mark``, such as the day: a run that was killed goes on with its paid answers, and
    no other day's answer replaces a new one. All other requests, such as those to judges, are shared as usual.
    """

    def __init__(self, store: OutcomeStore, mark: str, asks: Mapping[str, tuple[str, str]]) -> None:
        self._store = store
        self._own = {digest: digest_of(["watch", mark, digest]) for digest in asks}
        self._plain = {own: digest for digest, own in self._own.items()}
        self._asks = asks
        self._seen: set[CallKey] = set()
        self.served: dict[tuple[str, str], Served] = {key: Counter() for key in asks.values()}
        """By lineage and model."""

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """Returns the newest row of each key that exists."""
        rows = await self._store.get([self._named(key) for key in keys])
        found = {(self._plain.get(digest, digest), number): row for (digest, number), row in rows.items()}
        return {key: self._noted(row.model_copy(update={"request_digest": key[0]})) for key, row in found.items()}

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Returns when the rows are synced."""
        await self._store.put(
            [row.model_copy(update={"request_digest": self._name(row.request_digest)}) for row in rows]
        )
        for row in rows:
            self._noted(row)

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Returns the keys that were won."""
        won = await self._store.claim([self._named(key) for key in keys])
        return frozenset((self._plain.get(digest, digest), number) for digest, number in won)

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Gives up claims."""
        await self._store.release([self._named(key) for key in keys])

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Returns every row of each request digest, of all days but a watch's."""
        return await self._store.history(digests)

    async def plan(self, content_digest: str) -> JsonValue:
        """Returns the plan that was kept under this digest."""
        return await self._store.plan(content_digest)

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Keeps the first plan of a digest and returns it."""
        return await self._store.keep_plan(content_digest, plan)

    async def aclose(self) -> None:
        """Closes the store."""
        await self._store.aclose()

    def _name(self, digest: str) -> str:
        return self._own.get(digest, digest)

    def _named(self, key: CallKey) -> CallKey:
        return self._name(key[0]), key[1]

    def _noted(self, row: StoredCompletion) -> StoredCompletion:
        """Counts a row once by the model that the provider reported."""
        asked, key = self._asks.get(row.request_digest), (row.request_digest, row.repetition)
        if asked is not None and key not in self._seen:
            self._seen.add(key)
            self.served[asked][row.completion.model, row.completion.fingerprint] += 1
        return row
