"""Renders a prompt diff as rows of two columns: removed lines on the left, added ones on the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from engine.render.diff_lines import near_its_change
from engine.render.encode import excerpt
from schemas.diffs import DiffHunk, DiffLine

LINE_CHARACTERS = 2_000


@dataclass(frozen=True)
class Side:
    """One line on one side: pieces of text, each marked as changed or not."""

    kind: str
    number: int | None
    pieces: tuple[tuple[str, bool], ...]


def _pieces(line: DiffLine) -> Iterator[tuple[str, bool]]:
    line = near_its_change(line, LINE_CHARACTERS)
    text = excerpt(line.text, LINE_CHARACTERS)
    at = 0
    for start, stop in line.marks:
        if at <= start < stop <= len(text.text):
            yield text.text[at:start], False
            yield text.text[start:stop], True
            at = stop
    yield text.text[at:] + text.note, False


def _side(line: DiffLine, number: int | None) -> Side:
    return Side(line.kind, number, tuple(piece for piece in _pieces(line) if piece[0]))


def side_by_side(hunk: DiffHunk) -> list[tuple[Side | None, Side | None]]:
    """Returns the hunk's rows; a removed and an added line that follow each other share a row."""
    rows: list[tuple[Side | None, Side | None]] = []
    for same, run in groupby(hunk.lines, key=lambda line: line.kind == "same"):
        lines = list(run)
        if same:
            rows += [(_side(line, line.before), _side(line, line.after)) for line in lines]
        else:
            rows += _changed(lines)
    return rows


def _changed(lines: Sequence[DiffLine]) -> list[tuple[Side | None, Side | None]]:
    left = [_side(line, line.before) for line in lines if line.kind == "removed"]
    right = [_side(line, line.after) for line in lines if line.kind == "added"]
    return list(zip_longest(left, right))
