"""The steps of a watch's run: measure the production version again, compare, alert. Any step may be repeated."""

from __future__ import annotations

import asyncio
import secrets
from datetime import date, timedelta
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.store.values import Run, RunKind, RunState
from bot.telemetry.logs import logger
from engine.alerts.states import AlertState
from engine.drift.reading import Level, Question, Reading
from engine.hub.promotion import promotion as version_change
from engine.hub.versions import version_of
from engine.watch.alone import alone
from engine.watch.answers import watched
from engine.watch.compare import compared, first_reading, together, unusable
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from datetime import datetime

    from bot.runs.default_branch import DefaultBranch
    from bot.runs.evaluation import Evaluated, Evaluation
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from bot.store.watch_values import Watch, WatchedDay
    from engine.runner.preparation import Preparation
    from schemas.ports import Clock

PRODUCTION = "production"
"""The tag whose version is watched. Without it, the default branch's is."""
WHY = "watch "
"""The start of such a run's reason. Its day follows."""
BUG = "this is a bug in Prompt Verdict; the operator finds the traceback in the log under {}"

log = logger("watch")


class WatchSteps:
    """``bot.runs.run_queue.RunSteps`` for watches."""

    def __init__(self, records: Records, evaluation: Evaluation, branch: DefaultBranch, clock: Clock) -> None:
        self._records = AsyncRecords(records)
        self._evaluation = evaluation
        self._branch = branch
        self._clock = clock

    async def start(self, queue: RunQueue, now: datetime) -> None:
        """Opens a run for every watch that is due. May be repeated: a watch has one run a day."""
        for watch in await self._records.due_watches(now.date()):
            try:
                await self._open(watch, queue, now)
            except (HostUnavailable, StoreError) as error:
                log.warning("watch postponed", repository=watch.repository_id, why=str(error))
            except PromptVerdictError as error:
                log.warning("watch not started", repository=watch.repository_id, why=str(error))
                await self._records.watch_goes_on(watch, next_on=_next(watch, now.date()), trouble=str(error))

    async def _open(self, watch: Watch, queue: RunQueue, now: datetime) -> None:
        repo = await self._records.repository_by_id(watch.repository_id)
        if repo is None:
            return
        today = await asyncio.to_thread(self._branch.read, repo, watch.lineage)
        run = await self._records.open_run(
            repo, None, today.sha, f"{watch.lineage}:watch", why=f"{WHY}{now.date().isoformat()}", kind=RunKind.WATCH,
            raise_attempt=True, at=now,
        )  # fmt: skip
        # The run is known before it is queued, so that a worker that finds it finds its watch too.
        if await self._records.watch_goes_on(watch, next_on=_next(watch, now.date()), run_id=run.id):
            await queue.enqueue(run.id)

    async def measure(self, run_id: str) -> None:
        """Runs every case once and stores the scores. Raises HostUnavailable and StoreError: the sweep repeats it."""
        run, watch = await self._open_run(run_id)
        if run is None or watch is None:
            return
        try:
            preparation, digest = await asyncio.to_thread(self._prepare, run, watch)
            if not await self._records.start(run_id, None, self._clock.utc()):
                return
            evaluated = await preparation.measure(lambda _: None)
            for one in evaluated.measured:
                if one.record is not None:
                    answers = watched(_day_of(run), one.record, evaluated.served.get((one.lineage, one.model), {}))
                    await self._records.keep_watched(watch.repository_id, watch.lineage, digest, answers)
            if not any(one.record for one in evaluated.measured):
                await self._fail(run, watch, evaluated.scorecard.summary)
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.warning("not measured", run=run_id, why=str(error))
            await self._fail(run, watch, str(error))
        except Exception:
            log.exception("bug", run=run_id)
            await self._fail(run, watch, BUG.format(run_id))

    async def publish(self, run_id: str) -> None:
        """Compares the scores with the stored ones, and stores the reading. Raises HostUnavailable and StoreError."""
        run, watch = await self._open_run(run_id)
        if run is not None and watch is not None:
            await asyncio.to_thread(self._judge, run, watch)
        if run is not None:
            await self._records.finish(run_id, RunState.DONE, self._clock.utc())

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run that could not be completed. Raises StoreError."""
        watch = await self._records.watch_of_run(run.id)
        if watch is None:
            await self._records.finish(run.id, RunState.FAILED, self._clock.utc())
        else:
            await self._fail(run, watch, why)

    async def _open_run(self, run_id: str) -> tuple[Run | None, Watch | None]:
        run = await self._records.run(run_id)
        if run is None or not run.state.is_open:
            return None, None
        return run, await self._records.watch_of_run(run_id)

    async def _fail(self, run: Run, watch: Watch, why: str) -> None:
        await self._records.watch_goes_on(watch, trouble=why)
        await self._records.finish(run.id, RunState.FAILED, self._clock.utc())

    def _prepare(self, run: Run, watch: Watch) -> tuple[Preparation[Evaluated], str]:
        """Plans the production version alone; returns it with the version's digest. Spends nothing. Blocks."""
        records, repo = self._records.blocking, run.repo
        detection = self._branch.at(repo, run.head_sha, watch.lineage)
        move = records.current_move(repo.repository_id, watch.lineage, PRODUCTION)
        version = move and records.hub_version(repo.repository_id, move.to_digest, watch.lineage)
        if version:
            detection = version_change(detection, version.prompt, version.prompt)
        detection = alone(detection, watch.lineage)
        pull_request = PullRequest(
            base_ref=run.base_ref, base_sha=run.head_sha, head_ref=run.base_ref, head_sha=run.head_sha,
            # The default branch's own commit, watched at the request of a maintainer.
            trust=Trust.SAME_REPOSITORY, repository=run.repository,
        )  # fmt: skip
        day = _day_of(run)
        digest = version.prompt.digest if version else version_of(detection.lineages[0], run.head_sha).digest
        return self._evaluation.plan(repo, pull_request, detection, fresh=day.isoformat()), digest

    def _judge(self, run: Run, watch: Watch) -> None:
        records, at, day = self._records.blocking, watch.repository_id, _day_of(run)
        alert = records.alert(at, watch.lineage, Question.WATCH)
        start = alert.start if alert else None
        before = alert.reading if alert and alert.reading and alert.reading.level is Level.ALERT else None
        readings = []
        for one in records.watched(at, watch.lineage, day):
            baseline = records.watch_baseline(at, watch.lineage, one.model)
            reading, is_baseline = _read(one, baseline, start, before.since if before else None)
            records.judge_watched(at, watch.lineage, one, reading=reading, baseline=is_baseline)
            readings.append(reading)
        if not readings:
            return
        raised = alert is not None and alert.state is AlertState.ALERT
        now = records.keep_reading(
            at, watch.lineage, together(readings), start=start, episode_id=secrets.token_hex(12), at=self._clock.utc()
        )
        if raised and now.state is AlertState.OK:
            # The model answers as before, or an unlucky baseline raised the alert: these answers are a better one.
            for one, reading in zip(records.watched(at, watch.lineage, day), readings, strict=True):
                records.judge_watched(at, watch.lineage, one, reading=reading, baseline=True)


def _read(one: WatchedDay, baseline: WatchedDay | None, start: date | None, since: date | None) -> tuple[Reading, bool]:
    """Returns the reading of a model's answers, and whether they are the baseline from now on."""
    if baseline is not None and baseline.day >= one.day:
        # Judged before: the day's own answers became the baseline.
        return one.reading or first_reading(one.answers), one.is_baseline
    if baseline is None or (start is not None and baseline.day < start):
        problem = unusable(one.answers)
        return problem or first_reading(one.answers), problem is None
    reading = compared(baseline.answers, one.answers, since)
    if baseline.answers.requests == one.answers.requests:
        return reading, False
    problem = unusable(one.answers)
    return problem or reading, problem is None


def _day_of(run: Run) -> date:
    return date.fromisoformat(run.why.removeprefix(WHY))


def _next(watch: Watch, day: date) -> date:
    return day + timedelta(days=watch.every_days)
