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
REPORT = Limits(2_000_000, 2_000_000)
"""Our own limit of the HTML report: a file that opens at once, even on a phone."""


@dataclass(frozen=True)
class Detail:
    """How much to show: one of the steps by which a long comment is shortened. Numbers are upper limits."""

    rows: int
    """Most lineages in the overview."""
    sections: int
    """Lineages without approval that get their own section."""
    folded: int
    """Approved lineages with a folded section."""
    worse: int
    better: int
    text: int
    """Characters of one answer."""
    effects: int
    """Rows of slices and of metrics."""
    labels: int
    diff_lines: int
    reasons: int
    notes: int
    """Warnings and notes."""


LADDER = (
    Detail(
        500, 500, 500, worse=500, better=200, text=600, effects=100, labels=20, diff_lines=600, reasons=50, notes=50
    ),
    Detail(500, 500, 500, worse=50, better=30, text=240, effects=50, labels=12, diff_lines=160, reasons=20, notes=20),
    Detail(500, 500, 500, worse=30, better=10, text=120, effects=30, labels=12, diff_lines=80, reasons=15, notes=10),
    Detail(500, 500, 50, worse=20, better=0, text=80, effects=20, labels=8, diff_lines=40, reasons=10, notes=6),
    Detail(500, 500, 0, worse=10, better=0, text=60, effects=12, labels=0, diff_lines=12, reasons=8, notes=4),
    Detail(200, 60, 0, worse=5, better=0, text=40, effects=8, labels=0, diff_lines=0, reasons=5, notes=0),
    Detail(100, 20, 0, worse=2, better=0, text=30, effects=5, labels=0, diff_lines=0, reasons=3, notes=0),
    Detail(100, 8, 0, worse=0, better=0, text=30, effects=3, labels=0, diff_lines=0, reasons=2, notes=0),
    Detail(40, 0, 0, worse=0, better=0, text=0, effects=0, labels=0, diff_lines=0, reasons=2, notes=0),
    Detail(0, 0, 0, worse=0, better=0, text=0, effects=0, labels=0, diff_lines=0, reasons=1, notes=0),
)
"""Levels of detail, from everything to the verdict alone. Each leaves out what is needed least: long answers, then
better cases, class changes and diffs, then approved lineages, then rows of failures. Counts are exact on every
level."""
