"""Sums hourly figures for pages: by day, by version and model, by reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from bot.store.production_values import LATENCY_STEPS_S, Figures, HourFigures

SERIES = 8
"""Decisions that a plot tells apart. The others are drawn as one."""
OTHERS = "others"


class Summary(NamedTuple):
    """What pages show of some calls. A figure without data is ``None``."""

    calls: int
    decided: int
    """Calls with a decision."""
    deferred: int
    errors: int
    cost_usd: Decimal | None
    """Of the calls whose cost is known."""
    priced: int
    per_1000: Decimal | None
    confidence: float | None
    latency_s: float | None
    """Median, within the step of ``LATENCY_STEPS_S`` in which it lies."""

    @property
    def error_rate(self) -> float | None:
        """Share of calls that ended in an error."""
        return self.errors / self.calls if self.calls else None

    @property
    def deferral_rate(self) -> float | None:
        """Share of calls that a person decides."""
        return self.deferred / self.calls if self.calls else None


class Day(NamedTuple):
    """One day (UTC)."""

    day: date
    summary: Summary
    mix: dict[str, int]
    """Calls by decision."""


class VersionRow(NamedTuple):
    """One version on one model."""

    digest: str
    model: str
    summary: Summary
    mix: list[tuple[str, float]]
    """The most frequent decisions, with their shares."""
    last: date


class Report(NamedTuple):
    """The figures of a prompt in a number of days."""

    total: Summary
    days: list[Day]
    """Every day, also those without a call."""
    names: list[str]
    """Decisions, the most frequent first."""
    versions: list[VersionRow]
    deferrals: list[tuple[str, int]]
    """By reason."""
    errors: list[tuple[str, int]]
    """By type."""


def report_of(hours: Sequence[HourFigures], first: date, last: date, defer: Collection[str] = ()) -> Report:
    """Returns the report of the days from ``first`` to ``last``. ``defer`` names decisions that are deferrals."""
    by_day: dict[date, list[HourFigures]] = defaultdict(list)
    by_version: dict[tuple[str, str], list[HourFigures]] = defaultdict(list)
    for one in hours:
        by_day[one.key.hour.date()].append(one)
        by_version[one.key.digest, one.key.model].append(one)
    deferrals, errors = Counter[str](), Counter[str]()
    for key, figures in hours:
        reason = key.deferred or (f"answered “{key.decision}”" if key.decision in defer else "")
        if reason:
            deferrals[reason] += figures.calls
        if key.error:
            errors[key.error] += figures.calls
    mix = _mix(hours)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return Report(
        total=summary_of(hours, defer),
        days=[Day(day, summary_of(by_day[day], defer), dict(_mix(by_day[day]))) for day in days],
        names=[name for name, _ in mix.most_common()],
        versions=sorted(
            (_version(digest, model, some, defer) for (digest, model), some in by_version.items()),
            key=lambda row: (row.last, row.summary.calls),
            reverse=True,
        ),
        deferrals=deferrals.most_common(20),
        errors=errors.most_common(20),
    )


def summary_of(hours: Iterable[HourFigures], defer: Collection[str] = ()) -> Summary:
    """Returns the sums of some hours."""
    total = Figures()
    decided = deferred = errors = 0
    for key, figures in hours:
        total = total.plus(figures)
        decided += figures.calls if key.decision else 0
        deferred += figures.calls if key.deferred or key.decision in defer else 0
        errors += figures.calls if key.error else 0
    priced = total.priced
    return Summary(
        calls=total.calls,
        decided=decided,
        deferred=deferred,
        errors=errors,
        cost_usd=total.cost_usd if priced else None,
        priced=priced,
        per_1000=total.cost_usd / priced * 1000 if priced else None,
        confidence=total.confidence / 1_000_000 / total.confident if total.confident else None,
        latency_s=_median(total.latencies),
    )


def drawn(days: Sequence[Day], names: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Returns the names of a plot's series, and the counts of each day in their order."""
    shown = list(names[: SERIES - 1]) if len(names) > SERIES else list(names)
    rest = len(shown) < len(names)
    rows = []
    for day in days:
        counts = [day.mix.get(name, 0) for name in shown]
        rows.append([*counts, sum(day.mix.values()) - sum(counts)] if rest else counts)
    return [*shown, OTHERS] if rest else shown, rows


def _version(digest: str, model: str, hours: Sequence[HourFigures], defer: Collection[str]) -> VersionRow:
    mix = _mix(hours)
    decided = sum(mix.values())
    shares = [(name, count / decided) for name, count in mix.most_common(4)]
    return VersionRow(digest, model, summary_of(hours, defer), shares, max(one.key.hour for one in hours).date())


def _mix(hours: Iterable[HourFigures]) -> Counter[str]:
    mix = Counter[str]()
    for key, figures in hours:
        if key.decision and figures.calls:
            mix[key.decision] += figures.calls
    return mix


def _median(steps: Sequence[int]) -> float | None:
    """Returns the median of counts by step, placed evenly within its step."""
    calls = sum(steps)
    if not calls:
        return None
    before = 0
    for number, count in enumerate(steps):
        if count and before + count >= calls / 2:
            low = LATENCY_STEPS_S[number - 1] if number else 0.0
            high = LATENCY_STEPS_S[number] if number < len(LATENCY_STEPS_S) else low
            return low + (high - low) * (calls / 2 - before) / count
        before += count
    return None
