"""Brings runs, checks and comments to the newest state of each pull request.

Webhooks are hints: they may arrive late, twice, out of order or not at all. So each method first reads the current
state from GitHub and then acts on the difference. Each may be repeated, after a crash too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.publishing.async_publisher import AsyncPublisher
from bot.publishing.freshness import Superseded
from bot.store.async_records import AsyncRecords
from bot.store.values import RepositoryRef, Run, RunKind, RunState
from schemas.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.publishing.publisher import VerdictPublisher
    from bot.runs.moved_bases import BaseMoves
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from schemas.host import HostedPullRequest, Sha
    from schemas.ports import Clock

REOPENED = "reopened"
"""GitHub's action for a pull request that was closed before."""


class Reconciler:
    """Reconciles pull requests. There is one for each worker."""

    def __init__(
        self,
        records: Records,
        publisher: VerdictPublisher,
        run_queue: RunQueue,
        *,
        moves: BaseMoves,
        clock: Clock,
    ) -> None:
        self._records = AsyncRecords(records)
        self._publisher = AsyncPublisher(publisher)
        self._run_queue = run_queue
        self._moves = moves
        self._clock = clock

    async def reconcile(self, repo: RepositoryRef, number: int, why: str, *, left: Sha | None = None) -> Run | None:
        """Ensures that the newest head and base of a pull request have exactly one run, and ends all others.

        ``left`` is a head that it had before. We may not know that head, but other pull requests with the same head may
        have waited for this one.
        """
        now = await self._read(repo, number)
        before = await self._records.current_run(repo.repository_id, number)
        heads = {head for head in (left, before.head_sha if before else None) if head is not None}
        if now is None or not now.is_open:
            await self._close(repo, number, now, heads)
            return None
        for head_sha in sorted(heads - {now.head_sha}):
            await self._release_head(repo, head_sha, number)
        # An open run on another base is ended below, with its check.
        if before is not None and not before.state.is_open and before.base_ref != now.base_ref:
            await self._retargeted(repo, before, now)
        run = await self._present_run(repo, now, why)
        await self.start(run, now)
        if not run.state.is_open and await self._others_on_head(repo, now.head_sha, number):
            await self.republish(repo, number)  # others may have waited while it was on another head
        return run

    async def _present_run(self, repo: RepositoryRef, now: HostedPullRequest, why: str) -> Run:
        """Returns the run of the present head and base; a new attempt if they had a verdict and then lost it."""
        run = await self._open_run(repo, now, why, raise_attempt=False)
        last = await self._records.current_run(repo.repository_id, now.number)
        if last is None or run.state.is_open or (last.id == run.id and why != REOPENED):
            return run
        # The pull request came back to a head and base that already have a verdict. Meanwhile it showed another one, or
        # none. An approval may have been withdrawn, and other pull requests with this head were judged without it. A
        # new attempt measures nothing again (the answers are stored) but decides again.
        return await self._open_run(repo, now, f"{why} after {last.id}", raise_attempt=True)

    async def retry(self, repo: RepositoryRef, number: int, *, why: str, approved_sha: str | None = None) -> Run | None:
        """Starts a new attempt at the present head and cancels a running one. Stored answers are not paid again.

        The same ``why`` twice is the same attempt. Returns ``None`` if the pull request is closed, or if its head is
        not ``approved_sha`` any more.
        """
        now = await self._read(repo, number)
        # A push between the review and this command must not run unseen code.
        if now is None or not now.is_open or approved_sha not in (None, now.head_sha):
            return None
        run = await self._open_run(repo, now, why, raise_attempt=True, approved_sha=approved_sha)
        await self.start(run, now)
        return run

    async def start(self, run: Run, now: HostedPullRequest | None) -> None:
        """Ends the older runs of the same subject and puts ``run`` on the queue. ``now``: its pull request."""
        await self.cancel(await self._records.older_runs(run), still_on=run.head_sha)
        await self._enqueue(run, now)

    async def superseded(self, run: Run, why: str) -> None:
        """Ends a run that found out that it is superseded, and has cancelled its check.

        Reconciles its pull request, in case the event that superseded it was lost.
        """
        if run.kind is not RunKind.PULL_REQUEST or run.number is None:
            await self._records.finish(run.id, RunState.CANCELLED, self._clock.utc())
            return
        # Before the row ends: after a crash in between, the open row lets the sweep repeat this step.
        await self._release_head(run.repo, run.head_sha, run.number)
        await self._records.finish(run.id, RunState.CANCELLED, self._clock.utc())
        await self.reconcile(run.repo, run.number, why)

    async def republish(self, repo: RepositoryRef, number: int) -> None:
        """Shows the verdict of the present head again, with the approvals that count now."""
        now = await self._read(repo, number)
        if now is None or not now.is_open:
            return
        found = await self._records.verdicts_of_head(repo.repository_id, now.head_sha)
        kept = next((one for one in found if (one.run.number, one.run.base_ref) == (number, now.base_ref)), None)
        # A verdict that was not shown yet is published by its own run.
        if kept is None or kept.run.shown_at is None:
            return
        try:
            await self._publisher.publish(kept, now)
        except Superseded as superseded:
            await self._publisher.refresh_comment(kept.run)
            await self.reconcile(repo, number, str(superseded))

    async def base_moved(
        self, repo: RepositoryRef, branch: str, pulls: list[HostedPullRequest] | None = None
    ) -> list[HostedPullRequest]:
        """Evaluates the open pull requests to a branch again if its move affects their verdicts. Returns these.

        The earlier verdict is withdrawn first, so that no outdated check passes until the new run decides.
        """
        affected = await self._moves.affected(repo, branch, pulls)
        for one in affected:
            # The tip is part of the reason, so several events about one move open one run.
            fresh = await self._open_run(repo, one.pull, f"base moved to {one.tip}", raise_attempt=True)
            # An open run has no verdict to withdraw. `start` ends it.
            if not one.run.state.is_open and fresh.id != one.run.id:
                await self._publisher.cancel_check(one.run)
            await self.start(fresh, one.pull)
        return [one.pull for one in affected]

    async def cancel(self, runs: Iterable[Run], *, still_on: Sha | None = None) -> None:
        """Ends runs whose verdicts are no longer needed.

        ``still_on`` is the present head of their open pull request.
        """
        # The order matters: calls, then checks, then the checks that they hid, then rows. A row stays open until the
        # rest is done, so after a crash in between the next worker finds the run and repeats all of it.
        for run in runs:
            if run.state.is_open:
                await self._run_queue.cancel(run.id)
                await self._end(run, left=run.head_sha != still_on)

    async def ensure_newest_check(self, repo: RepositoryRef, pulls: Sequence[HostedPullRequest]) -> bool:
        """Checks that the newest check of a head belongs to a run of ``pulls``: all open pull requests with that head.

        Returns False if it did not. Each of them then has a new run.
        """
        named: dict[str, list[HostedPullRequest]] = {}
        for pull in pulls:
            named.setdefault(await self._publisher.check_name(repo, pull), []).append(pull)
        # A list and not a generator: every name is checked, even after one that failed.
        return all([await self._ensure_newest_check(repo, name, those) for name, those in named.items()])

    async def _ensure_newest_check(self, repo: RepositoryRef, name: str, pulls: Sequence[HostedPullRequest]) -> bool:
        # GitHub goes by the newest check of a name. Our records can't say which that is: a worker may have died after
        # it made one, or GitHub's answer was lost.
        newest = await self._publisher.newest_run_id(repo, pulls[0].head_sha, name)
        if newest is None:
            return True
        run = await self._records.run(newest)
        if run is not None and run.state is not RunState.CANCELLED and run.number in {pull.number for pull in pulls}:
            return True
        for pull in pulls:
            fresh = await self._open_run(repo, pull, f"after {newest}", raise_attempt=True)
            older = await self._records.older_runs(fresh)
            # Runs of other heads are left to the handler of that push. Otherwise two pull requests that swap their
            # heads would cancel each other's runs forever.
            await self.cancel((one for one in older if one.head_sha == pull.head_sha), still_on=pull.head_sha)
            await self._enqueue(fresh, pull)
        return False

    # -- steps

    async def _close(self, repo: RepositoryRef, number: int, now: HostedPullRequest | None, heads: set[Sha]) -> None:
        runs = await self._records.open_runs_of(repo.repository_id, number)
        if runs and now is not None:
            await self._publisher.refresh_comment(runs[-1])
        await self.cancel(runs)
        for head_sha in sorted(heads | ({now.head_sha} if now else set())):
            await self._release_head(repo, head_sha, number)

    async def _retargeted(self, repo: RepositoryRef, before: Run, now: HostedPullRequest) -> None:
        """Withdraws a verdict that says nothing about the new base."""
        await self._publisher.cancel_check(before)
        earlier = now.model_copy(update={"base_ref": before.base_ref})
        names = [await self._publisher.check_name(repo, pull) for pull in (earlier, now)]
        if names[0] != names[1]:  # the cancelled check keeps the old name and may hide those of other pull requests
            await self._release_head(repo, before.head_sha, now.number)

    async def _enqueue(self, run: Run, now: HostedPullRequest | None) -> None:
        if not run.state.is_open:
            return
        unapproved_fork = now is not None and now.head_repository != run.repository
        if now is not None and unapproved_fork:
            unapproved_fork = not await self._records.approved_head(run.repository_id, now.number, run.head_sha)
        await self._run_queue.enqueue(run.id, unapproved_fork=unapproved_fork)

    async def _open_run(
        self,
        repo: RepositoryRef,
        now: HostedPullRequest,
        why: str,
        *,
        raise_attempt: bool,
        approved_sha: str | None = None,
    ) -> Run:
        return await self._records.open_run(
            repo, now.number, now.head_sha, now.base_ref, why=why, kind=RunKind.PULL_REQUEST,
            raise_attempt=raise_attempt, at=self._clock.utc(), approved_sha=approved_sha,
        )  # fmt: skip

    async def _end(self, run: Run, *, left: bool) -> None:
        current = await self._records.run(run.id) or run
        await self._withdraw(current, left=left)
        await self._records.finish(run.id, RunState.CANCELLED, self._clock.utc())
        # Read again after the end: a worker may have created the check between our first read and now.
        ended = await self._records.run(run.id)
        if ended is not None and ended.check_run_id not in (None, current.check_run_id):
            await self._withdraw(ended, left=left)  # its worker made the check while we read

    async def _withdraw(self, run: Run, *, left: bool) -> None:
        await self._publisher.cancel_check(run)
        if left and run.kind is RunKind.PULL_REQUEST and run.number is not None:
            await self._release_head(run.repo, run.head_sha, run.number)

    async def _read(self, repo: RepositoryRef, number: int) -> HostedPullRequest | None:
        try:
            return await self._publisher.pull_request(repo, number)
        # A deleted pull request is treated like a closed one.
        except NotFound:
            return None

    async def _release_head(self, repo: RepositoryRef, head_sha: Sha, gone: int) -> None:
        """Lets the remaining pull requests of a head decide about it, after ``gone`` was closed or moved on."""
        there = await self._others_on_head(repo, head_sha, gone)
        if there and await self.ensure_newest_check(repo, there):
            for now in there:
                await self.republish(repo, now.number)

    async def _others_on_head(self, repo: RepositoryRef, head_sha: Sha, besides: int) -> list[HostedPullRequest]:
        """Returns the other open pull requests with this head that had a run there."""
        runs = await self._records.runs_of_head(repo.repository_id, head_sha)
        numbers = {run.number for run in runs if run.kind is RunKind.PULL_REQUEST and run.number is not None}
        found = [await self._read(repo, number) for number in sorted(numbers - {besides})]
        return [now for now in found if now is not None and now.is_open and now.head_sha == head_sha]
