"""Plots as percentages of their frame, which templates write as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MARGIN = 0.05
"""Room above and below the values, as a share of their range."""


@dataclass(frozen=True)
class Point:
    """One point, in percent of the frame from the left and the top."""

    x: float
    y: float
    tone: str
    title: str


@dataclass(frozen=True)
class ScoreLine:
    """A line of scores over time. ``top`` and ``bottom`` are the fractions at the frame's edges."""

    points: tuple[Point, ...]
    top: float
    bottom: float


def score_line(scores: Sequence[tuple[float | None, str, str]]) -> ScoreLine | None:
    """Returns the line of (score, tone, title), oldest first. ``None`` for fewer than two scores."""
    known = [(score, tone, title) for score, tone, title in scores if score is not None]
    if len(known) < 2:
        return None
    low, high = min(one[0] for one in known), max(one[0] for one in known)
    room = max(MARGIN, (high - low) * 0.15)
    bottom, top = max(0.0, low - room), min(1.0, high + room)
    step = 100 / (len(known) - 1)
    points = tuple(
        Point(round(number * step, 2), round((top - score) / (top - bottom) * 100, 2), tone, title)
        for number, (score, tone, title) in enumerate(known)
    )
    return ScoreLine(points, top, bottom)
