"""Differences of the text and the settings of a prompt."""

from __future__ import annotations

from typing import Literal

from schemas.values import Value


class DiffLine(Value):
    """One line of a prompt diff."""

    kind: Literal["same", "added", "removed"]
    text: str
    before: int | None
    after: int | None
    marks: tuple[tuple[int, int], ...] = ()
    """Character ranges that changed within the line. An empty one: only the other version has words there."""


class DiffHunk(Value):
    """Neighboring lines of a diff."""

    lines: tuple[DiffLine, ...]


class PromptDiff(Value):
    """The difference of two versions of a prompt."""

    path_before: str | None
    path_after: str | None
    added: int
    removed: int
    tokens_before: float | None = None
    tokens_after: float | None = None
    """Mean tokens of the whole request."""
    hunks: tuple[DiffHunk, ...] = ()
    omitted: int = 0
    """Changed lines that no hunk shows, since the diff is too long."""
    file_lines: tuple[tuple[int, int], ...] = ()
    """First and last line of each changed range of ``file``, for annotations."""
    file: str | None = None
    """The file of the candidate that differs, of several the first. ``None`` if a side is missing."""
    settings: tuple[tuple[str, str, str], ...] = ()
    """Model and parameter changes: name, before, after."""
