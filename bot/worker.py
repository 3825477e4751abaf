"""A worker: the parts that handle deliveries, execute runs and sweep, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bot.alerts.evaluation import DriftEvaluation
from bot.alerts.publisher import AlertPublisher
from bot.alerts.watch_steps import WatchSteps
from bot.commands.command import CommandContext
from bot.commands.dispatch import answer
from bot.commands.rate_limit import CommandRateLimit
from bot.hub.followed_file import FollowedFile
from bot.hub.github_copy import GitHubCopy
from bot.hub.hub_service import HubService
from bot.hub.promotion_steps import PromotionSteps
from bot.improve.suggesting import Suggesting
from bot.improve.suggestion_steps import SuggestionSteps
from bot.operations.sweep import Sweep
from bot.pages import addresses
from bot.production.default_settings import DefaultSettings
from bot.publishing.publisher import VerdictPublisher
from bot.runs.coverage import Coverage
from bot.runs.default_branch import DefaultBranch
from bot.runs.execution import Execution
from bot.runs.intent_handler import IntentHandler
from bot.runs.moved_bases import BaseMoves
from bot.runs.reconciler import Reconciler
from bot.runs.run_queue import RunQueue
from bot.runs.steps_by_kind import StepsByKind
from bot.store.async_records import AsyncRecords
from bot.store.values import RunKind
from bot.telemetry.health import Health, writable
from bot.webhooks.delivery_processor import DeliveryProcessor

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from adapters.github.conditional import Answered
    from bot.alerts.publisher import Channels
    from bot.runs.evaluation import Evaluation
    from bot.runs.source_cache import SourceCache
    from bot.settings import Settings
    from bot.store.records import Records
    from bot.store.suggest_values import Suggestion
    from bot.store.values import RepositoryRef, Run
    from bot.telemetry.metrics import Metrics
    from bot.webhooks.intents import CommandPosted
    from schemas.host import Sha
    from schemas.ports import Clock

    MakeEvaluation = Callable[[Settings, Records, SourceCache, Clock], Evaluation]

SETTINGS_AGE = timedelta(hours=1)
"""How old the settings of production may be where pushes were missed."""
SOURCES = "sources"
"""The folder of cached repositories, in the data folder."""


class Worker:
    """``bot.service.ServiceWorker``. ``wake`` is set when this process has stored a delivery."""

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
        self._records = AsyncRecords(records)
        self._app = app
        self._evaluation = evaluation
        self._sources = sources
        self._clock = clock
        # In memory: a restart only gives each person a fresh allowance.
        self._rate_limit = CommandRateLimit()
        self._health = Health(
            clock.monotonic,
            {
                "the disk": partial(writable, settings.data),
                "the copies of repositories": partial(writable, settings.data / SOURCES),
                "the outcome store": lambda: evaluation.store.check(),  # noqa: PLW0108 - opened by the first run
                "the queue of runs": lambda: self.run_queue.check(),  # noqa: PLW0108 - created below
            },
        )
        publisher = VerdictPublisher(records, app, settings.server_url, clock, self._page_of)
        branch = DefaultBranch(app, sources)
        self._hub = HubService(records, branch, clock)
        self._copy = GitHubCopy(records, app, branch, clock)
        self._suggesting = Suggesting(
            records, branch, clock, run_usd=settings.caps.run, person_usd=settings.caps.person
        )
        self._suggestions = SuggestionSteps(
            self._records, evaluation, branch, app, clock=clock, page_of=self._suggestion_page
        )
        self._drift = DriftEvaluation(records, settings.slot)
        self._alerts = AlertPublisher(records, app, _channels(settings), self._alerts_page)
        self._promotions = PromotionSteps(records, evaluation, branch, app, clock=clock, page_of=self._page_of)
        self._watches = WatchSteps(records, evaluation, branch, clock)
        execution = Execution(
            records,
            evaluation,
            publisher,
            clock,
            on_superseded=self._on_superseded,
            metrics=metrics,
            health=self._health,
        )
        steps = StepsByKind(
            records,
            {
                RunKind.PULL_REQUEST: execution,
                RunKind.QUEUE: execution,
                RunKind.EXPERIMENT: execution,
                RunKind.PLAYGROUND: execution,
                RunKind.PROMOTION: self._promotions,
                RunKind.SUGGESTION: self._suggestions,
                RunKind.WATCH: self._watches,
            },
        )
        self.run_queue = RunQueue(
            settings.workflows_url, slot=settings.slot, concurrency=settings.concurrency, steps=steps
        )
        self.reconciler = Reconciler(
            records, publisher, self.run_queue, moves=BaseMoves(records, app, evaluation), clock=clock
        )
        coverage = Coverage(records, app, self.run_queue, clock)
        self._followed = FollowedFile(records, self._hub, branch, app)
        self._production = DefaultSettings(records, branch, app, clock)
        handler = IntentHandler(
            records,
            self.reconciler,
            coverage,
            handle_command=self._answer,
            on_default=self._on_default,
            clock=clock,
        )
        self.delivery_processor = DeliveryProcessor(
            records, handler.handle, worker=settings.slot, wake=wake, clock=clock, metrics=metrics
        )
        self.sweep = Sweep(
            records,
            app,
            self.run_queue,
            self.reconciler,
            coverage,
            slot=settings.slot,
            clock=clock,
            give_up=steps.give_up,
            keep_house=self._keep_house,
            keep_copies=self._keep_copies,
            move_tags=self._move_tags,
            watch_production=self._watch_production,
            metrics=metrics,
            health=self._health,
        )

    async def start(self) -> None:
        """Sends the first heartbeat, then resumes the runs that this slot left unfinished."""
        # Before the queue starts: without a heartbeat, another worker would take these runs over at the same moment.
        await self._records.heartbeat(self._settings.slot, self._clock.utc())
        await self.run_queue.start()

    async def run(self) -> None:
        """Handles deliveries and sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.delivery_processor.run())
            group.create_task(self.sweep.run())

    async def stop(self) -> None:
        """Stops the queue and closes the providers. Another worker resumes the unfinished runs."""
        # The queue first: a run that still executes needs the providers.
        await self.run_queue.stop()
        await self._evaluation.aclose()

    def troubles(self) -> tuple[str, ...]:
        """Names the parts that don't work, in a few words. Blocks."""
        return self._health.troubles()

    def _page_of(self, run: Run) -> str | None:
        site = self._settings.site
        return None if site is None else site.public_url + addresses.run(run.repository_id, run.sequence)

    def _suggestion_page(self, suggestion: Suggestion) -> str | None:
        site = self._settings.site
        return None if site is None else site.public_url + addresses.suggestion(suggestion.repository_id, suggestion.id)

    async def _on_superseded(self, run: Run, why: str) -> None:
        await self.reconciler.superseded(run, why)

    async def _answer(self, command: CommandPosted) -> str:
        repo = command.repo
        host = await asyncio.to_thread(self._app.host, repo.installation_id, repo.full_name)
        read = partial(self._sources.read, repo)
        records, now = self._records.blocking, self._clock.utc
        context = CommandContext(
            records, host, self.reconciler, read, now, self._hub, self._suggesting, self._rate_limit, self._page_of
        )
        return await answer(command, context)

    def _on_default(self, repo: RepositoryRef, branch: str, pushed: Sha) -> None:
        self._followed.follow(repo, branch, pushed)
        self._production.pushed(repo, branch, pushed)

    async def _move_tags(self) -> None:
        await self._promotions.start(self.run_queue)
        await self._suggestions.start(self.run_queue)
        await self._copy.report()

    async def _watch_production(self) -> None:
        now = self._clock.utc()
        # One worker at a time reads, starts and tells.
        if await self._drift.evaluate(now):
            await self._watches.start(self.run_queue, now)
            await self._alerts.publish()

    def _alerts_page(self, repository_id: int) -> str | None:
        site = self._settings.site
        return None if site is None else site.public_url + addresses.alerts(repository_id)

    async def _keep_house(self, at: datetime) -> None:
        from bot.operations.housekeeping import keep_house

        await keep_house(self._records.blocking, self._evaluation.store, self._settings.retention, at)
        await asyncio.to_thread(self._production.refresh, at - SETTINGS_AGE)

    async def _keep_copies(self) -> None:
        covered = await self._records.covered()
        await asyncio.to_thread(self._sources.keep_only, covered)


def _channels(settings: Settings) -> Channels | None:
    """Returns where alerts go beside issues. Raises UsageError for an address that no channel has."""
    if not settings.alert_urls:
        return None
    from adapters.notices import Notices

    return Notices([url.get_secret_value() for url in settings.alert_urls])


def make_worker(settings: Settings, records: Records, metrics: Metrics, wake: asyncio.Event) -> Worker:
    """Returns a worker with the real engine."""
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
    """Returns a worker with the given evaluation. ``sleep`` is called between two tries of a request to GitHub."""
    from adapters.clock import SystemClock

    app, sources = app_and_sources(settings, sleep, metrics.github_answered)
    clock = clock or SystemClock()
    made = evaluation(settings, records, sources, clock)
    return Worker(settings, records, app, evaluation=made, sources=sources, clock=clock, metrics=metrics, wake=wake)


def app_and_sources(
    settings: Settings, sleep: Callable[[float], None] = time.sleep, answered: Answered | None = None
) -> tuple[GitHubApp, SourceCache]:
    """Returns the App, which tells ``answered`` of GitHub's answers, and its copies of repositories."""
    from adapters.github.app import GitHubApp
    from bot.runs.source_cache import SourceCache

    app = GitHubApp(
        settings.app_id,
        settings.private_key.get_secret_value(),
        api_url=settings.api_url,
        proxy=settings.proxy,
        ca_bundle=settings.ca_bundle,
        sleep=sleep,
        answered=answered,
    )
    sources = SourceCache(
        settings.data / SOURCES, app, settings.server_url, proxy=settings.proxy, ca_bundle=settings.ca_bundle
    )
    return app, sources
