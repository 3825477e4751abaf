"""Puts a reading into words. Each output encodes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from engine.drift.reading import Level, Move
from engine.drift.visible import WITHIN

LABEL = re.compile(r"[\w .:/+-]{1,40}")
UNUSUAL = "a label with other characters"


def label_text(label: str) -> str:
    """Returns a label that is safe to show. An application may send any text as its decision, even content."""
    return label if LABEL.fullmatch(label) else UNUSUAL


def points(share: float) -> str:
    """Returns a difference of shares in points: ``5.2``."""
    return f"{100 * share:.1f}"


def past_sentence(level: Level, size: float, moves: Sequence[Move], since: date | None, smallest: float | None) -> str:
    """Returns the sentence of a reading against the past."""
    if level is Level.OK:
        return f"The mix of decisions matches the baseline. {visible_sentence(smallest)}"
    started = f" since about {since.isoformat()}" if since else ""
    how = "has shifted" if level is Level.ALERT else "may have shifted"
    return f"The mix of decisions {how} by {points(size)} points{started}: {moved(moves)}"


def moved(moves: Sequence[Move]) -> str:
    """Returns the labels that moved most: ``billing 40% → 32%, refund 25% → 33%``."""
    listed = ", ".join(f"{label_text(one.label)} {one.before:.0%} → {one.after:.0%}" for one in moves[:2])
    return f"{listed}."


def visible_sentence(smallest: float | None) -> str:
    """Returns the sentence about the smallest shift that this volume can show."""
    if smallest is None:
        return f"This volume is too small to show a shift within {WITHIN} days."
    return f"This volume shows shifts of {points(smallest)} points or more within {WITHIN} days, 4 out of 5 times."
