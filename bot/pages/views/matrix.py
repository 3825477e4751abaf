"""The confusion matrix whose numbers list their cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.pages.addresses import with_query
from engine.render.figures import count as shown
from engine.render.plots import heat

if TYPE_CHECKING:
    from schemas.scorecard import LineageCard

MOST = 20
"""Most rows and columns."""


@dataclass(frozen=True)
class Cell:
    """One number: how often a label was given where another was expected."""

    count: float
    delta: float
    shade: str
    address: str | None
    label: str


@dataclass(frozen=True)
class Line:
    """The cells of one expected label."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """The candidate's matrix, with the change from the baseline."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def matrix(base: str, card: LineageCard) -> Matrix | None:
    """Returns the matrix of a classification. ``base`` is the address of the list of cases."""
    confusion = card.confusion
    if confusion is None:
        return None
    columns, shades = confusion.columns[:MOST], heat(confusion)[1]
    last = len(confusion.columns) - 1
    lines = []
    for row, label in enumerate(confusion.labels[:MOST]):
        cells = []
        for column, said in enumerate(columns):
            count = confusion.candidate[row][column]
            tone = "r" if said == label else "w"
            # The last column has the answers without a label.
            query = {"expected": label, "candidate_said": "" if column == last else said}
            words = f"{shown(count)} cases: expected {label}, candidate said {said}"
            cells.append(
                Cell(
                    count,
                    count - confusion.baseline[row][column],
                    f"{tone}{shades[row][column]}",
                    with_query(base, query, "cases") if count else None,
                    words,
                )
            )
        lines.append(Line(label, tuple(cells)))
    return Matrix(columns, tuple(lines))
