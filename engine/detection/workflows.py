"""Changes to how a repository calls this gate: who changes that changes the gate."""

from __future__ import annotations

from collections.abc import Sequence

from engine.detection.callers import ACTIONS, Callers, Read
from engine.detection.configurations import NAME
from engine.detection.files import Files
from engine.readers.bounded import shown
from schemas.trees import TreeChange
from schemas.verdicts import Reason, ReasonCode, VerdictStatus

Paths = tuple[str | None, str | None]
"""Of one changed file: before and after."""


def workflow_changes(
    before: Files, after: Files, changes: Sequence[TreeChange], *, adoption: bool
) -> tuple[Paths, ...]:
    """Returns the changed files that lead a workflow to us, before the change or after it.

    In the pull request that installs us, new workflows are what it is about.
    """
    pairs: list[Paths] = [
        (change.before.path if change.before else None, change.after.path if change.after else None)
        for change in changes
    ]
    pairs = [pair for pair in pairs if not any(path and path.rpartition("/")[2] == NAME for path in pair)]
    if not pairs:
        return ()
    known: dict[tuple[str, str], Read] = {}
    old, new = (
        Callers(files, frozenset(pair[side] or "" for pair in pairs if _is_action(pair[side])), known)
        for side, files in enumerate((before, after))
    )
    return tuple(
        (path, other)
        for path, other in pairs
        if (path in old.paths or other in new.paths) and not (adoption and path is None)
    )


def workflow_reasons(changed: Sequence[Paths]) -> tuple[Reason, ...]:
    """Returns a reason for each of ``workflow_changes``."""
    return tuple(
        Reason(
            code=ReasonCode.WORKFLOW_CHANGED,
            status=VerdictStatus.NEEDS_REVIEW,
            sentence=(
                f"This pull request {'adds' if before is None else 'removes' if after is None else 'changes'} "
                f"{shown(after or before or '')}, which calls this gate."
            ),
        )
        for before, after in changed
    )


def _is_action(path: str | None) -> bool:
    return path is not None and path.rpartition("/")[2] in ACTIONS
