"""A base branch moved: its open pull requests are evaluated again where the move concerns their verdicts.

A verdict is about the tip of base that it was measured on. Policy, cases and prompts there may have become stricter
since. What is stored isn't paid again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.telemetry.logs import logger
from schemas.errors import NotFound

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.runs.evaluation import Evaluation
    from bot.store.records import Records
    from bot.store.values import RepositoryRef, Run
    from schemas.host import HostedPullRequest, Sha

MOST_REMEMBERED = 10_000
"""Runs of which it is remembered that a move didn't concern them."""

log = logger("base moves")


class BaseMoves:
    """One for each worker."""

    def __init__(self, records: Records, app: GitHubApp, evaluation: Evaluation) -> None:
        self._records = records
        self._app = app
        self._evaluation = evaluation
        self._examined: dict[str, Sha] = {}
        """Run → the newest tip that didn't concern it."""

    async def concerned(
        self, repo: RepositoryRef, branch: str, pulls: list[HostedPullRequest] | None = None
    ) -> list[tuple[HostedPullRequest, Run, Sha]]:
        """Returns the open pull requests to ``branch`` whose newest verdict a later move of it concerns: each with its
        run and the present tip. ``pulls`` are the open ones, where the caller knows them.

        Raises HostError and StoreError.
        """
        if not await asyncio.to_thread(self._records.is_base, repo.repository_id, branch):
            return []
        host = await asyncio.to_thread(self._app.host, repo.installation_id, repo.full_name)
        try:
            tip = await asyncio.to_thread(host.branch, branch)
        except NotFound:
            return []
        if pulls is None:
            pulls = list(await asyncio.to_thread(host.open_pull_requests, branch))
        moves: dict[Sha, frozenset[str] | None] = {}
        found = []
        for pull in pulls:
            run = await asyncio.to_thread(self._records.current_run, repo.repository_id, pull.number)
            if run is None or (run.head_sha, run.base_ref) != (pull.head_sha, branch):
                continue  # it has no run of this state: whoever brings it there reads the tip
            if run.base_sha in (None, tip) or self._examined.get(run.id) == tip:
                continue
            if run.base_sha not in moves:
                moves[run.base_sha] = await asyncio.to_thread(
                    self._evaluation.concerns, repo, branch, run.base_sha, tip
                )
            if await self._touches(run, moves[run.base_sha]):
                found.append((pull, run, tip))
            else:
                self._remember(run, tip)
        if found:
            log.info("base moved", repository=repo.repository_id, tip=tip, again=len(found))
        return found

    async def _touches(self, run: Run, lineages: frozenset[str] | None) -> bool:
        """Whether lineages that differ at base are among those that the pull request changes."""
        if lineages is None:
            return True
        kept = await asyncio.to_thread(self._records.verdict, run.id)
        if kept is None:
            return bool(lineages)  # still under way: which it changes isn't known yet
        return not lineages.isdisjoint(card.lineage for card in kept.scorecard.lineages)

    def _remember(self, run: Run, tip: Sha) -> None:
        if len(self._examined) >= MOST_REMEMBERED:
            self._examined.clear()
        self._examined[run.id] = tip
