"""Detects whether the mix of decisions has shifted from its own past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from engine.drift.baseline import DAYS, LEAST_DAYS, LEAST_PER_DAY, Baseline, baseline_of
from engine.drift.counts import DayCounts, Floats
from engine.drift.evidence import log_evidence, shift
from engine.drift.reading import FLOOR, Level, Question, Reading, level_of
from engine.drift.sentences import past_sentence
from engine.drift.shares import moves_of
from engine.drift.visible import sees_from

RESTART = -2.0
"""Log evidence below which a window speaks for no change, so that it begins anew at the end of its week."""
WEEK = 7
QUARTER = 90
"""Days for which one baseline is used. A later one begins with the last quiet four weeks."""
SILENT = 2
"""Days without a decision after which there is no data."""


@dataclass
class Window:
    """The days that are compared with the baseline: those since the last restart."""

    start: int
    """The row of its first day."""
    total: Floats
    """Sum of its counts, divided by their dispersion."""
    alarmed: bool = False
    """Whether it showed a change, and no later week took that back."""

    def level(self, baseline: Baseline) -> Level:
        """Returns the level today."""
        if self.alarmed:
            return Level.ALERT
        return level_of(log_evidence(baseline.scaled, self.total), shift(baseline.scaled, self.total))


def against_past(days: Sequence[DayCounts], start: date, today: date) -> Reading:
    """Returns the reading of ``today``, the last complete day.

    ``days`` are in order, without days before ``start``, the first day of the baseline. The same days give the same
    reading. The window of days grows until it speaks against a change, and then begins anew: a restarted e-process
    (Shin, Ramdas & Rinaldo 2023, “E-detectors”).
    """
    first = start + timedelta(days=DAYS)
    known = [one for one in days if one.day < first]
    if today < first:
        why = f"collecting the baseline: day {(today - start).days + 1} of {DAYS}"
        return Reading(question=Question.PAST, level=Level.NO_DATA, day=today, why=why)
    baseline = baseline_of(known)
    if baseline is None:
        why = f"too few decisions in {DAYS} days: at least {LEAST_DAYS} days with {LEAST_PER_DAY} a day are needed"
        return Reading(question=Question.PAST, level=Level.NO_DATA, day=today, why=why)
    later = [one for one in days if first <= one.day <= today]
    if not any(one.total for one in later if one.day > today - timedelta(days=SILENT)):
        why = f"no decision in the last {SILENT} days"
        return Reading(question=Question.PAST, level=Level.NO_DATA, day=today, why=why, per_day=baseline.per_day)
    return _reading(baseline, later, first, today)


def windows(baseline: Baseline, later: Sequence[DayCounts], first: date) -> Iterator[Window]:
    """Yields the window as it is after each day of ``later``. It is one object, which changes."""
    counts = baseline.seasonless(later)
    at = [(one.day - first).days for one in later]
    window = Window(0, np.zeros(len(baseline.labels)))
    for row in range(len(later)):
        _advance(window, baseline, counts, at, row)
        yield window
        week_ends = (at[row] + 1) % WEEK == 0
        if week_ends and not window.alarmed and log_evidence(baseline.scaled, window.total) < RESTART:
            window.start, window.total = row + 1, np.zeros(len(baseline.labels))


def _advance(window: Window, baseline: Baseline, counts: Floats, at: Sequence[int], row: int) -> None:
    window.total = window.total + counts[row]
    if not window.alarmed:
        window.alarmed = window.level(baseline) is Level.ALERT
        return
    # The whole window still holds the change. The last week tells that it is over.
    week = [k for k in range(window.start, row + 1) if at[k] > at[row] - WEEK]
    recent: Floats = counts[week].sum(axis=0)
    if log_evidence(baseline.scaled, recent) < RESTART and shift(baseline.scaled, recent) < FLOOR:
        window.start, window.total, window.alarmed = week[0], recent, False


def _reading(baseline: Baseline, later: Sequence[DayCounts], first: date, today: date) -> Reading:
    *_, window = ((one.start, one.total, one.level(baseline)) for one in windows(baseline, later, first))
    start, total, level = window
    size = shift(baseline.scaled, total)
    speaks = level is not Level.OK
    since = later[_onset(baseline, baseline.seasonless(later), start)].day if speaks else None
    smallest = sees_from(baseline.scaled, baseline.per_day, baseline.dispersion)
    moves = moves_of(baseline.labels, baseline.scaled, total) if speaks else ()
    return Reading(
        question=Question.PAST,
        level=level,
        day=today,
        why=past_sentence(level, size, moves, since, smallest),
        shift=size,
        log_evidence=log_evidence(baseline.scaled, total),
        since=since,
        sees_from=smallest,
        per_day=baseline.per_day,
        moves=moves,
    )


def _onset(baseline: Baseline, counts: Floats, start: int) -> int:
    """Returns the row from which the days up to the last speak most for a change (maximum likelihood of one change)."""
    total, best, found = np.zeros(counts.shape[1]), -np.inf, start
    for row in range(len(counts) - 1, start - 1, -1):
        total = total + counts[row]
        evidence = log_evidence(baseline.scaled, total)
        if evidence > best:
            best, found = evidence, row
    return found


def next_start(reading: Reading, start: date) -> date:
    """Returns the first day of the baseline to use from now on.

    After a quarter, a reading that is ok moves it to the last four weeks. So does one that found too few decisions in
    the baseline: a prompt may begin slowly, and the days of an old baseline are deleted.
    """
    age = (reading.day - start).days
    old = age >= DAYS + QUARTER and reading.level is Level.OK
    # Without a volume, there was no baseline.
    thin = age >= DAYS and reading.level is Level.NO_DATA and reading.per_day is None
    return reading.day - timedelta(days=DAYS - 1) if old or thin else start
