"""Handles stored deliveries: each once, again after a failure, and marked as failed after too many tries."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.store.deliveries import COMMENT
from bot.store.values import MOST_TRIES
from bot.telemetry.logs import logger
from bot.webhooks.intents import Ignored, Intent
from bot.webhooks.routing import read_body
from schemas.errors import HostUnavailable, PromptVerdictError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.store.records import Records
    from bot.store.values import Delivery
    from bot.telemetry.metrics import Metrics
    from schemas.ports import Clock

POLL_S = 0.5
"""Seconds until a delivery is seen that another process stored."""
LEASE_S = 120.0
"""Seconds that a worker may hold one delivery before another may claim it."""
AT_ONCE = 8
COMMENTS_AT_ONCE = 4
"""Deliveries of comments that are handled at once. Anyone can write many, and checks must not wait for them."""
FIRST_PAUSE_S = 5.0
"""Seconds after the first failure. The pause doubles each time: ten minutes in all."""
OUTAGE_PAUSE_S = 30.0
OUTAGE = timedelta(days=1)
"""How long a delivery waits for GitHub to come back. Its tries don't count meanwhile."""

log = logger("deliveries")


class DeliveryProcessor:
    """The loop of one worker. ``wake`` is set when this process has stored a delivery."""

    def __init__(
        self,
        records: Records,
        handle: Callable[[Intent], Awaitable[None]],
        *,
        worker: str,
        wake: asyncio.Event,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._records = AsyncRecords(records)
        self._handle = handle
        self._worker = worker
        self._wake = wake
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Handles deliveries until it is cancelled. A failing database is retried.

        Deliveries that this slot held when it died are freed first.
        """
        await self._records.give_back(self._worker, self._clock.utc())
        busy: set[asyncio.Task[None]] = set()
        comments: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as handlers:
            while True:
                # Cleared before the claim: a delivery that is stored during it sets the event again.
                self._wake.clear()
                claimed = await self._claim(AT_ONCE - len(busy), COMMENTS_AT_ONCE - len(comments))
                for delivery in claimed:
                    task = handlers.create_task(self._process(delivery))
                    for tasks in (busy, comments) if delivery.event == COMMENT else (busy,):
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                if len(busy) >= AT_ONCE:
                    await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                # Pauses only if nothing was claimed: otherwise more may be waiting.
                elif not claimed:
                    await self._pause()

    async def _claim(self, limit: int, comments: int) -> list[Delivery]:
        """Claims deliveries for the free places, so that one that waits for GitHub delays no other."""
        try:
            return await self._records.claim(self._worker, limit, LEASE_S, self._clock.utc(), comments=comments)
        except PromptVerdictError as error:
            log.error("deliveries not readable", why=str(error))
            await self._clock.sleep(FIRST_PAUSE_S)
            return []

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _process(self, delivery: Delivery) -> None:
        try:
            await self._handled(delivery)
        except (
            PromptVerdictError
        ) as error:  # the result can't be stored: the delivery is handled again when its lease ends
            log.error("left until its lease ends", delivery=delivery.id, why=str(error))

    async def _handled(self, delivery: Delivery) -> None:
        intent = read_body(delivery.event, delivery.body)
        try:
            await self._handle(intent)
        except HostUnavailable as outage:
            await self._postpone(delivery, str(outage), counts=self._clock.utc() - delivery.received_at > OUTAGE)
        except PromptVerdictError as error:
            await self._postpone(delivery, str(error))
        # One bad payload must not end the loop that handles all others.
        except Exception as bug:
            log.exception("bug", delivery=delivery.id, kind=delivery.event)
            await self._postpone(delivery, f"a bug: {type(bug).__name__}")
        else:
            note = intent.why if isinstance(intent, Ignored) else type(intent).__name__
            self._metrics.handled.labels("ignored" if isinstance(intent, Ignored) else "done").inc()
            await self._records.handled(delivery, note, self._clock.utc())

    async def _postpone(self, delivery: Delivery, why: str, *, counts: bool = True) -> None:
        pause = timedelta(seconds=FIRST_PAUSE_S * 2.0 ** (delivery.tries - 1) if counts else OUTAGE_PAUSE_S)
        self._metrics.handled.labels("failed" if counts and delivery.tries >= MOST_TRIES else "retried").inc()
        log.warning("delivery postponed", delivery=delivery.id, tries=delivery.tries, why=why)
        await self._records.retry(delivery, self._clock.utc() + pause, why, counts=counts)
