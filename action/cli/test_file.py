"""A test-set file in the folder: edits of it are printed as a patch, or written."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from action.cli.label_file import replace_file
from action.cli.local import local_pull_request, open_repository
from action.cli.streams import put
from schemas.errors import UsageError

if TYPE_CHECKING:
    from engine.test_edits.patches import NoPatch, Patch
    from schemas.detection import Detection, LineageChange
    from schemas.pullrequests import PullRequest
    from schemas.testsets import TestSet


class TestFile:
    """One file below the worktree's root. Raises UsageError for a place outside of it, which a branch may name."""

    def __init__(self, root: Path, path: str) -> None:
        self.name = path
        self._place = (root / path).resolve()
        if not path or not self._place.is_relative_to(root.resolve()):
            raise UsageError("the path is empty or outside the repository", where=path, hint="edit the file by hand")

    def data(self) -> bytes:
        """Returns its content. Raises UsageError if there is none."""
        try:
            return self._place.read_bytes()
        except OSError as error:
            raise UsageError(f"can't be read: {error.strerror}", where=self.name, hint="create the file") from error

    def write(self, data: bytes) -> None:
        """Replaces the file in one step."""
        replace_file(self._place, data)

    def apply(self, made: Patch | NoPatch, done: str, *, write: bool) -> None:
        """Writes the edit, or prints it as a patch. Raises UsageError if there is none."""
        from engine.render.encode import visible
        from engine.test_edits.patches import NoPatch

        if isinstance(made, NoPatch):
            raise UsageError(made.sentence.rstrip("."), hint="nothing was written")
        if write:
            self.write(made.content)
            sys.stderr.write(f"{self.name}: {done}; review it with git diff\n")
            return
        # A patch must be exact for git, but a case may hold commands for the terminal.
        put(visible(made.text, lines=True) if sys.stdout.isatty() else made.text)
        sys.stderr.write("nothing is written yet: --write changes the file, or pipe the patch into git apply\n")


@dataclass(frozen=True)
class LocalLineage:
    """A lineage with its test set, as the files in the folder say."""

    root: Path
    pull_request: PullRequest
    detection: Detection
    change: LineageChange
    tests: TestSet


def lineage_in(repo: Path, name: str) -> LocalLineage:
    """Reads a lineage from the folder. Raises UsageError if there is none, or if its cases can't be read."""
    from engine.pipeline import look

    repository = open_repository(repo)
    pull_request = local_pull_request(repository, base=None, head="HEAD", worktree=True)
    detection = look(repository, pull_request, only=[name], alone=True)
    change = next(each for each in detection.lineages if each.name == name)
    if change.tests is None:
        why = " ".join(reason.sentence for reason in change.reasons)
        raise UsageError(f"the cases of {name} can't be read: {why.rstrip('.')}", hint="fix the file")
    return LocalLineage(repository.worktree_root(), pull_request, detection, change, change.tests)


def file_for_new(tests: TestSet) -> str:
    """Returns the file for new cases: of several, the last, because people add new cases there."""
    return tests.files[-1] if tests.files else tests.path
