"""What a run does: measure, keep, publish. Both steps may be cut off at any point and be called again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.publishing.freshness import Superseded
from bot.publishing.head_conclusion import conclusion_of
from bot.publishing.publisher import repo_of
from bot.runs.evaluation import Evaluated
from bot.store.values import KeptVerdict, Run, RunKind, RunState
from bot.telemetry.health import WAITING
from bot.telemetry.logs import logger
from engine.assemble import scorecard
from engine.trust import pull_request_of
from schemas.config import CommentPolicy, Mode
from schemas.errors import HostError, HostUnavailable, PromptVerdictError, StoreError
from schemas.host import CheckConclusion
from schemas.pullrequests import PullRequest, Trust
from schemas.scorecard import CommitRef, Reason, ReasonCode, Scorecard, VerdictStatus

if TYPE_CHECKING:
    from bot.publishing.publisher import VerdictPublisher
    from bot.runs.evaluation import Evaluation
    from bot.store.records import Records
    from bot.telemetry.health import Health
    from bot.telemetry.metrics import Metrics
    from schemas.host import HostedPullRequest
    from schemas.ports import Clock

EVERY_S = 20.0
"""Seconds between two writings of progress."""
UNMEASURED = "unmeasured"
"""The content digest of a run that came to no content: nobody's approval names it."""
BUG = "this is a bug in Prompt Verdict, and the operator finds its traceback in the log under {}"
QUEUE_HEAD = "merge queue"

log = logger("execution")


@dataclass
class Step:
    """How a step ended."""

    superseded: bool = False
    trouble: str | None = None
    """Why there is nothing to go on with."""


class Execution:
    """``bot.runs.run_queue.RunSteps``. ``superseded`` ends a run that is no longer the newest, and reconciles its pull
    request, in case the event that said so was lost."""

    def __init__(
        self,
        records: Records,
        evaluation: Evaluation,
        publisher: VerdictPublisher,
        clock: Clock,
        *,
        superseded: Callable[[Run, str], Awaitable[None]],
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._health = health
        self._records = records
        self._evaluation = evaluation
        self._publisher = publisher
        self._clock = clock
        self._superseded = superseded
        self._metrics = metrics

    async def measure(self, run_id: str) -> None:
        """Everything up to the kept verdict. What can't be evaluated is kept as an error that says why.

        Raises HostUnavailable and StoreError: the run stays open, and the sweep has it executed again.
        """
        run = await asyncio.to_thread(self._records.run, run_id)
        if run is None or not run.state.is_open:
            return
        if await asyncio.to_thread(self._records.verdict, run_id) is not None:
            return
        async with self._step(run) as step:
            await self._keep(run, *await self._evaluate(run))
        if step.trouble is not None:
            await self._keep(run, Evaluated(_error(run, step.trouble)), UNMEASURED)

    async def _keep(self, run: Run, evaluated: Evaluated, digest: str) -> None:
        await asyncio.to_thread(
            self._records.keep_verdict,
            run.id, evaluated.scorecard, digest, at=self._clock.utc(), measured=evaluated.measured,
        )  # fmt: skip

    async def publish(self, run_id: str) -> None:
        """Puts the kept verdict on GitHub, unless the newest state says that it is superseded.

        Raises HostUnavailable and StoreError: the sweep has it published again.
        """
        run = await asyncio.to_thread(self._records.run, run_id)
        kept = await asyncio.to_thread(self._records.verdict, run_id)
        if run is None or kept is None or not run.state.is_open:
            return
        async with self._step(run) as step:
            now = await self._now(run)
            await asyncio.to_thread(self._publisher.publish, kept, now)
        if step.trouble is not None:
            await self.give_up(run, f"The verdict could not be shown: {step.trouble}.")
        elif not step.superseded:
            await self._published(run, kept)

    @asynccontextmanager
    async def _step(self, run: Run) -> AsyncIterator[Step]:
        """What may end either step early. Raises HostUnavailable and StoreError: then it is done again."""
        step = Step()
        try:
            yield step
        except Superseded as superseded:
            step.superseded = True
            await self._supersede(run, str(superseded))
        except (HostUnavailable, StoreError) as error:
            log.warning("not now", run=run.id, why=str(error))
            if isinstance(error, StoreError):
                await self._wait(run, error)
            raise
        except PromptVerdictError as error:
            log.warning("error", run=run.id, why=str(error))
            step.trouble = str(error)
        except Exception:
            log.exception("bug", run=run.id)
            step.trouble = BUG.format(run.id)
        self._health.works(run.id)

    async def _wait(self, run: Run, error: StoreError) -> None:
        """Says on the check what an operator must do: until then the run is executed again and again."""
        self._health.fails(run.id, WAITING)
        why = f"{error.what[:1].upper()}{error.what[1:]}." + (f" What to do: {error.mend}." if error.mend else "")
        try:
            await asyncio.to_thread(self._publisher.waiting, run, why)
        except (Superseded, PromptVerdictError) as refused:
            log.warning("waiting not shown", run=run.id, why=str(refused))

    async def _published(self, run: Run, kept: KeptVerdict) -> None:
        at = self._clock.utc()
        await asyncio.to_thread(self._records.shown, run.id, at)
        failed = kept.content_digest == UNMEASURED
        await asyncio.to_thread(self._records.finish, run.id, RunState.FAILED if failed else RunState.DONE, at)
        self._metrics.runs.labels(conclusion_of(kept.scorecard).value).inc()
        if run.started_at is not None:
            self._metrics.run_time.observe((at - run.started_at).total_seconds())
        log.info("published", run=run.id, verdict=kept.scorecard.status.value)

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run without a verdict. Its check fails, if GitHub lets us say so."""
        try:
            await asyncio.to_thread(self._publisher.broken, run, why)
        except HostUnavailable:
            raise
        except HostError as error:
            log.error("check not written", run=run.id, why=str(error))
        await asyncio.to_thread(self._records.finish, run.id, RunState.FAILED, self._clock.utc())

    async def _evaluate(self, run: Run) -> tuple[Evaluated, str]:
        now = await self._now(run)
        if not await asyncio.to_thread(self._publisher.begin, run, now):
            raise Superseded("it was cancelled")
        pull_request = await asyncio.to_thread(self._pull_request, run, now)
        preparation = await asyncio.to_thread(self._evaluation.prepare, repo_of(run), pull_request)
        digest = preparation.content_digest
        await asyncio.to_thread(self._records.digest, run.id, pull_request.base_sha, digest)
        reused = await asyncio.to_thread(self._judged_before, run, pull_request, digest)
        if reused is not None:
            return Evaluated(reused), digest
        running = preparation.running()
        if now is not None and running is not None:
            await asyncio.to_thread(self._publisher.comments.running, run, running, preparation.comment)
        told = ProgressLine()
        with self._metrics.open_runs.track_inprogress():
            telling = asyncio.create_task(self._tell(run, told))
            try:
                evaluated = await preparation.measure(told.hear)
            finally:
                telling.cancel()
                told.over = True
            async with told.writing:  # what is on its way arrives before the verdict
                pass
        spent = evaluated.scorecard.spending
        self._metrics.spent.inc(float(spent.cost_usd + spent.judge_cost_usd))
        return evaluated, digest

    async def _now(self, run: Run) -> HostedPullRequest | None:
        """The pull request as it is now; ``None`` for a merge of the queue. Raises Superseded."""
        if run.kind is RunKind.QUEUE or run.number is None:
            return None
        return await asyncio.to_thread(self._publisher.current, run)

    def _pull_request(self, run: Run, now: HostedPullRequest | None) -> PullRequest:
        if now is not None:
            approved = self._records.approved_head(run.repository_id, now.number, now.head_sha)
            tip = self._publisher.host(run).branch(now.base_ref)
            return pull_request_of(now, run.repository, tip, now.head_sha if approved else None)
        author = None if run.number is None else self._publisher.host(run).pull_request(run.number).author
        return PullRequest(
            base_ref=run.base_ref,
            base_sha=run.base_sha or "",
            head_ref=QUEUE_HEAD,
            head_sha=run.head_sha,
            trust=Trust.SAME_REPOSITORY,
            repository=run.repository,
            number=run.number,
            author=author,
        )

    def _judged_before(self, run: Run, pull_request: PullRequest, digest: str) -> Scorecard | None:
        """The verdict that the queued pull request showed for the very same content, on the commits of the merge."""
        if run.kind is not RunKind.QUEUE or run.number is None:
            return None
        shown = self._records.verdicts_shown(run.repository_id, run.number)
        same = [kept.scorecard for kept in shown if kept.content_digest == digest]
        if not same or same[-1].status is VerdictStatus.ERROR:
            return None
        return same[-1].model_copy(
            update={
                "base": CommitRef(ref=run.base_ref, sha=pull_request.base_sha),
                "head": CommitRef(ref=pull_request.head_ref, sha=run.head_sha),
            }
        )

    async def _tell(self, run: Run, told: ProgressLine) -> None:
        """Shows the newest line of progress now and then."""
        current = await asyncio.to_thread(self._records.run, run.id)
        check_run_id = current.check_run_id if current else None
        shown = ""
        while check_run_id is not None:
            await self._clock.sleep(EVERY_S)
            if told.line != shown:
                shown = told.line
                await asyncio.shield(
                    told.write(partial(self._publisher.progress, run, check_run_id, shown, told.unless_over))
                )

    async def _supersede(self, run: Run, why: str) -> None:
        log.info("superseded", run=run.id, why=why)
        self._metrics.runs.labels(CheckConclusion.CANCELLED.value).inc()
        await asyncio.to_thread(self._publisher.cancelled, await self._fresh(run))
        if run.number is not None and run.kind is RunKind.PULL_REQUEST:
            await asyncio.to_thread(self._publisher.comments.mend, run)
        await self._superseded(run, why)

    async def _fresh(self, run: Run) -> Run:
        return await asyncio.to_thread(self._records.run, run.id) or run


class ProgressLine:
    """The newest line of progress."""

    def __init__(self) -> None:
        self.line = ""
        self.writing = asyncio.Lock()
        """Held while it is written."""
        self.over = False

    def hear(self, line: str) -> None:
        """Takes a line."""
        self.line = line

    def unless_over(self) -> None:
        """Raises Superseded where nothing is measured any more."""
        if self.over:
            raise Superseded("it was measured")

    def write(self, work: Callable[[], None]) -> asyncio.Task[None]:
        """Has it written, to the end whoever stops waiting."""

        async def written() -> None:
            async with self.writing:
                with suppress(Superseded):
                    await asyncio.to_thread(work)

        return asyncio.ensure_future(written())


def _error(run: Run, what: str) -> Scorecard:
    """There is no verdict, and why. It passes in no mode: what the configuration says may be what couldn't be read."""
    reason = Reason(
        code=ReasonCode.NOTHING_MEASURED, status=VerdictStatus.ERROR, sentence=f"Nothing was decided: {what}."
    )
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
