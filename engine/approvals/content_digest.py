"""The digest of everything that a verdict, or its acceptance, depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.planning.prepared import Prepared
    from schemas.ports import SourceTree
    from schemas.pullrequests import PullRequest
    from schemas.trees import Merge, TreeChange
    from schemas.verdicts import Reason

WORKFLOWS = ".github/"
CONFIGURATIONS = ("promptverdict.yaml", "promptverdict.yml")


def content_digest(prepared: Prepared, changes: Iterable[TreeChange]) -> str:
    """Returns the digest of all requests, tests, policies and reasons, and of the changed files that affect the gate.

    ``changes`` holds the changes of the merge (``changed_paths``).
    """
    named = {change.path for entry in prepared.entries for change in entry.change.changes if change.path}
    # Scripts that call the gate count too: another one could skip it under an old approval.
    named |= set(prepared.detection.calling)
    # A removed file counts by its path. A renamed one counts as removed and added.
    sides = ((change.before if change.after is None else change.after, change.after is None) for change in changes)
    blobs = sorted(
        (entry.path, entry.mode, "" if removed else entry.blob)
        for entry, removed in sides
        if entry is not None and (entry.path in named or _belongs_to_gate(entry.path))
    )
    entries = [
        [entry.change.name, entry.model, entry.plan.digest if entry.plan else None, _dumped(entry.change.reasons)]
        for entry in prepared.entries
    ]
    policy = [change.sentence for change in prepared.detection.policy]
    return digest_of([entries, policy, _dumped(prepared.detection.reasons), blobs])


def changed_paths(tree: SourceTree, pull_request: PullRequest, merge: Merge) -> tuple[TreeChange, ...]:
    """Returns the changes of the merge to the base. Raises SourceError."""
    return tree.changes(pull_request.base_sha, merge.tree)


def _dumped(reasons: tuple[Reason, ...]) -> list[object]:
    return [reason.model_dump(mode="json") for reason in reasons]


def _belongs_to_gate(path: str) -> bool:
    return path.startswith(WORKFLOWS) or path.rpartition("/")[2] in CONFIGURATIONS
