"""Repairs what events did not bring: lost deliveries, heads without a run, runs that nobody executes, dead workers."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.runs.run_queue import Status
from bot.store.values import RepositoryRef, Run, RunKind
from bot.telemetry.health import WAITING
from bot.telemetry.logs import logger
from bot.webhooks.intents import InstallationChanged, InstallationState, RepositoriesChanged
from schemas.errors import NotFound, PromptVerdictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.github.app import GitHubApp
    from bot.runs.reconciler import Reconciler
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from bot.telemetry.health import Health
    from bot.telemetry.metrics import Metrics
    from schemas.host import HookDelivery, HostedPullRequest, Installation
    from schemas.ports import Clock

BEAT_S = 5.0
"""Seconds between two signs of life."""
DEAD_S = 30.0
"""A worker that gave none for so long is dead: what it left pending goes back on the queue."""
RUNS_S = 20.0
LONGEST_PAUSE_S = 60.0
"""Between two tries of a run that comes to nothing."""
DELIVERIES_S = 60.0
HEADS_S = 300.0
HOUSE_S = 3600.0
OVERLAP = timedelta(minutes=10)
"""GitHub shows a delivery late: so much of what was looked at is looked at again."""
KEPT_FOR = timedelta(days=3)
"""How long GitHub keeps deliveries."""
EXPIRES_SEEN = timedelta(days=1)
"""How long after an override's end somebody must have looked."""
GIVEN_UP = timedelta(days=1)
"""A run that came to nothing for so long is ended as an error."""

log = logger("sweep")


class Sweep:
    """The loops of one worker. Every worker sweeps: each repair may be done twice."""

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        run_queue: RunQueue,
        reconciler: Reconciler,
        *,
        slot: str,
        clock: Clock,
        give_up: Callable[[Run, str], Awaitable[None]],
        keep_house: Callable[[datetime], Awaitable[None]],
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._health = health
        self._revived: dict[str, tuple[int, float]] = {}
        """How often a run was taken up again, and when it may be next: what fails at once must not fill GitHub."""
        self._records = records
        self._app = app
        self._run_queue = run_queue
        self._reconciler = reconciler
        self._slot = slot
        self._clock = clock
        self._give_up = give_up
        self._keep_house = keep_house
        self._metrics = metrics
        self._seen_until: datetime | None = None
        self._expired: set[tuple[str, datetime]] = set()
        """Overrides that ended, by run and end: shown as ended already."""
        self._seen: set[str] = set()
        """Runs that ended, with the newest check of their head looked at since."""

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(BEAT_S, self.beat))
            group.create_task(self._every(RUNS_S, self.runs))
            group.create_task(self._every(DELIVERIES_S, self.deliveries))
            group.create_task(self._every(HEADS_S, self.heads))
            group.create_task(self._every(HOUSE_S, self.house))

    async def _every(self, seconds: float, repair: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await repair()
                self._health.works(repair.__name__)
            except PromptVerdictError as error:
                log.warning("not swept", what=repair.__name__, why=str(error))
                if isinstance(error, StoreError):
                    self._health.fails(repair.__name__, f"the sweep of {repair.__name__}")
            except Exception:
                log.exception("bug", what=repair.__name__)
            await self._clock.sleep(seconds)

    async def beat(self) -> None:
        """Says that this worker lives, and takes over from those who don't."""
        at = self._clock.utc()
        await asyncio.to_thread(self._records.heartbeat, self._slot, at)
        for slot in await asyncio.to_thread(self._records.dead_slots, at - timedelta(seconds=DEAD_S)):
            resumed = await self._run_queue.recover(slot)
            await asyncio.to_thread(self._records.give_back, slot, at)
            await asyncio.to_thread(self._records.forget_slot, slot)
            self._metrics.repairs.labels("worker").inc()
            log.warning("dead worker", slot=slot, resumed=len(resumed))

    async def runs(self) -> None:
        """Has runs executed that are open and in nobody's hands; ends those that can't be brought to an end."""
        runs = await asyncio.to_thread(self._records.open_runs)
        statuses = await self._run_queue.statuses([run.id for run in runs])
        self._revived = {run.id: self._revived[run.id] for run in runs if run.id in self._revived}
        self._health.only(WAITING, [run.id for run in runs])
        for run in runs:
            if self._clock.utc() - run.opened_at > GIVEN_UP:
                log.error("given up", run=run.id)
                await self._run_queue.cancel(run.id)
                await self._give_up(run, "Nobody could bring this run to an end within a day: the log says why.")
            elif statuses[run.id] in (Status.UNKNOWN, Status.ENDED) and self._may_revive(run):
                await self._revive(run)

    def _may_revive(self, run: Run) -> bool:
        """Whether its pause is over, which doubles each time."""
        times, next_at = self._revived.get(run.id, (0, 0.0))
        now = self._clock.monotonic()
        if times and now < next_at:
            return False
        self._revived[run.id] = (times + 1, now + min(RUNS_S * 2.0**times, LONGEST_PAUSE_S))
        return True

    async def _revive(self, run: Run) -> None:
        """Not by itself: the pull request may have moved on since."""
        log.info("taken up again", run=run.id)
        self._metrics.repairs.labels("run").inc()
        if run.kind is RunKind.PULL_REQUEST and run.number is not None:
            repo = RepositoryRef(
                installation_id=run.installation_id, repository_id=run.repository_id, full_name=run.repository
            )
            await self._reconciler.reconcile(repo, run.number, "sweep")
        else:
            await self._run_queue.enqueue(run.id)

    async def deliveries(self) -> None:
        """Stores webhooks that GitHub could not deliver, as if they had come."""
        now = self._clock.utc()
        since = now - KEPT_FOR if self._seen_until is None else self._seen_until - OVERLAP
        attempts = await asyncio.to_thread(self._app.deliveries, since)
        by_guid: dict[str, HookDelivery] = {attempt.guid: attempt for attempt in attempts}
        known = await asyncio.to_thread(self._records.known_deliveries, list(by_guid))
        for guid in by_guid.keys() - known:
            await self._fetch(by_guid[guid])
        self._seen_until = now

    async def _fetch(self, lost: HookDelivery) -> None:
        try:
            payload = await asyncio.to_thread(self._app.delivery, lost.id)
        except NotFound:
            return
        body = json.dumps(payload).encode()
        await asyncio.to_thread(self._records.receive, lost.guid, lost.event, body, self._clock.utc())
        self._metrics.repairs.labels("delivery").inc()
        log.info("lost delivery", delivery=lost.guid, kind=lost.event)

    async def heads(self) -> None:
        """Looks at open pull requests whose present head and base have no run."""
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
                    log.warning("not swept", what="heads", repository=repo.repository_id, why=str(error))

    async def _installations(self) -> list[Installation]:
        """The active ones. What changed is taken in: the event that said so may have got lost."""
        found = await asyncio.to_thread(self._app.installations)
        active = [installation for installation in found if not installation.suspended]
        known = set(await asyncio.to_thread(self._records.installations))
        suspended = set(await asyncio.to_thread(self._records.suspended_installations))
        working, there = {one.id for one in active}, {one.id for one in found}
        for number in (known - working) | (suspended & working) | (suspended - there):
            await self._reconciler.handle(
                InstallationChanged(installation_id=number, account="", state=InstallationState.REMOVED)
            )
        return active

    async def _forget_repositories(self, installation_id: int, covered: set[int]) -> None:
        known = await asyncio.to_thread(self._records.repositories, installation_id)
        gone = tuple(repo for repo in known if repo.repository_id not in covered)
        if gone:
            await self._reconciler.handle(RepositoriesChanged(installation_id=installation_id, added=(), removed=gone))

    async def _heads_of(self, repo: RepositoryRef) -> None:
        host = await asyncio.to_thread(self._app.host, repo.installation_id, repo.full_name)
        pulls = await asyncio.to_thread(host.open_pull_requests)
        again: set[int] = set()
        for branch in sorted({pull.base_ref for pull in pulls}):
            to_it = [pull for pull in pulls if pull.base_ref == branch]
            again |= {pull.number for pull in await self._reconciler.base_moved(repo, branch, to_it)}
        self._metrics.repairs.labels("base").inc(len(again))
        for pull in pulls:
            if pull.number in again:
                continue
            run = await asyncio.to_thread(self._records.current_run, repo.repository_id, pull.number)
            if run is None or (run.head_sha, run.base_ref) != (pull.head_sha, pull.base_ref):
                self._metrics.repairs.labels("head").inc()
                await self._reconciler.reconcile(repo, pull.number, "sweep")
            else:
                await self._expire(repo, run)
                await self._ensure_newest_check(repo, run, [one for one in pulls if one.head_sha == pull.head_sha])

    async def _ensure_newest_check(self, repo: RepositoryRef, run: Run, sharing: list[HostedPullRequest]) -> None:
        """Looks once, after a run of a head that had others, whether a check that nobody brings to an end hides it: its
        worker may have died when the run had been cancelled already."""
        if run.state.is_open or run.id in self._seen:
            return
        runs = await asyncio.to_thread(self._records.runs_of_head, repo.repository_id, run.head_sha)
        if len(runs) > 1 and not await self._reconciler.ensure_newest_check(repo, sharing):
            self._metrics.repairs.labels("check").inc()
            log.warning("hidden check", run=run.id)
        self._seen.add(run.id)

    async def _expire(self, repo: RepositoryRef, run: Run) -> None:
        """Takes back what an override accepted that counts no more."""
        kept = await asyncio.to_thread(self._records.verdict, run.id)
        if kept is None or kept.scorecard.passes or run.number is None:
            return
        at = self._clock.utc()
        of = (run.repository_id, run.number, kept.content_digest)
        before = await asyncio.to_thread(self._records.overrides, *of, at - EXPIRES_SEEN)
        ended = {(run.id, one.expires_at) for one in before if one.expires_at is not None and one.expires_at <= at}
        if ended - self._expired:
            await self._reconciler.republish(repo, run.number)
            self._expired |= ended

    async def house(self) -> None:
        """Lets go of what need not be kept any longer."""
        at = self._clock.utc()
        await self._run_queue.forget(at - timedelta(hours=1))
        await self._keep_house(at)
