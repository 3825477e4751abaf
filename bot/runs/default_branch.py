"""Reads prompts of a repository's default branch as they are today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from engine.detection.files import Files
from engine.pipeline import look
from engine.playground.opened import opened
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from adapters.git.remote import RemoteRepository
    from adapters.github.app import GitHubApp
    from bot.runs.source_cache import SourceCache
    from bot.store.values import RepositoryRef
    from engine.playground.opened import Opened
    from schemas.detection import Detection
    from schemas.host import Sha

MOST_OPEN = 16
"""Prompts that are kept open for the next page."""


T = TypeVar("T")


class Today(NamedTuple):
    """The tip of the default branch, and its prompts, each without an earlier version."""

    branch: str
    sha: Sha
    detection: Detection


class DefaultBranch:
    """Asks GitHub for the tip and reads it from the cached copy. Blocks."""

    def __init__(self, app: GitHubApp, sources: SourceCache) -> None:
        self._app = app
        self._sources = sources
        self._opened: dict[tuple[int, Sha, str], Opened] = {}

    def read(self, repo: RepositoryRef, *lineages: str) -> Today:
        """Reads these prompts, or all. Raises UsageError for a name that there isn't, ConfigError, SourceError and
        HostError."""
        host = self._app.host(repo.installation_id, repo.full_name)
        branch = host.default_branch()
        sha = host.branch(branch)
        return Today(branch, sha, self.at(repo, sha, *lineages))

    def open(self, repo: RepositoryRef, lineage: str) -> tuple[str, Sha, Opened]:
        """Opens a prompt for editing; returns it with the branch and its tip. Raises as ``read`` does."""
        host = self._app.host(repo.installation_id, repo.full_name)
        branch = host.default_branch()
        sha = host.branch(branch)
        key = repo.repository_id, sha, lineage
        found = self._opened.get(key)
        if found is None:
            alone = _alone(repo, sha)

            def read(tree: RemoteRepository) -> Opened:
                tree.fetch(alone.commits)
                return opened(Files(tree, sha), look(tree, alone, only=[lineage], alone=True), lineage)

            found = self._sources.read(repo, read)
            # A page asks for the same prompt again and again while a person edits it.
            self._opened = {**dict(list(self._opened.items())[-MOST_OPEN:]), key: found}
        return branch, sha, found

    def file(self, repo: RepositoryRef, sha: Sha, path: str) -> bytes | None:
        """Returns a file of a commit; ``None`` if there is none. Raises SourceError and HostError."""

        def read(tree: RemoteRepository) -> bytes | None:
            tree.fetch((sha,))
            entry = tree.entry(sha, path)
            return None if entry is None else tree.read([entry.blob])[entry.blob]

        return self._sources.read(repo, read)

    def read_files(self, repo: RepositoryRef, sha: Sha, work: Callable[[Mapping[str, bytes]], T]) -> T:
        """Returns what ``work`` makes of a commit's files, by path. It may be called twice. Raises SourceError and
        HostError."""

        def read(tree: RemoteRepository) -> T:
            tree.fetch((sha,))
            return work(Files(tree, sha))

        return self._sources.read(repo, read)

    def at(self, repo: RepositoryRef, sha: Sha, *lineages: str) -> Detection:
        """Reads these prompts of a commit, or all. Raises as ``read`` does."""
        alone = _alone(repo, sha)

        def read(tree: RemoteRepository) -> Detection:
            tree.fetch(alone.commits)
            return look(tree, alone, only=lineages, alone=True)

        return self._sources.read(repo, read)


def _alone(repo: RepositoryRef, sha: Sha) -> PullRequest:
    return PullRequest(
        base_ref=sha, base_sha=sha, head_ref=sha, head_sha=sha, trust=Trust.SAME_REPOSITORY, repository=repo.full_name
    )
