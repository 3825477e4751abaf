"""The store port on a database. Writes of many tasks share one transaction and one sync."""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pydantic import JsonValue

from adapters.store.backend import Backend, StoreStats, Write
from adapters.store.rows import Row, from_row, is_sound, plan_row, to_row
from schemas.errors import StoreError
from schemas.outcomes import StoredCompletion
from schemas.ports import CallKey

T = TypeVar("T")
MOST_TOGETHER = 1000
"""Most writes in one transaction."""

UNREADABLE = "it was written by another version; upgrade, or move the file away and run again"

log = logging.getLogger("outcomes")


class CommittedStore:
    """``OutcomeStore`` on a backend. Writes that arrive during a sync share the next one."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._writes: queue.SimpleQueue[tuple[Callable[[Write], Any], Future[Any]] | None] = queue.SimpleQueue()
        # One thread for all writes: a backend allows one transaction at a time, from one thread.
        self._writer = threading.Thread(target=self._commit_all, name="store-writer", daemon=True)
        self._writer.start()
        # Reads don't wait behind a sync, so they have a thread of their own.
        self._readers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")
        self._owed: set[CallKey] = set()
        """Claims to release, including those that an earlier attempt could not release."""
        self._closed = False

    async def get(self, keys: Sequence[CallKey]) -> Mapping[CallKey, StoredCompletion]:
        """Returns the newest row of each key."""
        wanted = frozenset(keys)
        rows = await self._read(lambda: self._backend.rows(list({digest for digest, _ in wanted})))
        found: dict[CallKey, StoredCompletion] = {}
        # Rows come oldest first. The newest undamaged row of a key counts.
        for row in reversed(rows):
            key = (row[0], row[1])
            if key in wanted and key not in found and (one := _understood(row)) is not None:
                found[key] = one
        return found

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Stores rows. Returns when they are synced to disk."""
        texts = [to_row(row) for row in rows]
        await self._write(lambda write: write.put(texts))

    async def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims keys and returns those that no other live process holds."""
        # Claims that could not be released would block other processes. The next claim retries them.
        if self._owed:
            await self.release([])
        return await self._write(lambda write: write.claim(keys))

    async def release(self, keys: Sequence[CallKey]) -> None:
        """Releases our claims of these keys. Claims that could not be released are retried at the next claim."""
        self._owed.update(keys)
        owed = list(self._owed)
        await self._write(lambda write: write.release(owed))
        # Only after the write: if it failed, the claims are still owed.
        self._owed.difference_update(owed)

    async def history(self, digests: Sequence[str]) -> Mapping[str, tuple[StoredCompletion, ...]]:
        """Returns every row of each request, oldest first."""
        found: dict[str, list[StoredCompletion]] = {}
        for row in await self._read(lambda: self._backend.rows(list(dict.fromkeys(digests)))):
            if (one := _understood(row)) is not None:
                found.setdefault(one.request_digest, []).append(one)
        return {digest: tuple(rows) for digest, rows in found.items()}

    async def plan(self, content_digest: str) -> JsonValue:
        """Returns the stored plan, or ``None``."""
        row = await self._read(lambda: self._backend.plan(content_digest))
        return None if row is None or not _is_whole(row) else _json(row[1])

    async def keep_plan(self, content_digest: str, plan: JsonValue) -> JsonValue:
        """Stores the first plan of a digest. Returns the stored plan."""
        row = plan_row(content_digest, json.dumps(plan, sort_keys=True, separators=(",", ":")))
        kept = await self._write(lambda write: write.keep_plan(row))
        return _json(kept[1])

    async def forget(self, digests: Collection[str]) -> int:
        """Deletes all rows of these requests and the plans of these contents. Returns how many."""
        wanted = list(digests)
        return await self._write(lambda write: write.forget(wanted))

    async def prune(
        self, *, older_than: str | None = None, newer_than: str | None = None, max_bytes: int | None = None
    ) -> int:
        """Deletes completions and returns how many.

        Deletes those made before ``older_than`` (UTC, ISO 8601), then the oldest until the database is below
        ``max_bytes``. Also deletes those dated after ``newer_than``, which a wrong clock made.
        """
        deleted = 0
        # In portions, so that the answers of running calls are stored in between.
        while portion := await self._write(
            lambda write: write.prune(older_than=older_than, newer_than=newer_than, max_bytes=max_bytes)
        ):
            deleted += portion
        return deleted

    async def stats(self) -> StoreStats:
        """Returns statistics of the store."""
        return await self._read(self._backend.stats)

    def export(self) -> Iterator[StoredCompletion]:
        """Yields every completion, oldest first. Blocks."""
        for row in self._backend.export():
            if (one := _understood(row)) is not None:
                yield one

    def plans(self) -> Iterator[tuple[str, JsonValue]]:
        """Yields every plan with its content digest. Blocks."""
        for row in self._backend.plans():
            if _is_whole(row):
                yield row[0], _json(row[1])

    def check(self) -> None:
        """Raises StoreError if nothing can be stored any more. Blocks."""
        if self._closed:
            raise StoreError("the outcome store is already closed")
        self._backend.check()

    async def aclose(self) -> None:
        """Finishes waiting writes, releases all claims and closes the store."""
        if self._closed:
            return
        self._closed = True
        # The mark follows all waiting writes, so they are still committed.
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._backend.close()

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _write(self, work: Callable[[Write], T]) -> T:
        if self._closed:
            raise StoreError("the outcome store is already closed")
        done: Future[T] = Future()
        self._writes.put((work, done))
        waiting = asyncio.wrap_future(done)
        waiting.add_done_callback(_heard)
        # A cancelled task must not cancel the write: its transaction also holds the rows of other tasks.
        return await asyncio.shield(waiting)

    def _commit_all(self) -> None:
        ended = False
        while not ended:
            waiting = [self._writes.get()]
            # A sync takes as long for one row as for a thousand, so everything that waits shares it.
            while len(waiting) < MOST_TOGETHER and waiting[-1] is not None:
                try:
                    waiting.append(self._writes.get_nowait())
                except queue.Empty:
                    break
            ended = waiting[-1] is None
            self._commit([one for one in waiting if one is not None])

    def _commit(self, writes: list[tuple[Callable[[Write], Any], Future[Any]]]) -> None:
        if not writes:
            return
        try:
            with self._backend.transaction() as write:
                # All or nothing: a failure rolls back every write of this group, and each task hears about it.
                results = [work(write) for work, _ in writes]
        except Exception as failure:  # noqa: BLE001 - passed to every task that waits for this transaction
            for _, done in writes:
                done.set_exception(failure)
        else:
            for (_, done), result in zip(writes, results, strict=True):
                done.set_result(result)


def _heard(done: asyncio.Future[Any]) -> None:
    """Marks a failure as seen. Its waiter may have been cancelled, and asyncio would print a traceback."""
    if not done.cancelled():
        done.exception()


def _understood(row: Row) -> StoredCompletion | None:
    """Returns the row, or ``None`` if it is damaged. Raises StoreError for an intact row that can't be read."""
    if not _is_whole(row):
        return None
    try:
        return from_row(row)
    except (TypeError, ValueError) as error:
        what = f"the outcome store holds a row that can't be read (request {str(row[0])[:12]}…)"
        raise StoreError(what, hint=UNREADABLE) from error


def _is_whole(row: Row) -> bool:
    if is_sound(row):
        return True
    log.warning("the outcome store holds a damaged row (%s…); its answer will be requested again", row[0][:12])
    return False


def _json(text: str) -> JsonValue:
    value: JsonValue = json.loads(text)
    return value
