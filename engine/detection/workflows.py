"""Workflows that call us: whoever changes one changes the gate."""

from __future__ import annotations

import re

from engine.detection.commits import Commits
from engine.detection.configurations import NAME
from engine.detection.files import Files
from engine.readers.bounded import shown
from schemas.scorecard import Reason, ReasonCode, VerdictStatus

WORKFLOW = re.compile(r"\.github/(?:workflows|actions)/.*\.ya?ml")
MENTION = re.compile(rb"prompt-?verdict", re.IGNORECASE)


def workflow_reasons(commits: Commits, *, adoption: bool) -> tuple[Reason, ...]:
    """A reason for each workflow or local action that mentions us before or after and is changed.

    In the pull request that installs us, new workflows are what it is about.
    """
    reasons = []
    for change in commits.changes.all:
        before, after = change.before and change.before.path, change.after and change.after.path
        if not any(path and WORKFLOW.fullmatch(path) and not path.endswith(f"/{NAME}") for path in (before, after)):
            continue
        if adoption and before is None:
            continue
        if any(_mentions(files, path) for files, path in ((commits.ancestor, before), (commits.head, after)) if path):
            verb = "adds" if before is None else "removes" if after is None else "changes"
            reasons.append(
                Reason(
                    code=ReasonCode.WORKFLOW_CHANGED,
                    status=VerdictStatus.NEEDS_APPROVAL,
                    sentence=f"This pull request {verb} {shown(after or before or '')}, which calls this gate.",
                )
            )
    return tuple(reasons)


def _mentions(files: Files, path: str) -> bool:
    """What isn't a readable file may mention anything."""
    return path not in files or MENTION.search(files[path]) is not None
