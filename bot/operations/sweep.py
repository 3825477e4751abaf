"""Repairs the effects of lost events: lost deliveries, heads without a run, idle runs, dead workers."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bot.runs.run_queue import QueueStatus
from bot.store.async_records import AsyncRecords
from bot.store.values import ON_PAGES, RepositoryRef, Run, RunKind
from bot.telemetry.health import WAITING
from bot.telemetry.logs import logger
from bot.webhooks.intents import InstallationChanged, InstallationState, RepositoriesChanged
from schemas.errors import NotFound, PromptVerdictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.github.app import GitHubApp
    from bot.runs.coverage import Coverage
    from bot.runs.reconciler import Reconciler
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from bot.telemetry.health import Health
    from bot.telemetry.metrics import Metrics
    from schemas.host import HookDelivery, HostedPullRequest, Installation
    from schemas.ports import Clock

HEARTBEAT_S = 5.0
"""Seconds between two heartbeats."""
DEAD_S = 30.0
"""Seconds without a heartbeat after which a worker counts as dead: its runs go back on the queue."""
RUNS_S = 20.0
LONGEST_PAUSE_S = 60.0
"""Seconds between two tries of a run that fails again and again."""
ASKED_S = 0.5
"""Short, because a person waits for the first answer."""
TAGS_S = 2.0
"""Short, because a person waits for the result of a promotion."""
PRODUCTION_S = 60.0
"""Production is read once a day. The other rounds publish alerts and start due watches."""
DELIVERIES_S = 60.0
HEADS_S = 300.0
HOUSEKEEPING_S = 3600.0
OVERLAP = timedelta(minutes=10)
"""GitHub lists a delivery late, so each sweep looks this far back again."""
KEPT_FOR = timedelta(days=3)
"""How long GitHub keeps deliveries."""
EXPIRED_SINCE = timedelta(days=1)
"""How far back the sweep looks for expired overrides."""
GIVE_UP_AFTER = timedelta(days=1)
"""A run that stays open for so long ends as an error."""

log = logger("sweep")


class _Revival(NamedTuple):
    """How often a run was put on the queue again, and when it may be next (monotonic seconds)."""

    times: int
    next_at: float


class Sweep:
    """The loops of one worker.

    What reads GitHub or deletes old records is left to the first of the living workers: its requests would otherwise
    grow with their number. Two may take each other's place for a moment, so each repair may be made twice.
    """

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        run_queue: RunQueue,
        reconciler: Reconciler,
        coverage: Coverage,
        *,
        slot: str,
        clock: Clock,
        give_up: Callable[[Run, str], Awaitable[None]],
        keep_house: Callable[[datetime], Awaitable[None]],
        keep_copies: Callable[[], Awaitable[None]],
        move_tags: Callable[[], Awaitable[None]],
        watch_production: Callable[[], Awaitable[None]],
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._health = health
        self._revived: dict[str, _Revival] = {}
        """By run id. The pauses keep a run that fails at once from filling GitHub with checks."""
        self._begun: set[str] = set()
        """Runs of pages that this worker has put on the queue, and that no worker has begun."""
        self._records = AsyncRecords(records)
        self._app = app
        self._run_queue = run_queue
        self._reconciler = reconciler
        self._coverage = coverage
        self._slot = slot
        self._clock = clock
        self._give_up = give_up
        self._keep_house = keep_house
        self._keep_copies = keep_copies
        self._move_tags = move_tags
        self._watch_production = watch_production
        self._metrics = metrics
        self._seen_until: datetime | None = None
        self._expired: set[tuple[str, datetime]] = set()
        """Overrides that are already shown as expired, by run id and time of expiry."""
        self._checked: set[str] = set()
        """Ended runs after which the newest check of their head was verified."""

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(HEARTBEAT_S, self.beat))
            group.create_task(self._every(RUNS_S, self.runs))
            group.create_task(self._every(ASKED_S, self.asked))
            group.create_task(self._every(TAGS_S, self.tags))
            group.create_task(self._every(PRODUCTION_S, self.production))
            group.create_task(self._every(HOUSEKEEPING_S, self.copies))
            group.create_task(self._every(DELIVERIES_S, self.deliveries, for_all=True))
            group.create_task(self._every(HEADS_S, self.heads, for_all=True))
            group.create_task(self._every(HOUSEKEEPING_S, self.housekeeping, for_all=True))

    async def _every(self, seconds: float, repair: Callable[[], Awaitable[None]], *, for_all: bool = False) -> None:
        """Repeats ``repair``. ``for_all``: one worker does it for all of them."""
        while True:
            pause = seconds
            try:
                if for_all and await self._records.first_slot() != self._slot:
                    pause = min(seconds, DEAD_S)  # the first one may be dead
                else:
                    await repair()
                self._health.works(repair.__name__)
            except PromptVerdictError as error:
                log.warning("sweep failed", what=repair.__name__, why=str(error))
                if isinstance(error, StoreError):
                    self._health.fails(repair.__name__, f"the sweep of {repair.__name__}", error.hint)
                    pause = min(seconds, RUNS_S)  # the operator must see soon that it works again
            # A bug in one repair must not stop the others, above all the heartbeat.
            except Exception:
                log.exception("bug", what=repair.__name__)
            await self._clock.sleep(pause)

    async def beat(self) -> None:
        """Sends this worker's heartbeat and takes over from dead workers."""
        at = self._clock.utc()
        await self._records.heartbeat(self._slot, at)
        for slot in await self._records.dead_slots(at - timedelta(seconds=DEAD_S)):
            # The row of the slot goes last: if this worker dies too, the next one repeats the takeover.
            resumed = await self._run_queue.recover(slot)
            await self._records.give_back(slot, at)
            await self._records.forget_slot(slot)
            self._metrics.repairs.labels("worker").inc()
            log.warning("dead worker", slot=slot, resumed=len(resumed))

    async def runs(self) -> None:
        """Puts open runs that no worker executes on the queue again; ends those that can't be completed."""
        runs = await self._records.open_runs()
        statuses = await self._run_queue.statuses([run.id for run in runs])
        # Entries of ended runs are dropped, so the table doesn't grow.
        self._revived = {run.id: self._revived[run.id] for run in runs if run.id in self._revived}
        self._health.only(WAITING, [run.id for run in runs])
        for run in runs:
            if self._clock.utc() - run.opened_at > GIVE_UP_AFTER:
                log.error("given up", run=run.id)
                # First, so that a worker that still executes it can't publish after the failure.
                await self._run_queue.cancel(run.id)
                await self._give_up(run, "The run could not be completed within a day: the log says why.")
            elif statuses[run.id] in (QueueStatus.UNKNOWN, QueueStatus.ENDED) and self._may_revive(run):
                await self._revive(run)

    async def asked(self) -> None:
        """Puts runs that people have just asked for on the queue."""
        runs = await self._records.asked_to_start()
        # Each once: a run that fails at once is repeated by the other sweep, with its pauses.
        fresh = [run for run in runs if run.id not in self._begun]
        self._begun = {run.id for run in runs}
        for run in fresh:
            await self._run_queue.enqueue(run.id, of_page=True)

    def _may_revive(self, run: Run) -> bool:
        """Returns whether the run's pause is over. The pause doubles each time."""
        times, next_at = self._revived.get(run.id, _Revival(0, 0.0))
        now = self._clock.monotonic()
        if times and now < next_at:
            return False
        self._revived[run.id] = _Revival(times + 1, now + min(RUNS_S * 2.0**times, LONGEST_PAUSE_S))
        return True

    async def _revive(self, run: Run) -> None:
        log.info("run revived", run=run.id)
        self._metrics.repairs.labels("run").inc()
        if run.kind is RunKind.PULL_REQUEST and run.number is not None:
            # Not simply enqueued: the pull request may have moved on since.
            await self._reconciler.reconcile(run.repo, run.number, "sweep")
        else:
            await self._run_queue.enqueue(run.id, of_page=run.kind in ON_PAGES)

    async def tags(self) -> None:
        """Starts promotions and suggestions that were asked for, and tells GitHub about moves."""
        await self._move_tags()

    async def production(self) -> None:
        """Reads drift where a day is complete, tells alerts, and starts watches that are due."""
        await self._watch_production()

    async def deliveries(self) -> None:
        """Stores webhooks that GitHub could not deliver, as if they had arrived."""
        now = self._clock.utc()
        # After a start, everything that GitHub still has: this worker doesn't know how long all were down.
        first = self._seen_until is None
        since = now - KEPT_FOR if self._seen_until is None else self._seen_until - OVERLAP
        # The first time all of them: those that arrived may be missing in a database that was restored.
        attempts = await asyncio.to_thread(partial(self._app.deliveries, since, only_failed=not first))
        by_guid: dict[str, HookDelivery] = {attempt.guid: attempt for attempt in attempts}
        known = await self._records.known_deliveries(list(by_guid))
        for guid in by_guid.keys() - known:
            await self._fetch(by_guid[guid])
        # The time before the request was made. A delivery that arrives during it is seen by the next sweep.
        self._seen_until = now

    async def _fetch(self, lost: HookDelivery) -> None:
        try:
            payload = await asyncio.to_thread(self._app.delivery, lost.id)
        except NotFound:
            return
        await self._records.receive(lost.guid, lost.event, json.dumps(payload).encode(), self._clock.utc())
        self._metrics.repairs.labels("delivery").inc()
        log.info("lost delivery", delivery=lost.guid, kind=lost.event)

    async def heads(self) -> None:
        """Reconciles open pull requests whose present head and base have no run."""
        for installation in await self._installations():
            covered = await asyncio.to_thread(self._app.repositories, installation.id)
            await self._forget_repositories(installation.id, {repository.id for repository in covered})
            for repository in covered:
                repo = RepositoryRef(
                    installation_id=installation.id, repository_id=repository.id, full_name=repository.full_name
                )
                try:
                    await self._heads_of(repo)
                except PromptVerdictError as error:
                    log.warning("sweep failed", what="heads", repository=repo.repository_id, why=str(error))

    async def _installations(self) -> list[Installation]:
        """Returns the active installations. Applies changes first, since their events may have been lost."""
        found = await asyncio.to_thread(self._app.installations)
        active = [installation for installation in found if not installation.suspended]
        known = set(await self._records.installations())
        suspended = set(await self._records.suspended_installations())
        working, there = {one.id for one in active}, {one.id for one in found}
        # Suspended, resumed or removed: applying a change reads GitHub's own answer, so the state given here doesn't
        # matter.
        for number in (known - working) | (suspended & working) | (suspended - there):
            await self._coverage.apply(
                InstallationChanged(installation_id=number, account="", state=InstallationState.REMOVED)
            )
        return active

    async def _forget_repositories(self, installation_id: int, covered: set[int]) -> None:
        known = await self._records.repositories(installation_id)
        gone = tuple(repo for repo in known if repo.repository_id not in covered)
        if gone:
            await self._coverage.apply(RepositoriesChanged(installation_id=installation_id, added=(), removed=gone))

    async def _heads_of(self, repo: RepositoryRef) -> None:
        host = await asyncio.to_thread(self._app.host, repo.installation_id, repo.full_name)
        pulls = await asyncio.to_thread(host.open_pull_requests)
        moved: set[int] = set()
        for branch in sorted({pull.base_ref for pull in pulls}):
            to_it = [pull for pull in pulls if pull.base_ref == branch]
            moved |= {pull.number for pull in await self._reconciler.base_moved(repo, branch, to_it)}
        self._metrics.repairs.labels("base").inc(len(moved))
        for pull in pulls:
            if pull.number in moved:
                continue
            run = await self._records.current_run(repo.repository_id, pull.number)
            if run is None or (run.head_sha, run.base_ref) != (pull.head_sha, pull.base_ref):
                self._metrics.repairs.labels("head").inc()
                await self._reconciler.reconcile(repo, pull.number, "sweep")
            else:
                await self._expire(repo, run)
                await self._ensure_newest_check(repo, run, [one for one in pulls if one.head_sha == pull.head_sha])

    async def _ensure_newest_check(self, repo: RepositoryRef, run: Run, sharing: list[HostedPullRequest]) -> None:
        """Verifies once, after a run of a head with several runs, that no abandoned check hides its check.

        A worker may have died after its run was cancelled and before it cancelled the check.
        """
        if run.state.is_open or run.id in self._checked:
            return
        runs = await self._records.runs_of_head(repo.repository_id, run.head_sha)
        if len(runs) > 1 and not await self._reconciler.ensure_newest_check(repo, sharing):
            self._metrics.repairs.labels("check").inc()
            log.warning("hidden check", run=run.id)
        self._checked.add(run.id)

    async def _expire(self, repo: RepositoryRef, run: Run) -> None:
        """Publishes a verdict again after one of its overrides expired."""
        kept = await self._records.verdict(run.id)
        # A verdict that passes without overrides needs none, and one without a pull request has none.
        if kept is None or kept.scorecard.passes or run.number is None:
            return
        at = self._clock.utc()
        before = await self._records.overrides(run.repository_id, run.number, kept.content_digest, at - EXPIRED_SINCE)
        ended = {(run.id, one.expires_at) for one in before if one.expires_at is not None and one.expires_at <= at}
        # Each expiry is shown once. A restart shows it again, which writes the same text.
        if ended - self._expired:
            await self._reconciler.republish(repo, run.number)
            self._expired |= ended

    async def copies(self) -> None:
        """Deletes this worker's copies of repositories that the App no longer covers."""
        await self._keep_copies()

    async def housekeeping(self) -> None:
        """Deletes what need not be kept any longer."""
        at = self._clock.utc()
        await self._run_queue.forget(at - timedelta(hours=1))
        await self._keep_house(at)
