"""Takes stored deliveries and has them handled: each once, again after a failure, at last given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

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
"""How soon a delivery is seen that another process stored."""
LEASE_S = 120.0
"""How long a worker may take over one delivery before somebody else does it."""
TOGETHER = 8
MOST_COMMENTS = 4
"""Hands for comments: anybody can write as many as they like, and checks must not wait for them."""
FIRST_PAUSE_S = 5.0
"""After the first failure; twice as long after each further one: ten minutes in all."""
OUTAGE_PAUSE_S = 30.0
OUTAGE = timedelta(days=1)
"""So long a delivery waits for GitHub to come back; its tries don't count meanwhile."""

log = logger("intake")


class DeliveryProcessor:
    """The loop of one worker. ``handle`` is the desk's; ``wake`` is set by a web process in this same process."""

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
        self._records = records
        self._handle = handle
        self._worker = worker
        self._wake = wake
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Until it is cancelled. A failing database is waited for. What this slot held when it died is free at once."""
        await asyncio.to_thread(self._records.give_back, self._worker, self._clock.utc())
        busy: set[asyncio.Task[None]] = set()
        comments: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as hands:
            while True:
                self._wake.clear()
                claimed = await self._claim(TOGETHER - len(busy), MOST_COMMENTS - len(comments))
                for delivery in claimed:
                    task = hands.create_task(self._deal(delivery))
                    for tasks in (busy, comments) if delivery.event == COMMENT else (busy,):
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)
                if len(busy) >= TOGETHER:
                    await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                elif not claimed:
                    await self._pause()

    async def _claim(self, limit: int, comments: int) -> list[Delivery]:
        """What is there for free hands: one that waits for GitHub keeps no other waiting."""
        claim = partial(self._records.claim, comments=comments)
        try:
            return await asyncio.to_thread(claim, self._worker, limit, LEASE_S, self._clock.utc())
        except PromptVerdictError as error:
            log.error("deliveries can't be read", why=str(error))
            await self._clock.sleep(FIRST_PAUSE_S)
            return []

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _deal(self, delivery: Delivery) -> None:
        try:
            await self._dealt(delivery)
        except PromptVerdictError as error:  # how it went can't be noted: when the lease ends it is handled again
            log.error("left until its lease ends", delivery=delivery.id, why=str(error))

    async def _dealt(self, delivery: Delivery) -> None:
        intent = read_body(delivery.event, delivery.body)
        try:
            await self._handle(intent)
        except HostUnavailable as outage:
            await self._again(delivery, str(outage), counts=self._clock.utc() - delivery.received_at > OUTAGE)
        except PromptVerdictError as error:
            await self._again(delivery, str(error))
        except Exception as bug:
            log.exception("bug", delivery=delivery.id, kind=delivery.event)
            await self._again(delivery, f"a bug: {type(bug).__name__}")
        else:
            note = intent.why if isinstance(intent, Ignored) else type(intent).__name__
            self._metrics.handled.labels("ignored" if isinstance(intent, Ignored) else "done").inc()
            await asyncio.to_thread(self._records.handled, delivery, note, self._clock.utc())

    async def _again(self, delivery: Delivery, why: str, *, counts: bool = True) -> None:
        pause = timedelta(seconds=FIRST_PAUSE_S * 2.0 ** (delivery.tries - 1) if counts else OUTAGE_PAUSE_S)
        self._metrics.handled.labels("failed" if counts and delivery.tries >= MOST_TRIES else "retried").inc()
        log.warning("to be handled again", delivery=delivery.id, tries=delivery.tries, why=why)
        await asyncio.to_thread(self._records.retry, delivery, self._clock.utc() + pause, why, counts=counts)
