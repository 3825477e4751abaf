"""Runs that people ask for on pages: one prompt of the default branch on several models. GitHub shows nothing of them.

Their steps may be repeated like those of other runs: paid answers are stored, and the run's row holds the request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.runs.experiment_models import with_figures
from bot.runs.noted_progress import noting
from bot.store.async_records import AsyncRecords
from bot.store.values import RunState
from bot.telemetry.logs import logger
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.runs.evaluation import Evaluated, Evaluation
    from bot.store.records import Records
    from bot.store.values import ExperimentRequest, Run
    from schemas.ports import Clock
    from schemas.scorecard import Scorecard

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
        await self._records.finish(run.id, RunState.DONE, self._clock.utc())

    async def give_up(self, run: Run) -> None:
        """Ends a run without a result. Raises StoreError."""
        await self._records.finish(run.id, RunState.FAILED, self._clock.utc())

    async def _measured(self, run: Run, request: ExperimentRequest) -> None:
        pull_request = PullRequest(
            base_ref=run.base_ref, base_sha=run.head_sha, head_ref=run.base_ref, head_sha=run.head_sha,
            # The default branch's own commit, asked for by a person with write access.
            trust=Trust.SAME_REPOSITORY, repository=run.repository,
        )  # fmt: skip
        preparation = await asyncio.to_thread(self._evaluation.prepare_experiment, run.repo, pull_request, request)
        await self._records.digest(run.id, run.head_sha, preparation.content_digest)
        async with noting(self._records, self._clock, run.id) as report:
            evaluated = await preparation.measure(report)
        records = {one.model: one.record for one in evaluated.measured if one.record is not None}
        cards = tuple(
            with_figures(card, records[card.model]) if card.model in records else card
            for card in evaluated.scorecard.lineages
        )
        await self._keep(run, request, evaluated.scorecard.model_copy(update={"lineages": cards}), evaluated)

    async def _keep(
        self, run: Run, request: ExperimentRequest, card: Scorecard, evaluated: Evaluated | None = None
    ) -> None:
        await self._records.keep_verdict(
            run.id,
            card,
            "experiment",
            at=self._clock.utc(),
            measured=evaluated.measured if evaluated else (),
            author=request.by,
            on_default=False,
        )
