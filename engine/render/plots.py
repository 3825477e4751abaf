"""Positions of the marks of plots, in percent of the width or height. The template draws them as SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.render.signs import RESULT_TONES, VERDICT_TONES, Tone
from schemas.effects import Confusion, Effect
from schemas.scorecard import LineageCard

_EDGE = 3.0
"""Space at both ends, so that a dot at 0 or 100 is complete."""


def _place(share: float) -> float:
    return round(_EDGE + (100 - 2 * _EDGE) * min(1.0, max(0.0, share)), 2)


@dataclass(frozen=True)
class Strip:
    """One row of the paired dot plot: both arms on a scale of 0 to 100 points, and the interval of the candidate."""

    baseline: float | None
    candidate: float | None
    low: float | None
    high: float | None
    tone: Tone


def strip(effect: Effect) -> Strip:
    """Returns the marks of one effect. An open side of the interval runs to the end of the scale."""
    base, now = effect.baseline, effect.candidate
    low = high = None
    bounded = effect.interval is not None and not (effect.interval.low is None and effect.interval.high is None)
    if base is not None and effect.interval is not None and bounded:
        low = 0.0 if effect.interval.low is None else base + effect.interval.low
        high = 1.0 if effect.interval.high is None else base + effect.interval.high
    low, high, base, now = (None if share is None else _place(share) for share in (low, high, base, now))
    return Strip(base, now, low, high, RESULT_TONES[effect.result])


TICKS = tuple((points, _place(points / 100)) for points in (0, 25, 50, 75, 100))
"""Ticks: points and their positions on the scale."""


@dataclass(frozen=True)
class Move:
    """One lineage in the plot of cost against score: from its baseline to its candidate."""

    name: str
    x_before: float
    y_before: float
    x_after: float
    y_after: float
    tone: Tone
    label_left: bool
    label_below: bool
    """The label is on the side away from the line."""


@dataclass(frozen=True)
class CostPlot:
    """Cost per 1,000 cases (from 0) against score."""

    moves: tuple[Move, ...]
    x_ticks: tuple[tuple[float, float], ...]
    """Ticks: USD and position."""
    y_ticks: tuple[tuple[int, float], ...]
    """Ticks: points and position."""
    left_out: int


def cost_plot(cards: Sequence[LineageCard], most: int = 12) -> CostPlot | None:
    """Returns the plot of all lineages whose score and cost are known in both arms, or ``None`` without any."""
    known = [known for card in cards if (known := _known(card)) is not None]
    drawn = known[:most]
    if not drawn:
        return None
    scores = [score for each in drawn for score in each.scores]
    bottom = max(0, int(min(scores) * 10 - 0.5)) / 10
    top = min(10, int(max(scores) * 10 + 1.5)) / 10
    step = _round_step(max(cost for each in drawn for cost in each.costs) or 1.0)
    right = step * 5

    def height(score: float) -> float:
        return round(100 - _place((score - bottom) / (top - bottom)), 2)

    moves = []
    lineages = Counter(each.card.lineage for each in drawn)
    for card, (old, new), (before, after) in drawn:
        end = _place(after / right)
        name = card.lineage if lineages[card.lineage] == 1 else f"{card.lineage} · {card.model}"
        tone = VERDICT_TONES[card.status]
        moves.append(Move(name, _place(before / right), height(old), end, height(new), tone, end > 50, new < old))
    points = range(round(bottom * 100), round(top * 100) + 1, 10)
    return CostPlot(
        tuple(moves),
        tuple((round(step * n, 6), _place(n / 5)) for n in range(6)),
        tuple((value, height(value / 100)) for value in points),
        len(known) - len(drawn),
    )


class _Known(NamedTuple):
    """A lineage with its score and its cost, before and after."""

    card: LineageCard
    scores: tuple[float, float]
    costs: tuple[float, float]


def _known(card: LineageCard) -> _Known | None:
    if card.overall is None or card.cost is None:
        return None
    old, new = card.overall.baseline, card.overall.candidate
    before, after = card.cost.baseline_per_1000, card.cost.candidate_per_1000
    if old is None or new is None or before is None or after is None:
        return None
    return _Known(card, (old, new), (float(before), float(after)))


def _round_step(largest: float) -> float:
    """Returns a round fifth of an axis that fits ``largest`` with some space."""
    exact, size = largest * 1.05 / 5, 1e-6
    while True:
        for factor in (1, 2, 2.5, 5):
            if factor * size >= exact:
                return factor * size
        size *= 10


def heat(confusion: Confusion) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Returns shades 0 … 6 of the cells of both matrices, by share of the row, so that rare classes are visible too."""

    def shades(matrix: Sequence[Sequence[float]]) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(0 if not number else max(1, round(6 * number / sum(row))) for number in row) for row in matrix
        )

    return shades(confusion.baseline), shades(confusion.candidate)
