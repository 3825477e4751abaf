"""``promptverdict tests confirm``: lists unverified cases, and marks the named ones as verified."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from action.cli.streams import put
from action.cli.test_file import TestFile, lineage_in
from action.exits import Exit
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from schemas.testsets import TestCase

WIDEST = 200
"""Most characters of a case's inputs in the list."""


@dataclass(frozen=True)
class ConfirmOptions:
    """The options of the command. Without ``cases`` and ``every``, it only lists."""

    repo: Path
    lineage: str
    cases: Sequence[str]
    every: bool
    write: bool


def confirm(options: ConfirmOptions) -> Exit:
    """Prints the unverified cases, or the patch that confirms some of them. Raises PromptVerdictError."""
    from engine.readers.bounded import did_you_mean
    from engine.render.figures import plural
    from engine.test_edits.patches import confirm as confirmed

    found = lineage_in(options.repo, options.lineage)
    tests = found.tests
    waiting = {case.id: case for case in tests.unverified}
    if not (options.cases or options.every):
        _list(options.lineage, [*waiting.values()])
        return Exit.PASS
    for name in options.cases:
        if name not in waiting:
            raise UsageError(f"{options.lineage} has no unverified case {name!r}", hint=did_you_mean(name, waiting))
    chosen = [waiting[name] for name in (waiting if options.every else options.cases)]
    if not chosen:
        sys.stderr.write(f"{options.lineage} has no unverified case\n")
    for path in dict.fromkeys(case.path or tests.path for case in chosen):
        names = {case.id for case in chosen if (case.path or tests.path) == path}
        file = TestFile(found.root, path)
        patch = confirmed(path, file.data(), names, found.change.config.columns)
        file.apply(patch, f"confirmed {plural(len(names), 'case')}", write=options.write)
    return Exit.PASS


def _list(lineage: str, waiting: Sequence[TestCase]) -> None:
    from engine.new_cases.similar import inputs_text
    from engine.readers.bounded import shown
    from engine.render.encode import log_line
    from engine.render.figures import plural

    put(log_line(f"{lineage}: {plural(len(waiting), 'unverified case')}") + "\n")
    for case in waiting:
        put(log_line(f"  {case.id}  {case.where or ''}  {', '.join(case.slices)}") + "\n")
        put(log_line(f"    {shown(' '.join(inputs_text(case.inputs).split()), WIDEST)}") + "\n")
        put(log_line(f"    expects {shown(json.dumps(case.expected, ensure_ascii=False), WIDEST)}") + "\n")
    if waiting:
        put(f"Runs skip these cases. To confirm some: promptverdict tests confirm {log_line(lineage)} ID … --write\n")
