"""A worker: everything that takes deliveries up and does what they ask for, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bot.commands.dispatch import CommandContext, answer
from bot.commands.rate_limit import CommandRateLimit
from bot.operations.sweep import Sweep
from bot.publishing.publisher import VerdictPublisher
from bot.runs.base_moves import BaseMoves
from bot.runs.execution import Execution
from bot.runs.reconciler import Reconciler
from bot.runs.run_queue import RunQueue
from bot.telemetry.health import Health, writable
from bot.webhooks.delivery_processor import DeliveryProcessor

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.runs.evaluation import Evaluation
    from bot.runs.source_cache import SourceCache
    from bot.settings import Settings
    from bot.store.records import Records
    from bot.store.values import Run
    from bot.telemetry.metrics import Metrics
    from bot.webhooks.intents import CommandPosted
    from schemas.ports import Clock

    MakeEvaluation = Callable[[Settings, Records, SourceCache, Clock], Evaluation]

SOURCES = "sources"
"""The folder of copies of repositories, in the data folder."""


class Worker:
    """``bot.service.Worker``. ``wake`` is set when this very process has stored a delivery."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        app: GitHubApp,
        *,
        evaluation: Evaluation,
        sources: SourceCache,
        clock: Clock,
        metrics: Metrics,
        wake: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._records = records
        self._app = app
        self._evaluation = evaluation
        self._sources = sources
        self._clock = clock
        self._allowance = CommandRateLimit()
        self._health = Health(
            clock.monotonic,
            {
                "the disk": partial(writable, settings.data),
                "the copies of repositories": partial(writable, settings.data / SOURCES),
                "the outcome store": lambda: evaluation.store.check(),  # noqa: PLW0108 - opened when it is needed
                "the queue of runs": lambda: self.run_queue.check(),  # noqa: PLW0108 - made below
            },
        )
        publisher = VerdictPublisher(records, app, settings.server_url, clock)
        execution = Execution(
            records, evaluation, publisher, clock, superseded=self._superseded, metrics=metrics, health=self._health
        )
        self.run_queue = RunQueue(
            settings.workflows_url, slot=settings.slot, concurrency=settings.concurrency, work=execution
        )
        self.reconciler = Reconciler(
            records, app, publisher, self.run_queue, answer=self._answer,
            moves=BaseMoves(records, app, evaluation), clock=clock,
        )  # fmt: skip
        self.delivery_processor = DeliveryProcessor(
            records, self.reconciler.handle, worker=settings.slot, wake=wake, clock=clock, metrics=metrics
        )
        self.sweep = Sweep(
            records, app, self.run_queue, self.reconciler, slot=settings.slot, clock=clock, give_up=execution.give_up,
            keep_house=self._keep_house, metrics=metrics, health=self._health,
        )  # fmt: skip

    async def start(self) -> None:
        """Says that this slot is alive, then takes up what it left behind."""
        await asyncio.to_thread(self._records.heartbeat, self._settings.slot, self._clock.utc())
        await self.run_queue.start()

    async def run(self) -> None:
        """Takes deliveries and sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.delivery_processor.run())
            group.create_task(self.sweep.run())

    async def stop(self) -> None:
        """Ends in order; runs that are under way are gone on with by whoever comes next."""
        await self.run_queue.stop()
        await self._evaluation.aclose()

    def troubles(self) -> tuple[str, ...]:
        """What it needs and can't use, in a few words. Blocks."""
        return self._health.troubles()

    async def _superseded(self, run: Run, why: str) -> None:
        await self.reconciler.superseded(run, why)

    async def _answer(self, command: CommandPosted, reconciler: Reconciler) -> str:
        host = await asyncio.to_thread(self._app.host, command.repo.installation_id, command.repo.full_name)
        read = partial(self._sources.read, command.repo)
        return await answer(
            command, CommandContext(self._records, host, reconciler, read, self._clock.utc, self._allowance)
        )

    async def _keep_house(self, at: datetime) -> None:
        from bot.operations.housekeeping import keep_house

        await keep_house(self._records, self._evaluation.store, self._settings.retention, at)
        covered = await asyncio.to_thread(self._records.covered)
        await asyncio.to_thread(self._sources.keep_only, covered)


def make_worker(settings: Settings, records: Records, metrics: Metrics, wake: asyncio.Event) -> Worker:
    """The worker of a process, with the real engine."""
    from bot.runs.evaluation import LiveEvaluation

    return assemble(settings, records, metrics, wake, LiveEvaluation)


def assemble(
    settings: Settings,
    records: Records,
    metrics: Metrics,
    wake: asyncio.Event,
    evaluation: MakeEvaluation,
    *,
    clock: Clock | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Worker:
    """A worker with what ``evaluation`` makes; ``sleep`` is how calls to GitHub wait for their next try."""
    from adapters.clock import SystemClock
    from adapters.github.app import GitHubApp
    from bot.runs.source_cache import SourceCache

    app = GitHubApp(
        settings.app_id,
        settings.private_key.get_secret_value(),
        api_url=settings.api_url,
        proxy=settings.proxy,
        ca_bundle=settings.ca_bundle,
        sleep=sleep,
    )
    clock = clock or SystemClock()
    sources = SourceCache(
        settings.data / SOURCES, app, settings.server_url, proxy=settings.proxy, ca_bundle=settings.ca_bundle
    )
    made = evaluation(settings, records, sources, clock)
    return Worker(settings, records, app, evaluation=made, sources=sources, clock=clock, metrics=metrics, wake=wake)
