"""Dispatches each intent of a webhook to its handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.store.values import RepositoryRef, Run, RunKind
from bot.webhooks.intents import (
    CommandPosted,
    InstallationChanged,
    Intent,
    PullRequestClosed,
    PullRequestMoved,
    Pushed,
    QueueEntered,
    QueueLeft,
    RepositoriesChanged,
    RerunRequested,
    ReviewGiven,
)
from schemas.host import Sha

if TYPE_CHECKING:
    from bot.runs.coverage import Coverage
    from bot.runs.reconciler import Reconciler
    from bot.store.records import Records
    from schemas.ports import Clock

HandleCommand = Callable[[CommandPosted], Awaitable[str]]
"""Acknowledges, executes and answers a command. May be called again for the same command."""
OnDefault = Callable[[RepositoryRef, str, Sha], None]
"""Takes over what the default branch says, after a push of this commit to it. May be called again. Blocks."""


class IntentHandler:
    """Handles intents. There is one for each worker."""

    def __init__(
        self,
        records: Records,
        reconciler: Reconciler,
        coverage: Coverage,
        *,
        handle_command: HandleCommand,
        on_default: OnDefault,
        clock: Clock,
    ) -> None:
        self._records = AsyncRecords(records)
        self._reconciler = reconciler
        self._coverage = coverage
        self._handle_command = handle_command
        self._on_default = on_default
        self._clock = clock

    async def handle(self, intent: Intent) -> None:
        """Handles an intent. Raises HostError and StoreError; the delivery is then handled again later."""
        match intent:
            case PullRequestMoved(repo=repo, number=number, why=why, left=left):
                await self._reconciler.reconcile(repo, number, why, left=left)
            case PullRequestClosed(repo=repo, number=number):
                await self._reconciler.reconcile(repo, number, "closed")
            case ReviewGiven(repo=repo, number=number):
                await self._reconciler.republish(repo, number)
            case RerunRequested():
                await self._rerun(intent)
            case CommandPosted():
                await self._handle_command(intent)
            case QueueEntered():
                await self._enter_queue(intent)
            case QueueLeft(repo=repo, head_sha=head_sha):
                runs = await self._records.runs_of_head(repo.repository_id, head_sha)
                await self._reconciler.cancel(run for run in runs if run.kind is RunKind.QUEUE)
            case InstallationChanged() | RepositoriesChanged():
                await self._coverage.apply(intent)
            case Pushed():
                await self._pushed(intent)

    async def _pushed(self, pushed: Pushed) -> None:
        await self._reconciler.base_moved(pushed.repo, pushed.branch)
        if pushed.to_default:
            await asyncio.to_thread(self._on_default, pushed.repo, pushed.branch, pushed.sha)

    async def _rerun(self, asked: RerunRequested) -> None:
        repo = asked.repo
        runs = await self._records.runs_of_head(repo.repository_id, asked.head_sha)
        if asked.check_run_id is not None:
            # The check may be one that we no longer know. Then all runs of the head are repeated.
            runs = [run for run in runs if run.check_run_id == asked.check_run_id] or runs
        # Later runs replace earlier ones, since they come in the order of requests.
        newest = {(run.kind, run.number): run for run in runs}
        for (kind, number), run in newest.items():
            # A run that is under way already does what the button asks for.
            if run.state.is_open:
                continue
            why = f"re-run of {run.id} by {asked.by}"  # names the run: pressing twice is one attempt
            if kind is RunKind.QUEUE:
                fresh = await self._open_run(repo, run.number, run.head_sha, run.base_ref, why=why, raise_attempt=True)
                # A queue's base comes only with its event, so the new attempt takes over that of the old one.
                await self._records.digest(fresh.id, run.base_sha or "", "")
                await self._reconciler.start(fresh, None)
            elif number is not None:
                await self._reconciler.retry(repo, number, why=why)
        # A head without any run: its events were lost.
        if not newest and asked.number is not None:
            await self._reconciler.reconcile(repo, asked.number, f"re-run by {asked.by}")

    async def _enter_queue(self, asked: QueueEntered) -> None:
        run = await self._open_run(
            asked.repo, asked.number, asked.head_sha, asked.base_ref, why="merge queue", raise_attempt=False
        )
        if run.base_sha is None:
            # Use the payload's base: only the queue knows which other merges this one builds on.
            await self._records.digest(run.id, asked.base_sha, "")
        await self._reconciler.start(run, None)

    async def _open_run(
        self, repo: RepositoryRef, number: int | None, head_sha: str, base_ref: str, *, why: str, raise_attempt: bool
    ) -> Run:
        return await self._records.open_run(
            repo, number, head_sha, base_ref, why=why, kind=RunKind.QUEUE, raise_attempt=raise_attempt,
            at=self._clock.utc(),
        )  # fmt: skip
