"""The steps of a run: measure, store, publish. Any step may be killed at any point and repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.publishing.async_publisher import AsyncPublisher
from bot.publishing.freshness import Superseded
from bot.publishing.head_conclusion import conclusion_of
from bot.runs.evaluation import Evaluated
from bot.runs.experiments import ExperimentSteps
from bot.store.async_records import AsyncRecords
from bot.store.values import ON_PAGES, KeptVerdict, Run, RunKind, RunState
from bot.telemetry.health import WAITING
from bot.telemetry.logs import logger
from engine.approvals.trust import pull_request_of
from engine.publishing.check_names import NAME
from engine.scorecard.build_scorecard import scorecard
from schemas.config import CommentPolicy, Mode
from schemas.errors import HostError, HostUnavailable, PromptVerdictError, StoreError
from schemas.host import CheckConclusion
from schemas.pullrequests import PullRequest, Trust
from schemas.scorecard import CommitRef, Scorecard
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

if TYPE_CHECKING:
    from bot.publishing.publisher import VerdictPublisher
    from bot.runs.evaluation import Evaluation
    from bot.store.records import Records
    from bot.telemetry.health import Health
    from bot.telemetry.metrics import Metrics
    from schemas.host import HostedPullRequest
    from schemas.ports import Clock

PROGRESS_S = 20.0
"""Seconds between two lines of progress on the check."""
UNMEASURED = "unmeasured"
"""The content digest of a run that could not be prepared. No approval can name it."""
BUG = "this is a bug in Prompt Verdict; the operator finds the traceback in the log under {}"
QUEUE_HEAD = "merge queue"

log = logger("execution")


@dataclass
class StepResult:
    """The result of a step."""

    superseded: bool = False
    trouble: str | None = None
    """Why the run can't continue."""


class Execution:
    """``bot.runs.run_queue.RunSteps``. ``on_superseded`` ends a run that is no longer the newest."""

    def __init__(
        self,
        records: Records,
        evaluation: Evaluation,
        publisher: VerdictPublisher,
        clock: Clock,
        *,
        on_superseded: Callable[[Run, str], Awaitable[None]],
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._health = health
        self._records = AsyncRecords(records)
        self._experiments = ExperimentSteps(records, evaluation, clock)
        self._evaluation = evaluation
        self._publisher = AsyncPublisher(publisher)
        self._clock = clock
        self._on_superseded = on_superseded
        self._metrics = metrics

    async def measure(self, run_id: str) -> None:
        """Evaluates a run and stores its verdict. If it can't be evaluated, stores an error that says why.

        Raises HostUnavailable and StoreError: the run stays open, and the sweep puts it on the queue again.
        """
        run = await self._records.run(run_id)
        if run is not None and run.kind in ON_PAGES:
            await self._experiments.measure(run, _error, BUG)
            return
        if run is None or not run.state.is_open:
            return
        # A crash after storing the verdict repeats this step. The stored verdict counts.
        if await self._records.verdict(run_id) is not None:
            return
        async with self._step(run) as step:
            evaluated, digest, now = await self._evaluate(run)
            await self._keep(run, evaluated, digest, now)
        if step.trouble is not None:
            # Stored like a verdict, so that publishing it is repeated after a crash too.
            await self._keep(run, Evaluated(_error(run, step.trouble)), UNMEASURED)

    async def _keep(self, run: Run, evaluated: Evaluated, digest: str, now: HostedPullRequest | None = None) -> None:
        card, at = evaluated.scorecard, self._clock.utc()
        await self._records.keep_verdict(
            run.id,
            card,
            digest,
            at=at,
            measured=evaluated.measured,
            author=now.author if now else None,
            on_default=now is not None and now.base_ref == now.default_branch,
        )

    async def publish(self, run_id: str) -> None:
        """Publishes the stored verdict, unless the run is superseded.

        Raises HostUnavailable and StoreError: the sweep then has it published again.
        """
        run = await self._records.run(run_id)
        kept = await self._records.verdict(run_id)
        if run is None or kept is None or not run.state.is_open:
            return
        if run.kind in ON_PAGES:
            await self._experiments.end(run)
            return
        async with self._step(run) as step:
            # The pull request is read again: it may have moved on during the measurement.
            await self._publisher.publish(kept, await self._read(run))
        if step.trouble is not None:
            await self.give_up(run, f"The verdict could not be shown: {step.trouble}.")
        elif not step.superseded:
            await self._published(run, kept)

    @asynccontextmanager
    async def _step(self, run: Run) -> AsyncIterator[StepResult]:
        """Records how a step ended early. Raises HostUnavailable and StoreError: the step must then be repeated."""
        step = StepResult()
        try:
            yield step
        except Superseded as superseded:
            step.superseded = True
            await self._supersede(run, str(superseded))
        except (HostUnavailable, StoreError) as error:
            log.warning("postponed", run=run.id, why=str(error))
            # GitHub's outages end by themselves. A store needs its operator, who must learn about it.
            if isinstance(error, StoreError):
                await self._wait(run, error)
            raise
        except PromptVerdictError as error:
            log.warning("error", run=run.id, why=str(error))
            step.trouble = str(error)
        except Exception:
            # A bug must not leave a check pending forever: the head would be blocked without a reason.
            log.exception("bug", run=run.id)
            step.trouble = BUG.format(run.id)
        # Reached for every outcome but a postponed one, so a run that goes on clears its alarm.
        self._health.works(run.id)

    async def _wait(self, run: Run, error: StoreError) -> None:
        """Shows on the check what the operator must fix. Until then, the queue keeps repeating the run."""
        self._health.fails(run.id, WAITING, error.hint)
        why = f"{error.what[:1].upper()}{error.what[1:]}." + (f" What to do: {error.hint}." if error.hint else "")
        try:
            await self._publisher.show_waiting(run, why)
        # The wait goes on either way. This text is only a notice.
        except (Superseded, PromptVerdictError) as refused:
            log.warning("waiting state not shown", run=run.id, why=str(refused))

    async def _published(self, run: Run, kept: KeptVerdict) -> None:
        at = self._clock.utc()
        # Before the end of the run: only shown verdicts can be approved, and a finished run is not repeated.
        await self._records.shown(run.id, at)
        failed = kept.content_digest == UNMEASURED
        await self._records.finish(run.id, RunState.FAILED if failed else RunState.DONE, at)
        self._metrics.runs.labels(conclusion_of(kept.scorecard).value).inc()
        if run.started_at is not None:
            self._metrics.run_time.observe((at - run.started_at).total_seconds())
        log.info("published", run=run.id, verdict=kept.scorecard.status.value)

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run without a verdict and fails its check, if GitHub accepts that. Raises HostUnavailable."""
        if run.kind in ON_PAGES:
            await self._experiments.give_up(run)
            return
        try:
            await self._publisher.show_failure(run, why)
        except HostUnavailable:
            raise
        except HostError as error:
            # GitHub refuses the write for good, so the run ends without a check instead of being repeated forever.
            log.error("check not written", run=run.id, why=str(error))
        await self._records.finish(run.id, RunState.FAILED, self._clock.utc())

    async def _evaluate(self, run: Run) -> tuple[Evaluated, str, HostedPullRequest | None]:
        """Returns the evaluation, its content digest, and the pull request as it was read."""
        now = await self._read(run)
        # The check appears before any work, so that a required check is pending and not missing.
        if not await self._publisher.start_check(run, now):
            raise Superseded("it was cancelled")
        pull_request = await asyncio.to_thread(self._pull_request, run, now)
        # In a thread: fetching and planning block, and the loop also serves other runs.
        preparation = await asyncio.to_thread(self._evaluation.prepare, run.repo, pull_request)
        digest = preparation.content_digest
        # Recorded before the calls, so that a move of the base during the run can be noticed.
        await self._records.digest(run.id, pull_request.base_sha, digest)
        reused = await self._decided_before(run, pull_request, digest)
        if reused is not None:
            return Evaluated(reused), digest, now
        running = preparation.running()
        if now is not None and running is not None:
            await self._publisher.show_running(run, running, preparation.comment)
        progress = ProgressLine()
        with self._metrics.open_runs.track_inprogress():
            showing = asyncio.create_task(self._show_progress(run, progress))
            try:
                evaluated = await preparation.measure(progress.report)
            finally:
                showing.cancel()
                progress.over = True
            async with progress.writing:  # a write that has begun must arrive before the verdict
                pass
        spent = evaluated.scorecard.spending
        self._metrics.spent.inc(float(spent.cost_usd + spent.judge_cost_usd))
        return evaluated, digest, now

    async def _read(self, run: Run) -> HostedPullRequest | None:
        """Reads the pull request; returns ``None`` for a run of the merge queue. Raises Superseded."""
        if run.kind is RunKind.QUEUE or run.number is None:
            return None
        return await self._publisher.current(run)

    def _pull_request(self, run: Run, now: HostedPullRequest | None) -> PullRequest:
        publisher = self._publisher.blocking
        host = publisher.host(run)
        if now is not None:
            approved = self._records.blocking.approved_head(run.repository_id, now.number, now.head_sha)
            # A success on another base counts for the default branch too if its check has the plain name.
            elsewhere = now.base_ref != now.default_branch
            counts = elsewhere and publisher.check_name(run.repo, now) == NAME
            default = host.branch(now.default_branch) if counts else None
            # Read now and not taken from the event, which may be old.
            tip = host.branch(now.base_ref)
            return pull_request_of(now, run.repository, tip, now.head_sha if approved else None, default)
        queued = None if run.number is None else host.pull_request(run.number)
        elsewhere = queued is not None and queued.default_branch != run.base_ref
        default_ref = queued.default_branch if queued is not None and elsewhere else None
        return PullRequest(
            base_ref=run.base_ref,
            base_sha=run.base_sha or "",
            head_ref=QUEUE_HEAD,
            head_sha=run.head_sha,
            # Only people with write access put a pull request into the queue, and GitHub made this commit.
            trust=Trust.SAME_REPOSITORY,
            repository=run.repository,
            number=run.number,
            author=queued and queued.author,
            default_ref=default_ref,
            default_sha=host.branch(default_ref) if default_ref else None,
        )

    async def _decided_before(self, run: Run, pull_request: PullRequest, digest: str) -> Scorecard | None:
        """Returns the verdict that a queued pull request showed for the same content, on the commits of the merge."""
        if run.kind is not RunKind.QUEUE or run.number is None:
            return None
        shown = await self._records.verdicts_shown(run.repository_id, run.number)
        # The queue builds the same content on another commit. Measuring it again would only add noise and cost.
        same = [kept.scorecard for kept in shown if (kept.content_digest, kept.run.base_ref) == (digest, run.base_ref)]
        # An error is no evidence. The queue's run is another chance to measure.
        if not same or same[-1].status is VerdictStatus.ERROR:
            return None
        return same[-1].model_copy(
            update={
                "base": CommitRef(ref=run.base_ref, sha=pull_request.base_sha),
                "head": CommitRef(ref=pull_request.head_ref, sha=run.head_sha),
            }
        )

    async def _show_progress(self, run: Run, progress: ProgressLine) -> None:
        # Read again: the check was created after `run` was loaded.
        current = await self._records.run(run.id)
        check_run_id = current.check_run_id if current else None
        shown = ""
        while check_run_id is not None:
            await self._clock.sleep(PROGRESS_S)
            if progress.line != shown:
                shown = progress.line
                write = partial(self._publisher.show_progress, run, check_run_id, shown, progress.unless_over)
                # A cancelled request may still arrive at GitHub. Finishing it keeps the order of writes known.
                await asyncio.shield(progress.write(write))

    async def _supersede(self, run: Run, why: str) -> None:
        log.info("superseded", run=run.id, why=why)
        self._metrics.runs.labels(CheckConclusion.CANCELLED.value).inc()
        # Read again, because another worker may have made the check.
        await self._publisher.cancel_check(await self._records.run(run.id) or run)
        if run.number is not None and run.kind is RunKind.PULL_REQUEST:
            await self._publisher.refresh_comment(run)
        await self._on_superseded(run, why)


class ProgressLine:
    """The newest line of progress."""

    def __init__(self) -> None:
        self.line = ""
        self.writing = asyncio.Lock()
        """Held while the line is written."""
        self.over = False

    def report(self, line: str) -> None:
        """Takes a line."""
        self.line = line

    def unless_over(self) -> None:
        """Raises Superseded once the measuring has ended."""
        if self.over:
            raise Superseded("it was measured")

    def write(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Starts ``work`` as a task that completes even if the caller is cancelled."""

        async def written() -> None:
            async with self.writing:
                with suppress(Superseded):
                    await work()

        return asyncio.ensure_future(written())


def _error(run: Run, what: str) -> Scorecard:
    """Returns a scorecard without a verdict. It blocks in every mode, since the unreadable part may be the
    configuration."""
    reason = Reason(code=ReasonCode.NOTHING_MEASURED, status=VerdictStatus.ERROR, sentence=f"No verdict: {what}.")
    return scorecard(
        base=CommitRef(ref=run.base_ref, sha=run.base_sha or ""),
        merge_base=None,
        head=CommitRef(ref=run.head_sha[:12], sha=run.head_sha),
        mode=Mode.ENFORCE,
        comment=CommentPolicy.CHANGES,
        cards=(),
        reasons=(reason,),
        warnings=(),
        budget_usd=None,
    )
