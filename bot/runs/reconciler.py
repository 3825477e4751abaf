"""What an intent leads to. Events are hints: the newest state is read before anything is done, and everything may be
done again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bot.publishing.freshness import Superseded
from bot.publishing.publisher import repo_of
from bot.store.values import RepositoryRef, Run, RunKind, RunState
from bot.telemetry.logs import logger
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
from schemas.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.github.app import GitHubApp
    from bot.publishing.publisher import VerdictPublisher
    from bot.runs.base_moves import BaseMoves
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from schemas.host import HostedPullRequest, Sha
    from schemas.ports import Clock

REOPENED = "reopened"
"""Why GitHub says that a pull request moved, where it was closed before."""

log = logger("desk")

Answer = Callable[[CommandPosted, "Reconciler"], Awaitable[str]]
"""The room of commands: acknowledges, does and answers one, once, however often it is called."""


class Reconciler:
    """One for each worker."""

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        publisher: VerdictPublisher,
        run_queue: RunQueue,
        *,
        answer: Answer,
        moves: BaseMoves,
        clock: Clock,
    ) -> None:
        self._records = records
        self._publisher = publisher
        self._run_queue = run_queue
        self._answer = answer
        self._moves = moves
        self._app = app
        self._clock = clock

    async def handle(self, intent: Intent) -> None:
        """Does what is to be done. Raises HostError and StoreError: then it is to be handled again, later."""
        match intent:
            case PullRequestMoved(repo=repo, number=number, why=why, left=left):
                await self.reconcile(repo, number, why, left=left)
            case PullRequestClosed(repo=repo, number=number):
                await self.reconcile(repo, number, "closed")
            case ReviewGiven(repo=repo, number=number):
                await self.republish(repo, number)
            case RerunRequested():
                await self._rerun(intent)
            case CommandPosted():
                await self._answer(intent, self)
            case QueueEntered():
                await self._queue(intent)
            case QueueLeft(repo=repo, head_sha=head_sha):
                runs = await asyncio.to_thread(self._records.runs_of_head, repo.repository_id, head_sha)
                await self.cancel(run for run in runs if run.kind is RunKind.QUEUE)
            case InstallationChanged() | RepositoriesChanged():
                await self._covered(intent)
            case Pushed(repo=repo, branch=branch):
                await self.base_moved(repo, branch)

    async def reconcile(self, repo: RepositoryRef, number: int, why: str, *, left: Sha | None = None) -> Run | None:
        """Brings the runs of a pull request to its newest state: one for its head and base, none besides.

        ``left``: a head that it had for a while, maybe unheard of here; others that have it may have waited for it.
        """
        now = await self._read(repo, number)
        before = await asyncio.to_thread(self._records.current_run, repo.repository_id, number)
        heads = {head for head in (left, before.head_sha if before else None) if head is not None}
        if now is None or not now.is_open:
            runs = await self._open_runs(repo, number)
            if runs and now is not None:
                await asyncio.to_thread(self._publisher.comments.mend, runs[-1])
            await self.cancel(runs)
            for head_sha in sorted(heads | ({now.head_sha} if now else set())):
                await self._release_head(repo, head_sha, number)
            return None
        for head_sha in sorted(heads - {now.head_sha}):
            await self._release_head(repo, head_sha, number)
        if before is not None and not before.state.is_open and before.base_ref != now.base_ref:
            await self._rebased(repo, before, now)
        run = await self._open_run(repo, now, why, raise_attempt=False)
        last = await asyncio.to_thread(self._records.current_run, repo.repository_id, number)
        if last is not None and not run.state.is_open and (last.id != run.id or why == REOPENED):
            # What is shown meanwhile is about another head or base, or was said while nobody listened: who accepted it
            # may have taken that back, and others with this head were judged without it.
            run = await self._open_run(repo, now, f"{why} after {last.id}", raise_attempt=True)
        await self._start(run, now)
        if not run.state.is_open and await self._others_on_head(repo, now.head_sha, number):
            await self.republish(repo, number)  # in between it may have been elsewhere, and the others waited for it
        return run

    async def retry(self, repo: RepositoryRef, number: int, *, why: str, approved_sha: str | None = None) -> Run | None:
        """A new attempt at the present head; one that is under way gives way to it, and nothing is paid again.

        The same ``why`` twice is the same attempt. ``None``: the pull request is closed, or its head isn't
        ``approved_sha`` any more.
        """
        now = await self._read(repo, number)
        if now is None or not now.is_open or approved_sha not in (None, now.head_sha):
            return None
        run = await self._open_run(repo, now, why, raise_attempt=True, approved_sha=approved_sha)
        await self._start(run, now)
        return run

    async def superseded(self, run: Run, why: str) -> None:
        """Ends a run that found, and said on its check, that it isn't the newest any more. A pull request is looked at
        anew, in case no event says so."""
        if run.kind is not RunKind.PULL_REQUEST or run.number is None:
            await asyncio.to_thread(self._records.finish, run.id, RunState.CANCELLED, self._clock.utc())
            return
        await self._release_head(repo_of(run), run.head_sha, run.number)
        await asyncio.to_thread(self._records.finish, run.id, RunState.CANCELLED, self._clock.utc())
        await self.reconcile(repo_of(run), run.number, why)

    async def republish(self, repo: RepositoryRef, number: int) -> None:
        """Shows the verdict of the present head as it stands now: accepted, or not any more."""
        now = await self._read(repo, number)
        if now is None or not now.is_open:
            return
        found = await asyncio.to_thread(self._records.verdicts_of_head, repo.repository_id, now.head_sha)
        kept = next((one for one in found if (one.run.number, one.run.base_ref) == (number, now.base_ref)), None)
        if kept is None or kept.run.shown_at is None:
            return
        try:
            await asyncio.to_thread(self._publisher.publish, kept, now)
        except Superseded as superseded:
            await asyncio.to_thread(self._publisher.comments.mend, kept.run)
            await self.reconcile(repo, number, str(superseded))

    async def base_moved(
        self, repo: RepositoryRef, branch: str, pulls: list[HostedPullRequest] | None = None
    ) -> list[HostedPullRequest]:
        """Evaluates the open pull requests to a branch again where its move concerns their verdicts; which these are.

        The earlier verdict is taken back at once: until the new run has its turn nothing stands there as passed.
        """
        concerned = await self._moves.concerned(repo, branch, pulls)
        for pull, run, tip in concerned:
            fresh = await self._open_run(repo, pull, f"base moved to {tip}", raise_attempt=True)
            if not run.state.is_open and fresh.id != run.id:
                await asyncio.to_thread(self._publisher.cancelled, run)
            await self._start(fresh, pull)
        return [pull for pull, _, _ in concerned]

    async def cancel(self, runs: Iterable[Run], *, still_on: Sha | None = None) -> None:
        """Ends runs whose answer nobody needs: first their calls, then their checks, then what these hid of others with
        the same head, then their rows, so that a kill in between is repaired by whoever does it again.

        ``still_on``: the head that their pull request has now, if it is open.
        """
        for run in runs:
            if run.state.is_open:
                await self._run_queue.cancel(run.id)
                await self._end(run, left=run.head_sha != still_on)

    async def ensure_newest_check(self, repo: RepositoryRef, pulls: Sequence[HostedPullRequest]) -> bool:
        """Whether the newest check of the one head of these open pull requests, by which GitHub goes, is of a run of
        theirs. Else each gets a new one.

        GitHub is asked: a check that was made when its worker died, or whose answer got lost, isn't in our records.
        """
        named: dict[str, list[HostedPullRequest]] = {}
        for pull in pulls:
            named.setdefault(await asyncio.to_thread(self._publisher.check_name, repo, pull), []).append(pull)
        return all([await self._ensure_newest_check(repo, name, those) for name, those in named.items()])

    async def _ensure_newest_check(self, repo: RepositoryRef, name: str, pulls: Sequence[HostedPullRequest]) -> bool:
        newest = await asyncio.to_thread(self._publisher.newest, repo, pulls[0].head_sha, name)
        if newest is None:
            return True
        run = await asyncio.to_thread(self._records.run, newest)
        if run is not None and run.state is not RunState.CANCELLED and run.number in {pull.number for pull in pulls}:
            return True
        for pull in pulls:
            fresh = await self._open_run(repo, pull, f"after {newest}", raise_attempt=True)
            older = await asyncio.to_thread(self._records.older_runs, fresh)
            # Those of other heads are ended by whoever hears of the push: two that change places would do it for ever.
            await self.cancel((one for one in older if one.head_sha == pull.head_sha), still_on=pull.head_sha)
            await self._enqueue(fresh, pull)
        return False

    # -- steps

    async def _rebased(self, repo: RepositoryRef, before: Run, now: HostedPullRequest) -> None:
        """Takes back a verdict that says nothing about the new base. Where its check goes by another name from now on,
        it may hide those of others with the same head."""
        await asyncio.to_thread(self._publisher.cancelled, before)
        earlier = now.model_copy(update={"base_ref": before.base_ref})
        names = [await asyncio.to_thread(self._publisher.check_name, repo, pull) for pull in (earlier, now)]
        if names[0] != names[1]:
            await self._release_head(repo, before.head_sha, now.number)

    async def _start(self, run: Run, now: HostedPullRequest | None) -> None:
        await self.cancel(await asyncio.to_thread(self._records.older_runs, run), still_on=run.head_sha)
        await self._enqueue(run, now)

    async def _enqueue(self, run: Run, now: HostedPullRequest | None) -> None:
        if not run.state.is_open:
            return
        stranger = now is not None and now.head_repository != run.repository
        if now is not None and stranger:
            of = (run.repository_id, now.number, run.head_sha)
            stranger = not await asyncio.to_thread(self._records.approved_head, *of)
        await self._run_queue.enqueue(run.id, stranger=stranger)

    async def _open_run(
        self,
        repo: RepositoryRef,
        now: HostedPullRequest,
        why: str,
        *,
        raise_attempt: bool,
        approved_sha: str | None = None,
    ) -> Run:
        return await asyncio.to_thread(
            self._records.open_run, repo, now.number, now.head_sha, now.base_ref, why=why,
            kind=RunKind.PULL_REQUEST, raise_attempt=raise_attempt, at=self._clock.utc(), approved_sha=approved_sha,
        )  # fmt: skip

    async def _end(self, run: Run, *, left: bool) -> None:
        current = await asyncio.to_thread(self._records.run, run.id) or run
        await self._take_back(current, left=left)
        await asyncio.to_thread(self._records.finish, run.id, RunState.CANCELLED, self._clock.utc())
        ended = await asyncio.to_thread(self._records.run, run.id)
        if ended is not None and ended.check_run_id not in (None, current.check_run_id):
            await self._take_back(ended, left=left)  # the check was made while we looked

    async def _take_back(self, run: Run, *, left: bool) -> None:
        await asyncio.to_thread(self._publisher.cancelled, run)
        if left and run.kind is RunKind.PULL_REQUEST and run.number is not None:
            await self._release_head(repo_of(run), run.head_sha, run.number)

    async def _read(self, repo: RepositoryRef, number: int) -> HostedPullRequest | None:
        try:
            return await asyncio.to_thread(self._publisher.pull_request, repo, number)
        except NotFound:
            return None

    async def _open_runs(self, repo: RepositoryRef, number: int) -> list[Run]:
        runs = await asyncio.to_thread(self._records.open_runs)
        return [run for run in runs if (run.repository_id, run.number) == (repo.repository_id, number)]

    async def _release_head(self, repo: RepositoryRef, head_sha: Sha, gone: int) -> None:
        """A pull request that was closed or moved on decides no more about others with the head that it left."""
        there = await self._others_on_head(repo, head_sha, gone)
        if there and await self.ensure_newest_check(repo, there):
            for now in there:
                await self.republish(repo, now.number)

    async def _others_on_head(self, repo: RepositoryRef, head_sha: Sha, besides: int) -> list[HostedPullRequest]:
        """The other open pull requests with this head, as far as they had a run there."""
        runs = await asyncio.to_thread(self._records.runs_of_head, repo.repository_id, head_sha)
        numbers = {run.number for run in runs if run.kind is RunKind.PULL_REQUEST and run.number is not None}
        found = [await self._read(repo, number) for number in sorted(numbers - {besides})]
        return [now for now in found if now is not None and now.is_open and now.head_sha == head_sha]

    async def _rerun(self, asked: RerunRequested) -> None:
        repo = asked.repo
        runs = await asyncio.to_thread(self._records.runs_of_head, repo.repository_id, asked.head_sha)
        if asked.check_run_id is not None:
            runs = [run for run in runs if run.check_run_id == asked.check_run_id] or runs
        newest = {(run.kind, run.number): run for run in runs}
        for (kind, number), run in newest.items():
            if run.state.is_open:
                continue
            why = f"re-run of {run.id} by {asked.by}"
            if kind is RunKind.QUEUE:
                await self._start(await asyncio.to_thread(self._queued, repo, run, why), None)
            elif number is not None:
                await self.retry(repo, number, why=why)
        if not newest and asked.number is not None:
            await self.reconcile(repo, asked.number, f"re-run by {asked.by}")

    async def _queue(self, asked: QueueEntered) -> None:
        """The base is what the queue says: only it knows onto which other merges this one was made."""
        repo = asked.repo
        run = await asyncio.to_thread(
            self._records.open_run, repo, asked.number, asked.head_sha, asked.base_ref, why="merge queue",
            kind=RunKind.QUEUE, raise_attempt=False, at=self._clock.utc(),
        )  # fmt: skip
        if run.base_sha is None:
            await asyncio.to_thread(self._records.digest, run.id, asked.base_sha, "")
        await self._start(run, None)

    def _queued(self, repo: RepositoryRef, run: Run, why: str) -> Run:
        fresh = self._records.open_run(
            repo, run.number, run.head_sha, run.base_ref, why=why, kind=RunKind.QUEUE, raise_attempt=True,
            at=self._clock.utc(),
        )  # fmt: skip
        self._records.digest(fresh.id, run.base_sha or "", "")
        return fresh

    async def _covered(self, changed: InstallationChanged | RepositoriesChanged) -> None:
        if isinstance(changed, InstallationChanged):
            await self._installation(changed)
        else:
            await self._repositories(changed)

    async def _installation(self, changed: InstallationChanged) -> None:
        """Asks GitHub first: the event's name and id aren't signed, and a removal can't be taken back."""
        at = self._clock.utc()
        number = changed.installation_id
        found = {one.id: one for one in await asyncio.to_thread(self._app.installations)}
        if number in found and not found[number].suspended:
            await asyncio.to_thread(self._records.installed, number, found[number].account, at)
            return
        runs = await asyncio.to_thread(self._records.open_runs)
        await self._drop(run for run in runs if run.installation_id == number)
        if number in found:
            await asyncio.to_thread(self._records.suspended, number, at)
        else:
            await asyncio.to_thread(self._records.uninstalled, number, at)

    async def _repositories(self, changed: RepositoriesChanged) -> None:
        covered = {one.id for one in await asyncio.to_thread(self._app.repositories, changed.installation_id)}
        gone = {repo.repository_id for repo in changed.removed} - covered
        if gone:
            runs = await asyncio.to_thread(self._records.open_runs)
            await self._drop(run for run in runs if run.repository_id in gone)
            await asyncio.to_thread(
                self._records.repositories_removed, changed.installation_id, gone, self._clock.utc()
            )
        for repo in changed.added:
            if repo.repository_id in covered:
                await asyncio.to_thread(self._records.repository, repo, self._clock.utc())

    async def _drop(self, runs: Iterable[Run]) -> None:
        """Ends runs of a repository that GitHub doesn't let us into any more: nothing is written there."""
        for run in runs:
            await self._run_queue.cancel(run.id)
            await asyncio.to_thread(self._records.finish, run.id, RunState.CANCELLED, self._clock.utc())
