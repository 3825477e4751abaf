"""Plots as percentages of their frame, which templates write as SVG."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

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


@dataclass(frozen=True)
class Axis:
    """One axis of a radar: its end, and where its name stands."""

    name: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True)
class Radar:
    """Scores on several axes, in a frame of 320 by 240."""

    axes: tuple[Axis, ...]
    rings: tuple[str, ...]
    shapes: tuple[str, ...]
    """One polygon for each series."""


CENTER, RADIUS = (160.0, 120.0), 84.0


def radar(names: Sequence[str], series: Sequence[Sequence[float | None]]) -> Radar | None:
    """Returns the radar of fractions by axis; a missing one is at the center. ``None`` for fewer than three axes."""
    if len(names) < 3:
        return None
    turns = [math.tau * number / len(names) - math.tau / 4 for number in range(len(names))]

    def at(turn: float, share: float) -> tuple[float, float]:
        return CENTER[0] + RADIUS * share * math.cos(turn), CENTER[1] + RADIUS * share * math.sin(turn)

    def polygon(shares: Sequence[float | None]) -> str:
        points = (at(turn, share or 0.0) for turn, share in zip(turns, shares, strict=True))
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

    axes = []
    for name, turn in zip(names, turns, strict=True):
        x, y = at(turn, 1.0)
        anchor = "middle" if abs(x - CENTER[0]) < 8 else ("start" if x > CENTER[0] else "end")
        axes.append(Axis(name, round(x, 1), round(y, 1), anchor))
    rings = tuple(polygon([share] * len(names)) for share in (0.5, 1.0))
    return Radar(tuple(axes), rings, tuple(polygon(one) for one in series))


@dataclass(frozen=True)
class Bar:
    """One part of a stacked bar, in percent of the frame."""

    x: float
    y: float
    width: float
    height: float
    series: int


def stacked(rows: Sequence[Sequence[int]]) -> tuple[Bar, ...]:
    """Returns one bar for each row of counts, split by their shares. A row without a count has none."""
    step = 100 / max(len(rows), 1)
    bars = []
    for number, counts in enumerate(rows):
        total, top = sum(counts), 0.0
        for series, count in enumerate(counts):
            if count:
                height = count / total * 100
                x, y, width = number * step + step * 0.1, top, step * 0.8
                bars.append(Bar(round(x, 3), round(y, 3), round(width, 3), round(height, 3), series))
                top += height
    return tuple(bars)


@dataclass(frozen=True)
class Trend:
    """Values over days, from 0 at the bottom. ``segments`` leave out days without a value."""

    points: tuple[tuple[float, float], ...]
    segments: tuple[tuple[float, float, float, float], ...]
    top: float | Decimal
    """The value at the frame's top."""


def trend(values: Sequence[float | Decimal | None]) -> Trend | None:
    """Returns the line of values, in percent of the frame. ``None`` without a value."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    top = max(known) or 1
    step = 100 / len(values)
    places = [
        None if value is None else (round((number + 0.5) * step, 3), round((1 - float(value) / float(top)) * 100, 3))
        for number, value in enumerate(values)
    ]
    pairs = itertools.pairwise(places)
    segments = tuple((*one, *other) for one, other in pairs if one is not None and other is not None)
    return Trend(tuple(place for place in places if place is not None), segments, top)


def day_mark(number: int, days: int) -> float:
    """Returns where the beginning of a day is, in percent of the frame."""
    return round(number * 100 / days, 3)
