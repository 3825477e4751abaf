"""The committed versions of a prompt, each on today's tree."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.errors import UsageError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.git.clone import Clone
    from engine.pipeline import World
    from engine.planning.prepared import Prepared
    from schemas.detection import LineageChange
    from schemas.trees import Revision

READ = 5
"""Commits of the prompt's files that are read for each version that is wanted."""
Version = tuple["Revision", str]
"""A commit that changed the prompt, and a commit of today's tree with its version."""


@dataclass(frozen=True)
class PlannedVersion:
    """One version, to be scored alone and as a change of the one before."""

    revision: Revision
    alone: Prepared
    change: Prepared | None
    """``None`` for the oldest version."""


def prompt_versions(repository: Clone, tip: str, lineage: str, last: int) -> list[Version]:
    """Returns the last versions and the one before them, the oldest first. Raises UsageError for an unreadable
    prompt."""
    today = _lineage(repository, tip, lineage)
    if today.candidate is None:
        why = today.unreadable or "it doesn't exist"
        raise UsageError(f"the prompt of {lineage} can't be read: {why}", hint="fix it first")
    prompt = today.candidate
    places = [origin.path for origin in prompt.origins] or [prompt.path]
    paths = tuple(file for place in dict.fromkeys((*places, *prompt.partials)) for file in repository.files(tip, place))
    versions: list[Version] = []
    parent: str | None = None
    known: object = None
    # A file of code changes more often than the one constant in it, so more commits are read than versions wanted.
    for revision in reversed(repository.history(tip, paths, READ * (last + 1))):
        commit = repository.with_files(tip, revision, paths, parent)
        version = _lineage(repository, commit, lineage)
        seen = version.candidate.digest if version.candidate else version.unreadable
        # Before its first version, and while it was deleted, there was no prompt to judge.
        if seen is not None and seen != known:
            versions.append((revision, commit))
            parent, known = commit, seen
    # One version more than changes: the first is what the oldest change is compared with.
    return versions[-last - 1 :]


def planned_versions(versions: Sequence[Version], world: World, lineage: str) -> list[PlannedVersion]:
    """Plans every version; spends nothing."""
    from engine.pipeline import prepare

    def prepared(before: Version, after: Version, *, alone: bool) -> Prepared:
        (old, base), (new, head) = before, after
        names = {"base_ref": old.sha[:7], "head_ref": new.sha[:7]}
        pull_request = PullRequest(**names, base_sha=base, head_sha=head, trust=Trust.OPERATOR)
        return prepare(pull_request, world, only=(lineage,), alone=alone)

    changes = [None, *(prepared(*pair, alone=False) for pair in pairwise(versions))]
    return [
        PlannedVersion(version[0], prepared(version, version, alone=True), change)
        for version, change in zip(versions, changes, strict=True)
    ]


def _lineage(repository: Clone, commit: str, name: str) -> LineageChange:
    """Reads the lineage in one commit."""
    from engine.pipeline import look

    alone = PullRequest(base_ref="", base_sha=commit, head_ref="", head_sha=commit, trust=Trust.OPERATOR)
    return next(one for one in look(repository, alone, only=(name,), alone=True).lineages if one.name == name)
