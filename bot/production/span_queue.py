"""A bounded queue in front of the database. A request is acknowledged only after its spans are committed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import anyio

from bot.telemetry.logs import logger
from schemas.errors import StoreError

if TYPE_CHECKING:
    from bot.store.production_values import Written
    from schemas.production import SpanContent, SpanFacts, SpanKey

    Write = Callable[
        [int, Sequence[SpanFacts], Mapping[SpanKey, tuple[SpanContent, date]]],
        Written,
    ]

MOST_WAITING = 20_000
"""Spans that wait for the database, in all requests together. With their contents: ``MOST_BYTES``."""
MOST_BYTES = 64 * 1024 * 1024
TOGETHER = 5_000
"""Spans of one commit: a longer transaction would keep other writers of the repository waiting."""
FACTS_BYTES = 2_000
"""Bytes that each span's facts count as, whatever they hold."""

log = logger("production")


class QueueFull(Exception):  # noqa: N818 - an expected answer, not an error
    """The database doesn't keep up."""


@dataclass(frozen=True)
class Batch:
    """What one request brings."""

    repository_id: int
    spans: Sequence[SpanFacts]
    contents: Mapping[SpanKey, tuple[SpanContent, date]] = field(default_factory=dict)
    bytes: int = 0
    """Of its contents."""

    @property
    def size(self) -> int:
        """The bytes that the batch counts as."""
        return self.bytes + FACTS_BYTES * len(self.spans)


class SpanQueue:
    """Commits batches of many requests together. ``write`` blocks and raises StoreError."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[tuple[Batch, asyncio.Future[Written]]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = anyio.CapacityLimiter(1)
        self.spans = 0
        """Spans that wait or are being written."""
        self.bytes = 0

    async def put(self, batch: Batch) -> Written:
        """Returns once the batch is committed. Raises QueueFull at once, and StoreError if it was not stored."""
        # A single large request passes an empty queue.
        if self.spans and (self.spans + len(batch.spans) > MOST_WAITING or self.bytes + batch.size > MOST_BYTES):
            raise QueueFull
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        self.spans += len(batch.spans)
        self.bytes += batch.size
        self._wake.set()
        # If the caller gives up, the batch is still written. Sent again, its spans are known.
        return await asyncio.shield(done)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit(self._take())

    def _take(self) -> list[tuple[Batch, asyncio.Future[Written]]]:
        taken, spans = 0, 0
        for batch, _ in self._waiting:
            if taken and spans + len(batch.spans) > TOGETHER:
                break
            taken, spans = taken + 1, spans + len(batch.spans)
        some, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return some

    async def _commit(self, some: list[tuple[Batch, asyncio.Future[Written]]]) -> None:
        by_repository = defaultdict(list)
        for batch, done in some:
            by_repository[batch.repository_id].append((batch, done))
        for repository_id, entries in by_repository.items():
            spans = [span for batch, _ in entries for span in batch.spans]
            contents = {key: content for batch, _ in entries for key, content in batch.contents.items()}
            try:
                written = await anyio.to_thread.run_sync(
                    self._write, repository_id, spans, contents, limiter=self._thread
                )
            except Exception as error:  # noqa: BLE001 - each caller gets it; the loop must go on for the others
                failed = error if isinstance(error, StoreError) else StoreError("spans were not stored")
                # Without the exception's text, unless it is ours: another one may quote a value.
                log.error("spans not stored", count=len(spans), why=str(failed), kind=type(error).__name__)
                self._settle(entries, None, failed)
            else:
                self._settle(entries, written, None)

    def _settle(
        self,
        entries: list[tuple[Batch, asyncio.Future[Written]]],
        written: Written | None,
        failed: StoreError | None,
    ) -> None:
        for batch, done in entries:
            self.spans -= len(batch.spans)
            self.bytes -= batch.size
            if done.done():
                continue
            if failed is not None:
                done.set_exception(failed)
            elif written is not None:
                done.set_result(written)
