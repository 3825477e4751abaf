"""Reports moves of tags to GitHub as deployments, and restores the tags from them after the database is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.hub.hub_service import TAG
from bot.store.async_records import AsyncRecords
from bot.store.hub_values import MoveKind, TagMove
from bot.telemetry.logs import logger
from engine.hub.versions import version_of
from schemas.errors import HostError, HostUnavailable, PermissionMissing, PromptVerdictError

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.runs.default_branch import DefaultBranch
    from bot.store.records import Records
    from bot.store.values import RepositoryRef
    from schemas.host import HostedDeployment
    from schemas.ports import Clock

TASK = "prompt:"
"""The start of a deployment's task; the prompt's name follows."""
REPORTED_FOR = timedelta(days=7)
"""Age from which a move is no longer reported."""
MOST_SILENT = 3
"""Repositories for which GitHub doesn't answer, before it counts as down."""

log = logger("hub")


class GitHubCopy:
    """The copy of all tags that GitHub keeps."""

    def __init__(self, records: Records, app: GitHubApp, branch: DefaultBranch, clock: Clock) -> None:
        self._records = AsyncRecords(records)
        self._app = app
        self._branch = branch
        self._clock = clock

    async def report(self) -> None:
        """Creates a deployment for each move that GitHub doesn't know. May be repeated."""
        silent: set[int] = set()
        for move in await self._records.unreported_moves(self._clock.utc() - REPORTED_FOR):
            repo = await self._records.repository_by_id(move.repository_id)
            # In the order of moves: the newest deployment says what a tag has.
            if move.repository_id in silent:
                continue
            version = await self._records.hub_version(move.repository_id, move.to_digest, move.lineage)
            if repo is None or version is None:
                continue
            try:
                made = await asyncio.to_thread(self._deploy, repo, move, version.prompt.commit)
            except HostUnavailable as error:
                log.warning("move not reported", repository=repo.repository_id, move=move.id, why=str(error))
                silent.add(move.repository_id)
                if len(silent) == MOST_SILENT:
                    return
                continue
            except PermissionMissing:
                made = None
            except HostError as error:
                # GitHub refuses it for good, such as a commit that is gone.
                log.warning("move not reported", repository=repo.repository_id, move=move.id, why=str(error))
                made = None
            await self._records.reported(move, made, self._clock.utc())

    def _deploy(self, repo: RepositoryRef, move: TagMove, commit: str) -> int:
        host = self._app.host(repo.installation_id, repo.full_name)
        return host.deploy(
            commit,
            environment=move.tag,
            task=f"{TASK}{move.lineage}",
            payload={"lineage": move.lineage, "digest": move.to_digest, "move": move.at.isoformat(), "by": move.by},
            description=f"{move.lineage} {move.to_digest[:12]} by {move.by}",
        )

    def restore(self, repo: RepositoryRef, by: str) -> list[TagMove]:
        """Moves every tag that has no version yet to where GitHub says that it was. Blocks.

        Raises HostError, SourceError and StoreError. A version whose commit can't be read any more is left out, and
        logged.
        """
        records, moved = self._records.blocking, []
        host = self._app.host(repo.installation_id, repo.full_name)
        for lineage in self._branch.read(repo).detection.names or ():
            newest: dict[str, HostedDeployment] = {}
            for one in host.deployments(f"{TASK}{lineage}"):
                newest.setdefault(one.environment, one)
            for tag, found in sorted(newest.items()):
                if TAG.fullmatch(tag) and records.current_move(repo.repository_id, lineage, tag) is None:
                    move = self._restored(repo, lineage, tag, found, by)
                    moved += [] if move is None else [move]
        return moved

    def _restored(
        self, repo: RepositoryRef, lineage: str, tag: str, found: HostedDeployment, by: str
    ) -> TagMove | None:
        records, at = self._records.blocking, self._clock.utc()
        try:
            then = self._branch.at(repo, found.sha, lineage)
            version = version_of(next(one for one in then.lineages if one.name == lineage), found.sha)
        except PromptVerdictError as error:
            log.warning("tag not restored", lineage=lineage, tag=tag, why=str(error))
            return None
        if version.digest != found.payload.get("digest"):
            log.warning("tag not restored", lineage=lineage, tag=tag, why="the commit has another version")
            return None
        records.keep_version(repo, version, at)
        request = f"deployment:{repo.repository_id}:{found.id}"
        move = TagMove(
            repository_id=repo.repository_id, lineage=lineage, tag=tag, from_digest=None, to_digest=version.digest,
            by=by, role="operator", kind=MoveKind.RESTORED, request=request, at=at,
        )  # fmt: skip
        stored = records.move_tag(move)
        if stored is not None:
            records.reported(stored, found.id, at)
        return stored
