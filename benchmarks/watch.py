"""Simulates the scheduled watch over 200 quiet days with recorded answers, and over swaps of known size.

    python -m benchmarks.watch --repeats recorded_repeats.npz --rewordings recorded_rewordings.npz

Each day of a quiet period is one recorded run of the same prompt by the same model: a random case draws a random
recorded run. The baseline is the first day. A *period* is 200 days; a *report* is an alert that opens, by the same
states as in the product (three calm days end it). A *swap* replaces the answers from a day on by those of another
prompt of the same data set, with a mean that differs by the given points; 2% of its answers differ from run to run.
``--cases`` limits a test set. The gate is left out on days whose mean differs by less than 3.0 standard errors, overall
and in each slice: its level is 3.4.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from engine.alerts.states import AlertState, Standing, after
from engine.drift.reading import Level
from engine.watch.answers import ServedBy, WatchedAnswers
from engine.watch.compare import compared
from schemas.experiments import CellOutcome, ExperimentCase, ExperimentRecord
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec

START = date(2026, 1, 1)
DAYS = 200
SLICES = ("typical", "typical", "typical", "edge", "adversarial")
RESULTS = Path(__file__).parent / "results" / "watch.md"


def answers(day: int, scores: np.ndarray, model: str = "m-1") -> WatchedAnswers:
    cases = tuple(ExperimentCase(id=f"c{k}", slices=(SLICES[k % len(SLICES)],)) for k in range(len(scores)))
    record = ExperimentRecord(
        lineage="triage", model="fast", content_digest=f"{day:064x}", gate=GateConfig(),
        metrics=(MetricSpec(name="accuracy"),), cases=cases, prompts=("", "requests"), paired=False,
        outcomes=tuple(CellOutcome(case=k, arm=1, repetition=0, scores=(float(s),)) for k, s in enumerate(scores)),
    )  # fmt: skip
    return WatchedAnswers(
        day=START + timedelta(day), record=record, served=(ServedBy(model=model, answers=len(scores)),)
    )


def is_far(one: np.ndarray, other: np.ndarray) -> bool:
    """Returns whether the gate may find a difference."""
    apart, names = other - one, np.array([SLICES[k % len(SLICES)] for k in range(len(one))])
    parts = [apart, *(apart[names == name] for name in set(SLICES))]
    return any(abs(part.sum()) >= 3.0 * max(np.sqrt((part**2).sum()), 1e-9) for part in parts)


def drawn(runs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return runs[rng.integers(len(runs), size=runs.shape[1]), np.arange(runs.shape[1])].astype(float)


def reports(runs: np.ndarray, rng: np.random.Generator, days: int = DAYS) -> int:
    """Returns how often a quiet period is reported."""
    first, standing, found = drawn(runs, rng), Standing(), 0
    baseline = answers(0, first)
    for day in range(1, days):
        now = drawn(runs, rng)
        level = compared(baseline, answers(day, now)).level if is_far(first, now) else Level.OK
        before, standing = standing, after(standing, level, START + timedelta(day))
        found += standing.state is AlertState.ALERT and before.state is not AlertState.ALERT
    return found


def delay(old: np.ndarray, new: np.ndarray, flips: float, rng: np.random.Generator, days: int = 7) -> int | None:
    """Returns the number of runs after a swap until it is found; ``None``: not in ``days``."""

    def run(row: np.ndarray) -> np.ndarray:
        noisy = rng.random(len(row)) < flips
        return np.where(noisy, 1 - row, row).astype(float)

    first = run(old)
    baseline = answers(0, first)
    for day in range(1, days + 1):
        now = run(new)
        if is_far(first, now) and compared(baseline, answers(day, now)).level is Level.ALERT:
            return day
    return None


def quiet_rows(path: Path, periods: int, most: int, rng: np.random.Generator) -> list[str]:
    lines = [
        "| recorded answers | cases | cases that differ between two runs | periods | reports per period | most |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    with np.load(path) as data:
        for name in data.files:
            runs = data[name][:, :most]
            apart = float(np.mean([np.mean(drawn(runs, rng) != drawn(runs, rng)) for _ in range(50)]))
            found = [reports(runs, rng) for _ in range(periods)]
            lines.append(
                f"| {name} | {runs.shape[1]} | {apart:.1%} | {periods} | {np.mean(found):.2f} | {max(found)} |"
            )
    return lines


def swap_rows(path: Path, cases: int, trials: int, rng: np.random.Generator) -> list[str]:
    lines = [
        "| recorded prompts | cases | change of the mean | found within 7 runs | runs until then (median) |",
        "|---|--:|--:|--:|--:|",
    ]
    with np.load(path) as data:
        for name in (one for one in data.files if not one.endswith(" sources")):
            rows = data[name]
            for size in (0.03, 0.06, 0.10, 0.15):
                found = []
                for _ in range(trials):
                    items = rng.choice(rows.shape[1], cases, replace=False)
                    some = rows[:, items]
                    means = some.mean(axis=1)
                    pairs = np.argwhere(np.abs(means[:, None] - means[None, :] - size) < 0.01)
                    if len(pairs):
                        one, other = pairs[rng.integers(len(pairs))]
                        found.append(delay(some[one], some[other], 0.02, rng))
                seen = [one for one in found if one is not None]
                share = f"{len(seen)} of {len(found)}" if found else "no such pair"
                lines.append(
                    f"| {name} | {cases} | {100 * size:.0f} points | {share} | {np.median(seen) if seen else '–'} |"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=Path, required=True)
    parser.add_argument("--rewordings", type=Path, required=True)
    parser.add_argument("--periods", type=int, default=20)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(23)
    quiet = "\n".join(quiet_rows(given.repeats, given.periods, given.cases, rng))
    swaps = "\n".join(swap_rows(given.rewordings, given.cases, given.trials, rng))
    print(f"{quiet}\n\n{swaps}")
    if given.write:
        assert __doc__ is not None
        conditions = "\n\n".join(__doc__.split("\n\n")[2:]).strip()
        program = (
            f"`python -m benchmarks.watch --periods {given.periods} --trials {given.trials} --cases {given.cases}`"
        )
        head = f"# The scheduled watch\n\nWritten by {program}, on recorded answers of real models.\n\n{conditions}"
        RESULTS.write_text(f"{head}\n\n## Quiet days\n\n{quiet}\n\n## Swaps\n\n{swaps}\n")


if __name__ == "__main__":
    main()
