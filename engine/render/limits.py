"""Size limits of each surface, and how much a comment shows of each part as it is shortened to them."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.host import FIELD_LIMIT


@dataclass(frozen=True)
class Limits:
    """The limits of a surface. GitHub counts characters in some places and bytes in others, so both apply."""

    characters: int
    utf8_bytes: int

    def hold(self, text: str) -> bool:
        """Returns whether ``text`` fits."""
        return len(text) <= self.characters and len(text.encode()) <= self.utf8_bytes


COMMENT = Limits(65_536, 65_536)
"""Limit of a comment's body. GitHub refuses a longer one with 422."""
CHECK_FIELD = Limits(FIELD_LIMIT, FIELD_LIMIT)
"""Limit of a check run's ``summary``, and of its ``text``."""
JOB_SUMMARY = Limits(1_048_576, 1_048_576)
"""Limit of one step's job summary."""
REPORT = Limits(700_000, 700_000)
"""Our own limit of the HTML report: a file that opens at once, even on a phone."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """How much to show: one of the steps by which a long comment is shortened. Numbers are upper limits."""

    rows: int
    """Most lineages in the overview."""
    sections: int
    """Lineages without approval that get their own section."""
    folded: int
    """Approved lineages with a folded section."""
    open: int
    """Cases of a lineage that are shown unfolded."""
    text: int
    """Characters of one of their texts."""
    worse: int
    """Further cases that got worse, folded."""
    better: int
    short: int
    """Characters of one text of a folded case."""
    effects: int
    """Rows of slices and of metrics."""
    labels: int
    diff_lines: int
    reasons: int
    notes: int
    """Warnings and notes."""


def _detail(*most: int) -> Detail:
    rows, sections, folded, opened, text, worse, better, short, effects, labels, diff_lines, reasons, notes = most
    return Detail(
        rows=rows,
        sections=sections,
        folded=folded,
        open=opened,
        text=text,
        worse=worse,
        better=better,
        short=short,
        effects=effects,
        labels=labels,
        diff_lines=diff_lines,
        reasons=reasons,
        notes=notes,
    )


# fmt: off
LADDER = tuple(_detail(*most) for most in (
    # rows sections folded open text worse better short effects labels diff reasons notes
    (500, 500, 500, 3, 340, 500, 200, 340, 100, 20, 600, 50, 50),
    (500, 500, 500, 3, 340,  50,  20, 300,  50, 12, 160, 20, 20),
    (500, 500, 500, 3, 340,  30,   8, 200,  30, 12,  80, 15, 10),
    (500, 500,  50, 3, 340,  20,   0, 120,  20,  8,  80, 10,  6),
    (500, 500,   0, 3, 300,  10,   0, 100,  12,  0,  40,  8,  4),
    (200,  60,   0, 3, 200,   5,   0,  80,   8,  0,   0,  5,  0),
    (100,  20,   0, 2, 120,   0,   0,   0,   5,  0,   0,  3,  0),
    (100,  20,   0, 1,  60,   0,   0,   0,   3,  0,   0,  2,  0),
    (100,   8,   0, 0,   0,   0,   0,   0,   3,  0,   0,  2,  0),
    ( 40,   0,   0, 0,   0,   0,   0,   0,   0,  0,   0,  2,  0),
    (  0,   0,   0, 0,   0,   0,   0,   0,   0,  0,   0,  1,  0),
))
# fmt: on
"""Levels of detail, from everything to the verdict alone. Each leaves out what is needed least: better cases, class
changes and long diffs, then approved lineages, then folded failures. The first failures keep their texts longest.
Counts are exact on every level."""
