"""The steps of a promotion's run: measure, store, move the tag, report. Any step may be killed and repeated."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.hub.hub_service import end_without_verdict, move_of
from bot.hub.replies import RESULT, result_text
from bot.runs.evaluation import Evaluated
from bot.runs.written_result import write_result
from bot.store.async_records import AsyncRecords
from bot.store.hub_values import MoveKind, PromotionState
from bot.store.values import Run, RunKind, RunState
from bot.telemetry.logs import logger
from engine.hub.promotion import promotion as promotion_change
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError
from schemas.pullrequests import PullRequest, Trust
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from bot.runs.default_branch import DefaultBranch
    from bot.runs.evaluation import Evaluation
    from bot.runs.run_queue import RunQueue
    from bot.store.hub_values import Promotion
    from bot.store.records import Records
    from engine.runner.preparation import Preparation
    from schemas.ports import Clock
    from schemas.scorecard import Scorecard

BUG = "This is a bug in Prompt Verdict. The operator finds the traceback in the log under {}."

log = logger("hub")


class PromotionSteps:
    """``bot.runs.run_queue.RunSteps`` for promotions. ``page_of`` returns the address of a run's page."""

    def __init__(
        self,
        records: Records,
        evaluation: Evaluation,
        branch: DefaultBranch,
        app: GitHubApp,
        *,
        clock: Clock,
        page_of: Callable[[Run], str | None],
    ) -> None:
        self._records = AsyncRecords(records)
        self._evaluation = evaluation
        self._branch = branch
        self._app = app
        self._clock = clock
        self._page_of = page_of

    async def start(self, queue: RunQueue) -> None:
        """Opens a run for every promotion that waits, and reports those that ended without one. May be repeated."""
        for promotion in await self._records.open_promotions():
            if promotion.run_id is None:
                await self._open(promotion, queue)

    async def _open(self, promotion: Promotion, queue: RunQueue) -> None:
        repo = await self._records.repository_by_id(promotion.repository_id)
        candidate = await self._records.hub_version(promotion.repository_id, promotion.to_digest, promotion.lineage)
        if repo is None or candidate is None:
            await self._end(promotion, PromotionState.FAILED, "Its repository or version is gone.")
            return
        end = end_without_verdict(promotion, self._clock.utc())
        if end is not None:  # the process that asked was killed before it ended the promotion
            at = self._clock.utc()
            await self._records.end_promotion(promotion.id, PromotionState.MOVED, end.outcome, at, end.move)
            return
        run = await self._records.open_run(
            repo, None, candidate.prompt.commit, f"{promotion.lineage}:{promotion.tag}",
            why=f"promotion {promotion.id}", kind=RunKind.PROMOTION, raise_attempt=True, at=self._clock.utc(),
        )  # fmt: skip
        # The run is known before it is queued, so that a worker that finds it finds its promotion too.
        if await self._records.start_promotion(promotion.id, run.id):
            await queue.enqueue(run.id)

    async def measure(self, run_id: str) -> None:
        """Measures the tag's version against the candidate and stores the verdict.

        Raises HostUnavailable and StoreError: the sweep then repeats the step.
        """
        run, promotion = await self._open_run(run_id)
        if run is None or promotion is None or await self._records.verdict(run_id) is not None:
            return
        try:
            preparation = await asyncio.to_thread(self._prepare, run, promotion)
            at = self._clock.utc()
            # The run may have ended while it was prepared, for example because the App was removed.
            if not await self._records.start(run_id, None, at):
                return
            await self._records.digest(run_id, run.base_sha or "", preparation.content_digest)
            evaluated = await preparation.measure(lambda _: None)
            await self._records.keep_verdict(
                run_id,
                evaluated.scorecard,
                preparation.content_digest,
                at=self._clock.utc(),
                measured=evaluated.measured,
                author=promotion.by,
            )
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.warning("promotion not measured", run=run_id, why=str(error))
            await self._fail(run, promotion, f"It could not be measured: {error}.")
        except Exception:
            log.exception("bug", run=run_id)
            await self._fail(run, promotion, BUG.format(run_id))

    async def publish(self, run_id: str) -> None:
        """Moves the tag if the verdict passes, and reports the result. Raises HostUnavailable and StoreError."""
        run, promotion = await self._open_run(run_id)
        kept = await self._records.verdict(run_id)
        if run is None or promotion is None or kept is None:
            return
        card = kept.scorecard
        # Also for a verdict that needs review: a promotion has no pull request to review, so only an override moves it.
        state, move = PromotionState.BLOCKED, None
        if _passes(card):
            state = PromotionState.MOVED
            move = move_of(promotion, MoveKind.PROMOTED, self._clock.utc(), card.status.value)
        elif card.status is VerdictStatus.ERROR:
            state = PromotionState.FAILED
        # The move and the end are one transaction. If the tag has moved meanwhile, ``ended`` says so and not ``state``.
        ended = await self._records.end_promotion(promotion.id, state, card.summary, self._clock.utc(), move)
        # Before the end of the run: a finished run is not repeated.
        await self._report(run, ended or promotion, card)
        await self._records.finish(run_id, RunState.DONE, self._clock.utc())
        log.info("promotion", run=run_id, state=(ended or promotion).state.value)

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run that could not be completed, and its promotion. Raises HostUnavailable and StoreError."""
        promotion = await self._records.promotion_of_run(run.id)
        if promotion is not None:
            await self._fail(run, promotion, why)

    async def _open_run(self, run_id: str) -> tuple[Run | None, Promotion | None]:
        run = await self._records.run(run_id)
        if run is None or not run.state.is_open:
            return None, None
        return run, await self._records.promotion_of_run(run_id)

    def _prepare(self, run: Run, promotion: Promotion) -> Preparation[Evaluated]:
        records = self._records.blocking
        at = promotion.repository_id
        before = records.hub_version(at, promotion.from_digest or "", promotion.lineage)
        after = records.hub_version(at, promotion.to_digest, promotion.lineage)
        if before is None or after is None:
            raise StoreError("a version of this promotion is not stored", hint="restore the database's backup")
        # Cases and policy of the branch as it is now: those of the versions' own commits may be months old.
        today = self._branch.read(run.repo, promotion.lineage)
        detection = promotion_change(today.detection, before.prompt, after.prompt)
        pull_request = PullRequest(
            base_ref=promotion.tag,
            base_sha=before.prompt.commit,
            head_ref=today.branch,
            head_sha=after.prompt.commit,
            trust=Trust.SAME_REPOSITORY,  # both versions are of the default branch
            repository=run.repository,
        )
        return self._evaluation.plan(run.repo, pull_request, detection)

    async def _fail(self, run: Run, promotion: Promotion, why: str) -> None:
        ended = await self._end(promotion, PromotionState.FAILED, why)
        await self._report(run, ended, None)
        await self._records.finish(run.id, RunState.FAILED, self._clock.utc())

    async def _end(self, promotion: Promotion, state: PromotionState, outcome: str) -> Promotion:
        return await self._records.end_promotion(promotion.id, state, outcome, self._clock.utc()) or promotion

    async def _report(self, run: Run, promotion: Promotion, card: Scorecard | None) -> None:
        if promotion.number is None:
            return
        text = result_text(promotion, card, self._page_of(run))
        await write_result(self._app, run, promotion.number, f"{RESULT} {promotion.id}", text)


def _passes(card: Scorecard) -> bool:
    """Returns whether the tag may move. The mode ``inform`` is about pull requests and changes nothing here."""
    return card.status is not VerdictStatus.ERROR and all(one.passes for one in card.lineages)
