"""Tracks the installations and repositories of the App, and ends runs in those that it lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.store.values import Run, RunState
from bot.webhooks.intents import InstallationChanged, RepositoriesChanged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters.github.app import GitHubApp
    from bot.runs.run_queue import RunQueue
    from bot.store.records import Records
    from schemas.ports import Clock


class Coverage:
    """Applies changes of the App's installations. Raises HostError and StoreError; may be repeated."""

    def __init__(self, records: Records, app: GitHubApp, run_queue: RunQueue, clock: Clock) -> None:
        self._records = AsyncRecords(records)
        self._app = app
        self._run_queue = run_queue
        self._clock = clock

    async def apply(self, changed: InstallationChanged | RepositoriesChanged) -> None:
        """Records what the App covers now, and ends runs in repositories that it lost."""
        if isinstance(changed, InstallationChanged):
            await self._installation(changed)
        else:
            await self._repositories(changed)

    async def _installation(self, changed: InstallationChanged) -> None:
        # GitHub is asked first. A removal deletes everything, and the headers that name the event are not signed: a
        # replayed body under another event name must not remove anything.
        at = self._clock.utc()
        number = changed.installation_id
        found = {one.id: one for one in await asyncio.to_thread(self._app.installations)}
        if number in found and not found[number].suspended:
            await self._records.installed(number, found[number].account, at)
            return
        runs = await self._records.open_runs()
        await self._drop(run for run in runs if run.installation_id == number)
        if number in found:
            await self._records.suspended(number, at)
        else:
            await self._records.uninstalled(number, at)

    async def _repositories(self, changed: RepositoriesChanged) -> None:
        # As above: GitHub is asked, because a replayed event must not remove anything.
        covered = {one.id for one in await asyncio.to_thread(self._app.repositories, changed.installation_id)}
        gone = {repo.repository_id for repo in changed.removed} - covered
        if gone:
            runs = await self._records.open_runs()
            await self._drop(run for run in runs if run.repository_id in gone)
            await self._records.repositories_removed(changed.installation_id, gone, self._clock.utc())
        for repo in changed.added:
            # An old event may name a repository that was removed since.
            if repo.repository_id in covered:
                await self._records.repository(repo, self._clock.utc())

    async def _drop(self, runs: Iterable[Run]) -> None:
        """Ends runs of a repository that the App can't access any more: nothing can be written there."""
        for run in runs:
            # The queue first: a run that still executes would open its check again.
            await self._run_queue.cancel(run.id)
            await self._records.finish(run.id, RunState.CANCELLED, self._clock.utc())
