"""Finds changes of how a repository calls this gate. Such a change can change the gate itself."""

from __future__ import annotations

from collections.abc import Sequence

from engine.detection.callers import ACTIONS, Callers, Read
from engine.detection.configurations import NAME
from engine.detection.files import Files
from engine.readers.bounded import shown
from schemas.trees import TreeChange
from schemas.verdicts import Reason, ReasonCode, VerdictStatus


def workflow_changes(
    before: Files, after: Files, changes: Sequence[TreeChange], *, adoption: bool
) -> tuple[TreeChange, ...]:
    """Returns the changed files that lead a workflow to us, before the change or after it.

    In the pull request that installs the gate, new workflows are expected and left out.
    """
    changes = [change for change in changes if not any(_is_named(path, NAME) for path in change.paths)]
    if not changes:
        return ()
    known: dict[tuple[str, str], Read] = {}
    callers = [
        Callers(
            files,
            frozenset(path for change in changes if (path := change.pair[side]) and _is_named(path, *ACTIONS)),
            known,
        )
        for side, files in enumerate((before, after))
    ]
    return tuple(
        change
        for change in changes
        if any(path in side.paths for path, side in zip(change.pair, callers, strict=True))
        and not (adoption and change.before is None)
    )


def workflow_reasons(changed: Sequence[TreeChange]) -> tuple[Reason, ...]:
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
        for before, after in (change.pair for change in changed)
    )


def _is_named(path: str, *names: str) -> bool:
    return path.rpartition("/")[2] in names
