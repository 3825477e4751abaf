"""Cuts the beginning of long lines of a prompt diff, so that what changed is seen."""

from __future__ import annotations

from schemas.diffs import DiffLine

BEFORE = 80
"""Characters that are kept before the first change."""


def near_its_change(line: DiffLine, width: int) -> DiffLine:
    """Returns the line, from shortly before its first change if that lies beyond half of ``width``."""
    first = line.marks[0][0] if line.marks else 0
    if first <= width // 2 or len(line.text) <= width:
        return line
    cut = first - BEFORE
    before = f"(+{cut:,} characters) … "
    moved = len(before) - cut
    marks = tuple((start + moved, stop + moved) for start, stop in line.marks)
    return line.model_copy(update={"text": before + line.text[cut:], "marks": marks})
