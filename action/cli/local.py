"""A pull request on a laptop: a repository on disk and two refs."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.git.clone import Clone
from schemas.errors import SourceError, UsageError
from schemas.pullrequests import PullRequest, Trust

CONFIG = "promptverdict.yaml"

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ComparisonOptions:
    """Which commits and lineages a command compares, and how it prints."""

    repo: Path
    base: str | None
    head: str
    lineages: tuple[str, ...]
    worktree: bool
    format: str


def open_repository(path: Path) -> Clone:
    """Returns the repository that contains ``path``. Raises UsageError if there is none."""
    try:
        return Clone(path)
    except SourceError as error:
        raise UsageError(error.what, where=error.where, hint=error.hint) from error


def local_pull_request(repository: Clone, *, base: str | None, head: str, worktree: bool) -> PullRequest:
    """Returns the two refs as a pull request by the operator."""
    if worktree and head != "HEAD":
        raise UsageError(
            "--worktree evaluates the files in the folder, so --head can't be given", hint="use only one of them"
        )
    base_ref = base or repository.default_branch()
    base_sha = repository.resolve(base_ref)
    tip = repository.resolve(head)
    head_sha = repository.worktree_snapshot(tip) if worktree else tip
    return PullRequest(
        base_ref=base_ref,
        base_sha=base_sha,
        head_ref="uncommitted changes" if worktree else head,
        head_sha=head_sha,
        trust=Trust.OPERATOR,
    )


def left_out(repository: Clone, head: str, *, worktree: bool) -> str | None:
    """Returns a sentence about what a run without findings may lack: committed edits, or a configuration.

    Returns ``None`` if neither is missing."""
    if worktree or head != "HEAD" or repository.is_bare:
        return None
    with contextlib.suppress(SourceError):
        tip = repository.resolve(head)
        changes = repository.changes(tip, repository.worktree_snapshot())
        paths = {side.path for change in changes for side in (change.before, change.after) if side}
        if CONFIG in paths:
            return (
                f"{CONFIG} has uncommitted changes: the gate comes from the base branch, so commit and merge them first"
            )
        if not repository.find(tip, [f"**/{CONFIG}"]):
            return f"there is no {CONFIG}; promptverdict init writes one"
        if paths:
            files = "1 file" if len(changes) == 1 else f"{len(changes)} files"
            return f"{files} with uncommitted changes left out (include them with --worktree)"
    return None


def default_store(environment: Mapping[str, str]) -> str:
    """Returns the default outcome store: a file in the user's cache folder."""
    cache = environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - HOME may be unset
    return str(Path(cache) / "promptverdict" / "outcomes.sqlite")
