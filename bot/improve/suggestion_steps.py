"""The steps of a suggestion's run: search or edit, store, open a draft or report. Any may be killed and repeated.

A run that is repeated takes its answers from the store, and has what its earlier attempts left of the budget.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.improve.past_losses import past_losses
from bot.improve.pull_request import edit_of, opened
from bot.improve.result_text import RESULT, comment_of, edits_of, report_of
from bot.runs.improving import ImproveBudget
from bot.runs.noted_progress import noting
from bot.runs.written_result import write_result
from bot.store.async_records import AsyncRecords
from bot.store.suggest_values import SuggestionState
from bot.store.values import RunKind, RunState
from bot.telemetry.logs import logger
from engine.improve.ask import AskTask, ask, prepare_ask
from engine.improve.conversation import AskReport
from engine.improve.suggest import Task, prepare_search, suggest
from engine.improve.target import target_of
from engine.render.figures import plural, usd
from schemas.errors import HostUnavailable, PromptVerdictError, StoreError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.proposals import ProposedPullRequest
    from bot.improve.result_text import Report
    from bot.runs.default_branch import DefaultBranch
    from bot.runs.evaluation import Evaluation
    from bot.runs.improving import Improving
    from bot.runs.run_queue import RunQueue
    from bot.store.suggest_values import Suggestion
    from bot.store.values import RepositoryRef, Run
    from engine.improve.conversation import Conversation
    from engine.runner.experiment import Progress
    from schemas.ports import Clock

BUG = "This is a bug in Prompt Verdict. The operator finds the traceback in the log under {}."
CANCEL_S = 0.25
"""Seconds between two looks whether someone cancelled it."""
HELD_OUT = 0.5

log = logger("improve")


class SuggestionSteps:
    """``bot.runs.run_queue.RunSteps`` for suggestions. ``page_of`` returns the address of a suggestion's page."""

    def __init__(
        self,
        records: AsyncRecords,
        evaluation: Evaluation,
        branch: DefaultBranch,
        app: GitHubApp,
        *,
        clock: Clock,
        page_of: Callable[[Suggestion], str | None],
    ) -> None:
        self._records = records
        self._evaluation = evaluation
        self._branch = branch
        self._app = app
        self._clock = clock
        self._page_of = page_of

    async def start(self, queue: RunQueue) -> None:
        """Opens a run for every suggestion that waits. May be repeated."""
        for suggestion in await self._records.open_suggestions():
            if suggestion.run_id is not None:
                continue
            repo = await self._records.repository_by_id(suggestion.repository_id)
            if repo is None:
                await self._end(suggestion, SuggestionState.FAILED, "The App no longer covers the repository.")
                continue
            run = await self._records.open_run(
                repo, None, suggestion.sha, suggestion.branch, why=f"suggestion {suggestion.id}",
                kind=RunKind.SUGGESTION, raise_attempt=True, at=self._clock.utc(),
            )  # fmt: skip
            # The run is known before it is queued, so that a worker that finds it finds its suggestion too.
            if await self._records.start_suggestion(suggestion.id, run.id):
                await queue.enqueue(run.id)

    async def measure(self, run_id: str) -> None:
        """Searches, or edits as asked, and stores the result. Ends within half a second if someone cancels it.

        Raises HostUnavailable and StoreError: the sweep then repeats the step.
        """
        run, suggestion = await self._open_run(run_id)
        if run is None or suggestion is None or not suggestion.state.is_open:
            return
        if not await self._records.start(run_id, None, self._clock.utc()):
            return
        work = asyncio.create_task(self._made(run, suggestion))
        watching = asyncio.create_task(self._cancelled(suggestion))
        try:
            await asyncio.wait((work, watching), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.info("cancelled", run=run_id)
                return
            work.result()
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.warning("no suggestion", run=run_id, why=str(error))
            await self._end(suggestion, SuggestionState.FAILED, f"The suggestion failed: {error}.")
        except Exception:
            log.exception("bug", run=run_id)
            await self._end(suggestion, SuggestionState.FAILED, BUG.format(run_id))
        finally:
            # Also if this step is cancelled itself: no call may outlive it.
            for task in (work, watching):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait((work, watching))

    async def publish(self, run_id: str) -> None:
        """Opens the draft pull request of what a comment asked for, and reports it. Raises HostUnavailable and
        StoreError."""
        run, suggestion = await self._open_run(run_id)
        if run is None or suggestion is None or suggestion.state.is_open:
            return
        if suggestion.number is not None:
            report = report_of(suggestion)
            suggestion, why = await self._opened(run.repo, suggestion, report)
            await self._report(run, suggestion, report, why)
        state = RunState.CANCELLED if suggestion.state is SuggestionState.CANCELLED else RunState.DONE
        await self._records.finish(run_id, state, self._clock.utc())
        log.info("suggestion", run=run_id, state=suggestion.state.value)

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run that could not be completed. Raises HostUnavailable and StoreError."""
        suggestion = await self._records.suggestion_of_run(run.id)
        if suggestion is not None:
            ended = await self._end(suggestion, SuggestionState.FAILED, why)
            await self._report(run, ended, None, "")
        await self._records.finish(run.id, RunState.FAILED, self._clock.utc())

    async def _open_run(self, run_id: str) -> tuple[Run | None, Suggestion | None]:
        run = await self._records.run(run_id)
        if run is None or not run.state.is_open:
            return None, None
        return run, await self._records.suggestion_of_run(run_id)

    async def _cancelled(self, suggestion: Suggestion) -> None:
        while await self._records.suggestion_is_open(suggestion.id):
            await self._clock.sleep(CANCEL_S)

    async def _made(self, run: Run, suggestion: Suggestion) -> None:
        async def paid(amount: Decimal) -> None:
            await self._records.suggestion_spends(suggestion.id, amount)

        budget = ImproveBudget(suggestion.budget_usd, suggestion.spent_usd, paid)
        async with (
            self._evaluation.improving(run.repo, budget) as tools,
            noting(self._records, self._clock, run.id) as line,
        ):

            def progress(_: Progress) -> None:
                line(f"{plural(tools.cap.made, 'call')}, {usd(tools.cap.spent)}")

            ports = replace(tools.ports, on_line=line, on_progress=progress)
            report = await self._searched(run.repo, suggestion, replace(tools, ports=ports))
        texts = edits_of(report)
        edit = await asyncio.to_thread(edit_of, self._branch, run.repo, suggestion, texts) if texts else None
        if edit is not None:
            report = report.model_copy(update={"patch": edit.patch})
        outcome = "" if not isinstance(report, AskReport) or not report.last.why else f"No edit: {report.last.why}"
        await self._records.end_suggestion(
            suggestion.id, SuggestionState.DONE, outcome, self._clock.utc(),
            report=report.model_dump_json(), spent_usd=tools.cap.spent,
        )  # fmt: skip

    async def _searched(self, repo: RepositoryRef, suggestion: Suggestion, tools: Improving) -> Report:
        before = await self._before(suggestion)

        def prepared() -> AskTask | Task:
            today = self._branch.at(repo, suggestion.sha, suggestion.lineage)
            change = next(one for one in today.lineages if one.name == suggestion.lineage)
            config = today.config_of(change)
            model = config.suggest.model if config else None
            alone = PullRequest(
                base_ref=suggestion.branch, base_sha=suggestion.sha, head_ref="suggestion", head_sha=suggestion.sha,
                trust=Trust.SAME_REPOSITORY, repository=repo.full_name,
            )  # fmt: skip
            if not suggestion.asked:
                return prepare_search(today, alone, suggestion.lineage, tools.world, held_out=HELD_OUT, reflector=model)
            target = target_of(today, alone, suggestion.lineage, tools.world, reflector=model)
            return prepare_ask(target, tools.world, before, suggestion.asked)

        # In a thread: reading and planning block, and the loop also serves other runs.
        task = await asyncio.to_thread(prepared)
        if isinstance(task, AskTask):
            return await ask(task, tools.world, tools.ports, tools.cap)
        from adapters.optimizer import GepaOptimizer

        shown = frozenset(case.id for case in task.split.shown)
        lost = await asyncio.to_thread(
            past_losses, self._records.blocking, repo.repository_id, suggestion.lineage, shown
        )
        return await suggest(task, tools.world, GepaOptimizer(), tools.ports, tools.cap, lost=lost)

    async def _before(self, suggestion: Suggestion) -> Conversation | None:
        """Returns the conversation that a round continues."""
        if suggestion.follows is None:
            return None
        earlier = await self._records.suggestion(suggestion.follows)
        report = report_of(earlier) if earlier and earlier.repository_id == suggestion.repository_id else None
        return report.conversation if isinstance(report, AskReport) else None

    async def _opened(
        self, repo: RepositoryRef, suggestion: Suggestion, report: Report | None
    ) -> tuple[Suggestion, str]:
        """Opens the draft pull request as the App, if it may. Returns why there is none. Raises HostUnavailable."""
        texts = edits_of(report) if report is not None else {}
        if report is None or not texts or suggestion.pull_url is not None:
            return suggestion, ""

        def work() -> ProposedPullRequest | str:
            edit = edit_of(self._branch, repo, suggestion, texts)
            if edit is None:
                return ""
            return opened(suggestion, report, edit, self._app.proposals(repo.installation_id, repo.full_name))

        try:
            made = await asyncio.to_thread(work)
        except (HostUnavailable, StoreError):
            raise
        except PromptVerdictError as error:
            log.info("no pull request", suggestion=suggestion.id, why=str(error))
            return suggestion, f"The App could not open a pull request here ({error.what}), so this is a patch."
        if isinstance(made, str):
            return suggestion, made
        await self._records.suggestion_opened(suggestion.id, made.url)
        return suggestion.model_copy(update={"pull_url": made.url}), ""

    async def _end(self, suggestion: Suggestion, state: SuggestionState, outcome: str) -> Suggestion:
        return await self._records.end_suggestion(suggestion.id, state, outcome, self._clock.utc()) or suggestion

    async def _report(self, run: Run, suggestion: Suggestion, report: Report | None, why: str) -> None:
        if suggestion.number is None:
            return
        text = comment_of(suggestion, report, page=self._page_of(suggestion), why_patch=why)
        await write_result(self._app, run, suggestion.number, f"{RESULT} {suggestion.id}", text)
