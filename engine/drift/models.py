"""Detects a new model behind the same name, and compares its decisions with those before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.drift.counts import DayCounts, table, vocabulary
from engine.drift.evidence import log_evidence, shift
from engine.drift.reading import FLOOR, Level, Question, Reading, level_of
from engine.drift.sentences import moved, points, visible_sentence
from engine.drift.shares import moves_of
from engine.drift.visible import sees_from

LEAST_SHARE = 0.01
"""Share of a day's decisions from which a model counts: below, it is a retry or a trial."""
LOOKS_BACK = timedelta(days=28)
"""How long a new name stays reported."""


@dataclass(frozen=True)
class ServedDay:
    """The decisions of one day that one model made."""

    model: str
    """As the provider reports it."""
    counts: DayCounts


def by_model(days: Sequence[ServedDay], today: date, dispersion: float | None) -> Reading:
    """Returns the reading of ``today``.

    The newest model of the last four weeks is compared with all that answered before it, on the days up to its first.
    ``dispersion`` is that of the prompt's own past; ``None``: only names are compared.
    """
    first = _first_days(days, today)
    if not first:
        why = "no decision names the model that answered"
        return Reading(question=Question.MODEL, level=Level.NO_DATA, day=today, why=why)
    newest = max(first, key=lambda name: (first[name], name))
    arrived, began = first[newest], min(first.values())
    if arrived == began or arrived <= today - LOOKS_BACK:
        now = ", ".join(sorted(name for name, day in first.items() if day <= today))
        why = f"No new model in {LOOKS_BACK.days} days. The answers come from {now}."
        return Reading(question=Question.MODEL, level=Level.OK, day=today, why=why)
    old = [one.counts for one in days if one.model != newest and one.counts.day <= arrived]
    new = [one.counts for one in days if one.model == newest and one.counts.day <= today]
    return _compared(newest=newest, old=old, new=new, arrived=arrived, today=today, dispersion=dispersion)


def _compared(
    *,
    newest: str,
    old: Sequence[DayCounts],
    new: Sequence[DayCounts],
    arrived: date,
    today: date,
    dispersion: float | None,
) -> Reading:
    named = f"The model {newest} has answered since {arrived.isoformat()}"
    if dispersion is None:
        why = f"{named}. Its decisions can't be compared yet: the day-to-day variation isn't known."
        return Reading(question=Question.MODEL, level=Level.WARNING, day=today, why=why, since=arrived)
    labels = vocabulary(old)
    before = table(old, labels).sum(axis=0) / dispersion
    after = table(new, labels).sum(axis=0) / dispersion
    evidence, size = log_evidence(before, after), shift(before, after)
    per_day = sum(one.total for one in new) / len(new)
    smallest = sees_from(before, per_day, dispersion)
    moves = moves_of(labels, before, after)
    if level_of(evidence, size) is Level.ALERT:
        level, told = Level.ALERT, f"and its decisions differ by {points(size)} points: {moved(moves)}"
    elif size >= FLOOR:
        level, told = Level.WARNING, f"and its decisions may differ by {points(size)} points: {moved(moves)}"
    else:
        level, told = Level.WARNING, f"and its decisions match those before. {visible_sentence(smallest)}"
    return Reading(
        question=Question.MODEL,
        level=level,
        day=today,
        why=f"{named}, {told}",
        shift=size,
        log_evidence=evidence,
        since=arrived,
        sees_from=smallest,
        per_day=per_day,
        moves=moves,
    )


def _first_days(days: Sequence[ServedDay], today: date) -> dict[str, date]:
    """Returns the first day of each model that made a noticeable share of a day's decisions."""
    total: dict[date, int] = {}
    for one in days:
        total[one.counts.day] = total.get(one.counts.day, 0) + one.counts.total
    first: dict[str, date] = {}
    for one in days:
        day, enough = one.counts.day, one.counts.total >= LEAST_SHARE * total[one.counts.day]
        if one.model and one.counts.total and enough and day <= today:
            first[one.model] = min(first.get(one.model, day), day)
    return first
