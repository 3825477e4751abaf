"""Finds the open pull requests whose verdicts a move of their base branch affects.

A verdict holds for the tip of the base that it was measured on. Policy, cases and prompts there may have become
stricter since. A new evaluation pays only for answers that are not stored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from bot.store.async_records import AsyncRecords
from bot.telemetry.logs import logger
from schemas.errors import NotFound

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.runs.evaluation import Evaluation
    from bot.store.records import Records
    from bot.store.values import RepositoryRef, Run
    from schemas.host import HostedPullRequest, Sha

MOST_REMEMBERED = 10_000
"""Runs that are remembered as unaffected by a tip."""

log = logger("base moves")


class AffectedRun(NamedTuple):
    """A verdict that a move of its base affects."""

    pull: HostedPullRequest
    run: Run
    tip: Sha
    """The present tip of the base."""


class BaseMoves:
    """Finds affected runs. There is one for each worker."""

    def __init__(self, records: Records, app: GitHubApp, evaluation: Evaluation) -> None:
        self._records = AsyncRecords(records)
        self._app = app
        self._evaluation = evaluation
        self._unaffected: dict[str, Sha] = {}
        """The newest tip that did not affect a run, by run id."""

    async def affected(
        self, repo: RepositoryRef, branch: str, pulls: list[HostedPullRequest] | None = None
    ) -> list[AffectedRun]:
        """Returns the open pull requests to ``branch`` whose newest verdict a later move of it affects.

        ``pulls`` are the open ones, if the caller knows them. Raises HostError and StoreError.
        """
        # Most pushes go to branches that no pull request targets. This check costs no request.
        if not await self._records.is_base(repo.repository_id, branch):
            return []
        host = await asyncio.to_thread(self._app.host, repo.installation_id, repo.full_name)
        try:
            tip = await asyncio.to_thread(host.branch, branch)
        # The branch is gone, and GitHub closes or retargets its pull requests.
        except NotFound:
            return []
        if pulls is None:
            pulls = list(await asyncio.to_thread(host.open_pull_requests, branch))
        moves: dict[Sha, frozenset[str] | None] = {}
        found = []
        for pull in pulls:
            run = await self._records.current_run(repo.repository_id, pull.number)
            if run is None or (run.head_sha, run.base_ref) != (pull.head_sha, branch):
                continue  # this state has no run yet: its start reads the tip
            if run.base_sha in (None, tip) or self._unaffected.get(run.id) == tip:
                continue
            # Many pull requests share the same old tip, so each move is compared once.
            if run.base_sha not in moves:
                moves[run.base_sha] = await asyncio.to_thread(
                    self._evaluation.changed_prompts, repo, branch, run.base_sha, tip
                )
            if await self._is_affected(run, moves[run.base_sha]):
                found.append(AffectedRun(pull, run, tip))
            else:
                self._remember(run, tip)
        if found:
            log.info("base moved", repository=repo.repository_id, tip=tip, affected=len(found))
        return found

    async def _is_affected(self, run: Run, changed: frozenset[str] | None) -> bool:
        """Returns whether any prompt that changed on the base is also changed by the pull request."""
        if changed is None:
            return True
        kept = await self._records.verdict(run.id)
        if kept is None:
            return bool(changed)  # the run is under way: which prompts it changes isn't known yet
        return not changed.isdisjoint(card.lineage for card in kept.scorecard.lineages)

    def _remember(self, run: Run, tip: Sha) -> None:
        # Forgetting everything is safe: it only costs comparisons that were already made.
        if len(self._unaffected) >= MOST_REMEMBERED:
            self._unaffected.clear()
        self._unaffected[run.id] = tip
