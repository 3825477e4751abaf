"""The file with people's grades. Every write keeps the lines that are there, and a crash leaves the old file whole."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from engine.detection.files import below
from engine.readers.labels import read_labels
from schemas.errors import UsageError
from schemas.rubrics import LabeledAnswer, Rubric

if TYPE_CHECKING:
    from schemas.detection import LineageChange


class LabelFile:
    """The label file at ``path`` below the worktree's ``root``. It need not exist yet.

    Raises UsageError for a place outside the worktree: a branch names it, and must not reach other files.
    """

    def __init__(self, root: Path, path: str) -> None:
        self.name = path
        self._place = (root / path).resolve()
        if not self._place.is_relative_to(root.resolve()):
            raise UsageError("people's grades can't be outside the repository", where=path, hint="change judge.labels")

    def read(self, rubric: Rubric) -> tuple[LabeledAnswer, ...]:
        """Returns the graded answers. Raises ConfigError with the line of a mistake."""
        return read_labels(self.name, self._data(), rubric)

    def unnamed(self, change: LineageChange) -> str:
        """Returns what to write into the configuration, if the file has grades and isn't named there; else nothing."""
        if not self._place.exists() or (change.config.judge is not None and change.config.judge.labels is not None):
            return ""
        name = self.name.removeprefix(f"{change.root}/") if change.root else self.name
        return f"name the grades in promptverdict.yaml, under judge of {change.name}: labels: {name}"

    def save(self, answers: Sequence[LabeledAnswer]) -> None:
        """Writes answers in place of the lines with their ids, else after the last line. Raises OSError."""
        lines = self._data().decode("utf-8", "surrogateescape").split("\n")
        if not lines[-1].strip():
            lines.pop()
        places = {_id(line): number for number, line in enumerate(lines)}
        for answer in answers:
            if answer.id in places:
                lines[places[answer.id]] = answer.line
            else:
                lines.append(answer.line)
        replace_file(self._place, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))

    def _data(self) -> bytes:
        return self._place.read_bytes() if self._place.exists() else b""


def replace_file(place: Path, data: bytes) -> None:
    """Writes a file in one step. A reader, or a crash, sees the old file or the new one. Raises OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def label_file(root: Path, change: LineageChange) -> LabelFile:
    """Returns the configured label file, or one beside the rubric."""
    judge, rubric = change.config.judge, change.config.rubric
    assert rubric is not None
    beside = str(PurePosixPath(rubric).with_name(f"{PurePosixPath(change.name).name}.labels.jsonl"))
    configured = judge.labels if judge else None
    return LabelFile(root, below(change.root, configured or beside))


def _id(line: str) -> str:
    """Returns the id of a line; empty if it has none, which no answer's id is."""
    try:
        row = json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return ""
    return str(row.get("id", "")) if isinstance(row, dict) else ""
