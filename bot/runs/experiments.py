"""Runs that people ask for on pages: one prompt on several models, or a draft. GitHub shows nothing of them.

Their steps may be repeated like those of other runs: paid answers are stored, and the run's row holds the request. A
person who cancels a run changes its row, which the worker that executes it reads several times a second.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.runs.answers import AnswerLog
from bot.runs.experiment_models import with_figures
from bot.store.async_records import AsyncRecords
from bot.store.values import RunKind, RunState
from bot.telemetry.logs import logger
from engine.playground.draft import DraftEdit
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.runs.evaluation import Evaluated, Evaluation, WatchedPreparation
    from bot.store.asked_values import AskedRun
    from bot.store.records import Records
    from bot.store.values import ExperimentRequest, Run
    from schemas.ports import Clock
    from schemas.scorecard import Scorecard

LOOK_S = 0.25
"""Seconds between two looks: whether the run was cancelled, and which answers are new."""

log = logger("experiments")


class ExperimentSteps:
    """The steps of such a run."""

    def __init__(self, records: Records, evaluation: Evaluation, clock: Clock) -> None:
        self._records = AsyncRecords(records)
        self._evaluation = evaluation
        self._clock = clock

    async def measure(self, run: Run, failed: Callable[[Run, str], Scorecard], bug: str) -> None:
        """Measures and stores the result; an error that says why if that isn't possible.

        ``failed`` makes the scorecard of an error. Raises HostUnavailable and StoreError: the run stays open.
        """
        if not run.state.is_open:  # cancelled while its worker was down
            await self._records.settle(run.sequence)
            return
        if await self._records.verdict(run.id) is not None:
            return
        if run.request is None or not await self._records.start(run.id, None, self._clock.utc()):
            return
        try:
            await self._measured(run, run.request)
        except (HostUnavailable, StoreError) as error:
            log.warning("postponed", run=run.id, why=str(error))
            raise
        except PromptVerdictError as error:
            log.warning("error", run=run.id, why=str(error))
            await self._keep(run, run.request, failed(run, str(error)))
        except Exception:
            log.exception("bug", run=run.id)
            await self._keep(run, run.request, failed(run, bug.format(run.id)))

    async def end(self, run: Run) -> None:
        """Ends a run whose result is stored. Raises StoreError."""
        await self._finish(run, RunState.DONE)

    async def give_up(self, run: Run) -> None:
        """Ends a run without a result. Raises StoreError."""
        await self._finish(run, RunState.FAILED)

    async def _finish(self, run: Run, state: RunState) -> None:
        # First: a run that has ended is not executed again, and its reservation would stay.
        await self._records.settle(run.sequence)
        await self._records.finish(run.id, state, self._clock.utc())

    async def _measured(self, run: Run, request: ExperimentRequest) -> None:
        asked = await self._records.asked_run(run.sequence)
        preparation = await asyncio.to_thread(self._prepare, run, request, asked)
        await self._records.digest(run.id, run.head_sha, preparation.content_digest)
        watched = AnswerLog(self._records, run, self._clock, asked)
        evaluated = await self._unless_cancelled(run, preparation, watched)
        if evaluated is None:
            log.info("cancelled", run=run.id)
            await self._records.settle(run.sequence)
            return
        card = evaluated.scorecard
        if run.kind is RunKind.EXPERIMENT:
            records = {one.model: one.record for one in evaluated.measured if one.record is not None}
            cards = tuple(
                with_figures(one, records[one.model]) if one.model in records else one for one in card.lineages
            )
            card = card.model_copy(update={"lineages": cards})
        await self._keep(run, request, card, evaluated)

    def _prepare(self, run: Run, request: ExperimentRequest, asked: AskedRun | None) -> WatchedPreparation:
        pull_request = PullRequest(
            base_ref=run.base_ref, base_sha=run.head_sha, head_ref=run.base_ref, head_sha=run.head_sha,
            # The default branch's own commit, asked for by a person with write access.
            trust=Trust.SAME_REPOSITORY, repository=run.repository,
        )  # fmt: skip
        if run.kind is RunKind.PLAYGROUND and asked is not None and asked.document is not None:
            draft = DraftEdit.model_validate_json(asked.document)
            return self._evaluation.prepare_draft(run.repo, pull_request, request.lineage, draft)
        return self._evaluation.prepare_experiment(run.repo, pull_request, request)

    async def _unless_cancelled(
        self, run: Run, preparation: WatchedPreparation, watched: AnswerLog
    ) -> Evaluated | None:
        """Returns the evaluation; ``None`` as soon as the person cancels the run. Its calls then end too."""
        measuring = asyncio.ensure_future(preparation.measure(watched.line, watched))
        try:
            while not measuring.done():
                await asyncio.wait([measuring], timeout=LOOK_S)
                await watched.write()
                current = await self._records.run(run.id)
                if current is None or not current.state.is_open:
                    return None
            return await measuring
        finally:
            if not measuring.done():
                measuring.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await measuring
            with suppress(StoreError):
                await watched.write()

    async def _keep(
        self, run: Run, request: ExperimentRequest, card: Scorecard, evaluated: Evaluated | None = None
    ) -> None:
        await self._records.keep_verdict(
            run.id,
            card,
            run.kind.value,
            at=self._clock.utc(),
            measured=evaluated.measured if evaluated else (),
            author=request.by,
            on_default=False,
        )
