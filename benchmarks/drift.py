"""Simulates quarters of production and prints how often drift is reported falsely, and after how many days a shift is
seen.

    python -m benchmarks.drift --quarters 1000 --write

A quarter has 28 days of baseline and 90 days after them, with four labels (40, 25, 20 and 15%). *Day to day* is the
standard deviation of the largest label's share between days: shares are drawn from a Dirichlet distribution. *Week*
moves 5 points over the weekdays and halves the volume at weekends. *Memory* is the correlation of a day with the day
before. A shift moves 5 or 10 points from the largest label to the next, from a random
day of the fifth week after the baseline on. Days are counted from there to the alert, and a shift that 60 days don't
show is missed. The stated smallest shift is what page, alert and command line say for this volume; the last column is
the share of quarters that show exactly this shift within two weeks.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from engine.drift.baseline import DAYS, baseline_of
from engine.drift.counts import DayCounts
from engine.drift.past import windows
from engine.drift.visible import WITHIN, sees_from

SHARES = np.array([0.40, 0.25, 0.20, 0.15])
LABELS = ("refund", "billing", "delivery", "other question")
START = date(2026, 1, 5)
QUARTER = 90
SHIFTED_AT = 28
SHIFTS = (0.05, 0.10)
RESULTS = Path(__file__).parent / "results" / "drift.md"


@dataclass(frozen=True)
class Setting:
    per_day: int
    concentration: int = 0
    """Of the Dirichlet distribution of a day's shares; 0: no day-to-day variation."""
    weekly: bool = False
    memory: float = 0.0

    @property
    def name(self) -> str:
        sd = 100 * (SHARES[0] * (1 - SHARES[0]) / (self.concentration + 1)) ** 0.5 if self.concentration else 0.0
        return f"{self.per_day:,} | {sd:.1f} | {'yes' if self.weekly else 'no'} | {self.memory or 'none'}"


SETTINGS = tuple(
    Setting(per_day, *rest)
    for per_day in (50, 300, 2_000)
    for rest in ((0, False), (500, False), (100, False), (0, True), (500, True), (100, True), (100, True, 0.5))
)


def quarter(setting: Setting, shift: float, rng: np.random.Generator, at: int = SHIFTED_AT) -> list[DayCounts]:
    days = DAYS + QUARTER
    shares = np.tile(SHARES, (days, 1))
    volume = np.full(days, float(setting.per_day))
    if setting.weekly:
        weekday = np.arange(days) % 7
        wave = 0.05 * np.sin(2 * np.pi * weekday / 7)
        shares += np.column_stack([wave, -wave, 0.02 * (weekday >= 5), -0.02 * (weekday >= 5)])
        volume *= np.where(weekday >= 5, 0.58, 1.168)
    shares[DAYS + at :] += shift * np.array([-1.0, 1.0, 0.0, 0.0])
    if setting.concentration and not setting.memory:
        shares = np.array([rng.dirichlet(row * setting.concentration) for row in shares])
    elif setting.concentration:
        # An autoregression of logits, with about the same variance.
        noise = rng.standard_normal((days, 4))
        for day in range(1, days):
            noise[day] = setting.memory * noise[day - 1] + (1 - setting.memory**2) ** 0.5 * noise[day]
        shares = shares * np.exp(noise / np.sqrt(setting.concentration * SHARES))
    shares /= shares.sum(axis=1, keepdims=True)
    counts = [rng.multinomial(n, row) for n, row in zip(rng.poisson(volume), shares, strict=True)]
    return [
        DayCounts(START + timedelta(day), dict(zip(LABELS, map(int, row), strict=True)))
        for day, row in enumerate(counts)
    ]


def alarm(days: list[DayCounts]) -> int | None:
    """Returns the first day after the baseline with an alert, from 0; ``None`` without any."""
    baseline = baseline_of(days[:DAYS])
    assert baseline is not None
    found = windows(baseline, days[DAYS:], days[DAYS].day)
    return next((day for day, window in enumerate(found) if window.alarmed), None)


def delay(setting: Setting, shift: float, rng: np.random.Generator) -> int | None:
    """Returns the days until a shift is seen, below 1 for an earlier alert; ``None`` if 60 days don't show it."""
    at = SHIFTED_AT + int(rng.integers(7))
    found = alarm(quarter(setting, shift, rng, at))
    return None if found is None or found - at >= 60 else found - at + 1


@dataclass(frozen=True)
class Row:
    setting: Setting
    false: int
    seen: dict[float, list[int | None]]
    """By shift: days until the alert; ``None``: missed in 60 days. Quarters with an earlier alert are left out."""
    smallest: list[float | None]
    kept: int
    """Of the quarters with exactly the stated smallest shift, how many showed it within two weeks."""
    stated: int


def row(setting: Setting, quarters: int) -> Row:
    rng = np.random.default_rng([setting.per_day, setting.concentration, setting.weekly, int(10 * setting.memory)])
    false = sum(alarm(quarter(setting, 0.0, rng)) is not None for _ in range(quarters))
    seen: dict[float, list[int | None]] = {}
    for shift in SHIFTS:
        found = [delay(setting, shift, rng) for _ in range(quarters // 2)]
        seen[shift] = [days for days in found if days is None or days > 0]
    smallest: list[float | None] = []
    for _ in range(20):
        baseline = baseline_of(quarter(setting, 0.0, rng)[:DAYS])
        assert baseline is not None
        smallest.append(sees_from(baseline.scaled, baseline.per_day, baseline.dispersion))
    known = [one for one in smallest if one is not None]
    kept = stated = 0
    if len(known) > 10:
        typical = float(np.median(known))
        for _ in range(quarters // 4):
            days = delay(setting, typical, rng)
            stated += 1
            kept += days is not None and 0 < days <= WITHIN
    return Row(setting, false, seen, smallest, kept, stated)


def text(found: list[Row], quarters: int) -> str:
    heads = (
        "decisions a day", "day to day, points", "week", "memory", "quarters with a false alert",
        "5 points: days (missed)", "10 points: days (missed)", "stated smallest shift", "seen in two weeks",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|--:|--:|---|---|--:|--:|--:|--:|--:|"]
    for one in found:
        cells = []
        for shift in SHIFTS:
            days = [day for day in one.seen[shift] if day is not None]
            missed = (len(one.seen[shift]) - len(days)) / max(len(one.seen[shift]), 1)
            cells.append(f"{np.median(days):.0f} ({missed:.0%})" if days and missed < 0.9 else f"– ({missed:.0%})")
        known = [size for size in one.smallest if size is not None]
        stated = f"{100 * np.median(known):.1f}" if len(known) > 10 else "none"
        kept = f"{one.kept / one.stated:.0%}" if one.stated else "–"
        share = f"{one.false} of {quarters:,} ({one.false / quarters:.1%})"
        lines.append(f"| {one.setting.name} | {share} | {' | '.join(cells)} | {stated} | {kept} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quarters", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.workers) as pool:
        found = list(pool.map(partial(row, quarters=given.quarters), SETTINGS))
    printed = text(found, given.quarters)
    print(printed)
    if given.write:
        assert __doc__ is not None
        conditions = __doc__.partition("--write\n\n")[2].strip()
        program = f"`python -m benchmarks.drift --quarters {given.quarters} --write`"
        RESULTS.write_text(f"# Drift in simulated quarters\n\nWritten by {program}.\n\n{conditions}\n\n{printed}")


if __name__ == "__main__":
    main()
