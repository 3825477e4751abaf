"""A worker: everything that takes deliveries up and does what they ask for, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bot.base_moves import BaseMoves
from bot.commands.allowance import Allowance
from bot.commands.answers import Room, answer
from bot.desk import Desk
from bot.durable import Durable
from bot.execution import Execution
from bot.health import Health, writable
from bot.intake import Intake
from bot.publishing import Publishing
from bot.sweep import Sweep

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.evaluation import Evaluation
    from bot.intents import CommandPosted
    from bot.metrics import Metrics
    from bot.settings import Settings
    from bot.sources import Sources
    from bot.store.records import Records
    from bot.store.values import Run
    from schemas.ports import Clock

    MakeEvaluation = Callable[[Settings, Records, Sources, Clock], Evaluation]

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
        sources: Sources,
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
        self._allowance = Allowance()
        self._health = Health(
            clock.monotonic,
            {
                "the disk": partial(writable, settings.data),
                "the copies of repositories": partial(writable, settings.data / SOURCES),
                "the outcome store": lambda: evaluation.store.check(),  # noqa: PLW0108 - opened when it is needed
                "the queue of runs": lambda: self.durable.check(),  # noqa: PLW0108 - made below
            },
        )
        publishing = Publishing(records, app, settings.server_url, clock)
        execution = Execution(
            records, evaluation, publishing, clock, superseded=self._superseded, metrics=metrics, health=self._health
        )
        self.durable = Durable(
            settings.workflows_url, slot=settings.slot, concurrency=settings.concurrency, work=execution
        )
        self.desk = Desk(
            records, app, publishing, self.durable, answer=self._answer,
            moves=BaseMoves(records, app, evaluation), clock=clock,
        )  # fmt: skip
        self.intake = Intake(records, self.desk.handle, worker=settings.slot, wake=wake, clock=clock, metrics=metrics)
        self.sweep = Sweep(
            records, app, self.durable, self.desk, slot=settings.slot, clock=clock, give_up=execution.give_up,
            keep_house=self._keep_house, metrics=metrics, health=self._health,
        )  # fmt: skip

    async def start(self) -> None:
        """Says that this slot is alive, then takes up what it left behind."""
        await asyncio.to_thread(self._records.heartbeat, self._settings.slot, self._clock.utc())
        await self.durable.start()

    async def run(self) -> None:
        """Takes deliveries and sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.intake.run())
            group.create_task(self.sweep.run())

    async def stop(self) -> None:
        """Ends in order; runs that are under way are gone on with by whoever comes next."""
        await self.durable.stop()
        await self._evaluation.aclose()

    def troubles(self) -> tuple[str, ...]:
        """What it needs and can't use, in a few words. Blocks."""
        return self._health.troubles()

    async def _superseded(self, run: Run, why: str) -> None:
        await self.desk.superseded(run, why)

    async def _answer(self, command: CommandPosted, desk: Desk) -> str:
        host = await asyncio.to_thread(self._app.host, command.place.installation_id, command.place.repository)
        read = partial(self._sources.read, command.place)
        return await answer(command, Room(self._records, host, desk, read, self._clock.utc, self._allowance))

    async def _keep_house(self, at: datetime) -> None:
        from bot.store.housekeeping import keep_house

        await keep_house(self._records, self._evaluation.store, self._settings.retention, at)
        covered = await asyncio.to_thread(self._records.covered)
        await asyncio.to_thread(self._sources.keep_only, covered)


def make_worker(settings: Settings, records: Records, metrics: Metrics, wake: asyncio.Event) -> Worker:
    """The worker of a process, with the real engine."""
    from bot.evaluation import LiveEvaluation

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
    from bot.sources import Sources

    app = GitHubApp(
        settings.app_id,
        settings.private_key.get_secret_value(),
        api_url=settings.api_url,
        proxy=settings.proxy,
        ca_bundle=settings.ca_bundle,
        sleep=sleep,
    )
    clock = clock or SystemClock()
    sources = Sources(
        settings.data / SOURCES, app, settings.server_url, proxy=settings.proxy, ca_bundle=settings.ca_bundle
    )
    made = evaluation(settings, records, sources, clock)
    return Worker(settings, records, app, evaluation=made, sources=sources, clock=clock, metrics=metrics, wake=wake)
