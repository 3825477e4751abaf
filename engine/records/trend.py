"""The verdicts on the last merged changes of each lineage. They are shown beside a verdict and never enter it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from pydantic import JsonValue, ValidationError

from schemas.scorecard import LineageCard, Scorecard, TrendPoint
from schemas.values import digest_of

LAST = 10
"""Most points of a trend."""
LineageKey = tuple[str, str]
"""Lineage and model."""


class _Row(TrendPoint):
    """One verdict as it is stored beside the answers of its pull request."""

    trend_version: int
    lineage: str
    model: str


def trend_rows(scorecard: Scorecard, number: int, at: datetime) -> Iterator[tuple[str, JsonValue]]:
    """Yields the store's key and the row of each lineage of a pull request's scorecard."""
    for card in scorecard.lineages:
        row = _Row(
            trend_version=1,
            lineage=card.lineage,
            model=card.model,
            number=number,
            at=at,
            verdict=card.status,
            score=card.overall.candidate if card.overall else None,
            cost_per_1000=card.cost.candidate_per_1000 if card.cost else None,
        )
        kept = row.model_dump(mode="json")
        yield digest_of(["trend", scorecard.head.sha, kept]), kept


def stored_trends(kept: Iterable[JsonValue]) -> dict[LineageKey, list[TrendPoint]]:
    """Returns the points among the stored plans, by lineage and model. Other plans are left out."""
    found: dict[LineageKey, list[TrendPoint]] = {}
    for document in kept:
        try:
            row = _Row.model_validate(document)
        except ValidationError:
            continue
        point = TrendPoint.model_validate(row.model_dump(include=set(TrendPoint.model_fields)))
        found.setdefault((row.lineage, row.model), []).append(point)
    return found


def with_trends(
    scorecard: Scorecard, points: Mapping[LineageKey, Iterable[TrendPoint]], number: int | None
) -> Scorecard:
    """Returns the scorecard with the last points of each lineage.

    A pull request counts once, with its newest verdict. ``number`` is the present one, which is no history.
    """

    def trend(card: LineageCard) -> tuple[TrendPoint, ...]:
        by_time = sorted(points.get((card.lineage, card.model), ()), key=lambda point: point.at)
        newest = {point.number: point for point in by_time if point.number != number}
        return tuple(sorted(newest.values(), key=lambda point: point.at)[-LAST:])

    cards = tuple(card.model_copy(update={"trend": trend(card)}) for card in scorecard.lineages)
    return scorecard.model_copy(update={"lineages": cards})
