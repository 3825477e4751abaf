"""Replays recorded outcomes of real models through the gate and prints how often it blocks, approves or asks a person.

    python -m benchmarks.recorded --repeats runs.npz --rewordings prompts.npz
    promptverdict store export --outcomes > mine.csv && python -m benchmarks.recorded mine.csv

An ``.npz`` file holds one array of 0/1 (or scores in [0, 1]) a set. Its last axis is the items, the one before it the
rows. ``--repeats``: a row is a run of one prompt. ``--rewordings``: a row is a prompt, run once. An array ``NAME
sources`` names the cluster of each item of the set ``NAME``. A ``.csv`` file has the columns
``set,prompt,run,item,score`` and optionally ``source``; it may hold both kinds.

Each simulated pull request draws items without replacement. A share of 60 / 20 / 10 / 10% of them becomes the slices
typical, edge, known_failure and adversarial. Its first calls are two recorded rows; more runs of a cell are drawn from
the rows of the same prompt. Intervals are Wilson's, at 95%; pull requests of one set share its items, so that the
intervals are too narrow as statements about models that are not in the file.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from benchmarks.gate_drive import Tally, plan, play
from benchmarks.gate_models import SLICES, World
from schemas.gate_config import GateConfig, SlicePolicy

FLIPS = 999
SAME_QUALITY = 0.005
"""Two prompts whose means over all items differ by less are a rewording."""
COMPLETE = 0.9
"""Share of the items that a run must have. A run of fewer items, such as a partial re-run, is left out."""
DROP = (0.07, 0.15)
"""Pairs that differ by this much are a real regression."""
SLICE_DROP = 0.30
OUTCOMES = ("blocked", "inconclusive", "approved")
DEFAULT = GateConfig()
WATCHED = GateConfig(adversarial=SlicePolicy.WATCH)


@dataclass(frozen=True)
class Recording:
    """One set: every prompt's runs over the same items."""

    name: str
    prompts: tuple[np.ndarray, ...]
    """By prompt: ``[runs, items]`` in [0, 1]; NaN: not recorded."""
    sources: np.ndarray | None = None
    """``[items]``: the cluster of each item."""


@dataclass
class Replayed(World):
    """A pull request whose answers are recorded ones."""

    rows: tuple[np.ndarray, np.ndarray] = field(default=(np.zeros((1, 0)), np.zeros((1, 0))))
    """By arm: ``[runs, cases]``; the first row is the first answer to each case."""

    def scores(self, cases: np.ndarray, arms: np.ndarray, repetitions: np.ndarray) -> np.ndarray:
        """Returns one recorded answer for each cell: the first row for the first repetition, else any row."""
        result = np.empty((len(cases), 1))
        for arm in (0, 1):
            mine = arms == arm
            row = self.rng.integers(0, len(self.rows[arm]), int(mine.sum()))
            row[repetitions[mine] == 0] = 0
            result[mine, 0] = self.rows[arm][row, cases[mine]]
        return result


Make = Callable[[Recording, int, np.random.Generator], Replayed | None]


def load(path: Path, *, repeats: bool) -> list[Recording]:
    """Returns the sets of a file, by name. Raises ValueError for a file without any."""
    found = list(_read_csv(path) if path.suffix == ".csv" else _read_npz(path, repeats=repeats))
    if not found:
        raise ValueError(f"{path}: no set of outcomes; an .npz array is [rows, items] of numbers from 0 to 1")
    return found


def _read_npz(path: Path, *, repeats: bool) -> Iterator[Recording]:
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            if name.endswith(" sources"):
                continue
            values = arrays[name].astype(float)
            if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
                raise ValueError(f"{path}: {name}: not a table [rows, items] of numbers from 0 to 1")
            sources = arrays[f"{name} sources"] if f"{name} sources" in arrays.files else None
            yield Recording(name, (values,) if repeats else tuple(row[None] for row in values), sources)


def _read_csv(path: Path) -> Iterator[Recording]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        items = {item: k for k, item in enumerate(dict.fromkeys(row["item"] for row in mine))}
        by_prompt: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
        sources = np.array([""] * len(items), dtype=object)
        for row in mine:
            by_prompt[row["prompt"]][row["run"]][items[row["item"]]] = float(row["score"])
            sources[items[row["item"]]] = row.get("source") or f"item {row['item']}"
        tables = []
        for runs in by_prompt.values():
            table = np.full((len(runs), len(items)), np.nan)
            for k, scores in enumerate(runs.values()):
                table[k, list(scores)] = list(scores.values())
            complete = table[(~np.isnan(table)).mean(axis=1) >= COMPLETE]
            tables += [complete] if len(complete) else []
        yield Recording(name, tuple(tables), sources if any(row.get("source") for row in mine) else None)


def _world(
    recording: Recording, arms: tuple[np.ndarray, np.ndarray], n: int, rng: np.random.Generator
) -> Replayed | None:
    """Draws ``n`` items that both arms have, or ``None`` where there are too few."""
    both = np.flatnonzero(~np.isnan(arms[0]).any(axis=0) & ~np.isnan(arms[1]).any(axis=0))
    if len(both) < n:
        return None
    items = rng.choice(both, n, replace=False)
    names = [name for name, share, _ in SLICES for _ in range(round(share * n))]
    clusters = [None] * n if recording.sources is None else [f"s{recording.sources[i]}" for i in items]
    rows = (arms[0][:, items], arms[1][:, items])
    old, new = (each.mean(axis=0)[:, None] for each in rows)
    return Replayed(slices=names, old=old, new=new, clusters=clusters, rng=rng, rows=rows)


def same_prompt(recording: Recording, n: int, rng: np.random.Generator) -> Replayed | None:
    """Simulates no change: both arms are runs of one prompt."""
    repeated = [runs for runs in recording.prompts if len(runs) > 1]
    if not repeated:
        return None
    runs = repeated[int(rng.integers(len(repeated)))]
    first = rng.permutation(len(runs))
    return _world(recording, (runs[first], runs[np.roll(first, -1)]), n, rng)


PAIRS: dict[tuple[str, float, float], list[tuple[int, int]]] = {}
"""Pairs of prompts by set and distance, found once."""


def _pairs(recording: Recording, low: float, high: float) -> list[tuple[int, int]]:
    """Returns ordered pairs of prompts of which the second is worse by ``low`` to ``high`` (over common items)."""
    means = [np.nanmean(runs, axis=0) for runs in recording.prompts]
    found = []
    for a, b in itertools.permutations(range(len(means)), 2):
        both = ~np.isnan(means[a]) & ~np.isnan(means[b])
        if both.any() and low <= float((means[a] - means[b])[both].mean()) < high:
            found.append((a, b))
    return found


def reworded(
    recording: Recording,
    n: int,
    rng: np.random.Generator,
    *,
    between: tuple[float, float] = (-SAME_QUALITY, SAME_QUALITY),
    slice_drop: float = 0.0,
    slices: bool = True,
) -> Replayed | None:
    """Simulates another prompt of about the same quality, or one that is worse by an amount ``between``.

    ``slice_drop``: in addition, adversarial cases fail for good until their mean falls by this.
    """
    key = (recording.name, *between)
    if key not in PAIRS:
        PAIRS[key] = _pairs(recording, *between)
    pairs = PAIRS[key]
    if not pairs:
        return None
    a, b = pairs[int(rng.integers(len(pairs)))]
    world = _world(recording, (recording.prompts[a], recording.prompts[b]), n, rng)
    if world is None:
        return None
    if slice_drop:
        rows = world.rows[1]
        inside = np.flatnonzero(np.array(world.slices) == "adversarial")
        pool = rng.permutation(inside[(world.old[inside, 0] > 0.5) & (rows[0, inside] > 0.5)])
        rows[:, pool[: round(slice_drop * len(inside))]] = 0
        world.new = rows.mean(axis=0)[:, None]
    if not slices:
        world.slices = [""] * n
    return world


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    make: Make
    sizes: tuple[int, ...] = (100, 200)
    gate: GateConfig = DEFAULT
    history: bool = False


CASES = (
    Case("same prompt", same_prompt, (30, 100, 200)),
    Case("rewording of equal quality", reworded),
    Case("the same, 8 stored runs", reworded, history=True),
    Case("the same, adversarial watched", reworded, gate=WATCHED),
    Case("the same, no slices", partial(reworded, slices=False)),
    Case("the same, and adversarial −30", partial(reworded, slice_drop=SLICE_DROP)),
    Case("real drop of 7 to 15 points", partial(reworded, between=DROP)),
    Case("real drop of 7 to 15 points, no slices", partial(reworded, between=DROP, slices=False)),
)


def run(job: tuple[Recording, Case, int, int]) -> tuple[str, str, int, Counter, float]:
    """Returns the results of the pull requests of one cell: by status, and the calls."""
    recording, case, n, pulls = job
    found: Counter = Counter()
    calls = 0.0
    for k in range(pulls):
        seed = int.from_bytes(hashlib.sha256(f"{recording.name} {n} {k}".encode()).digest()[:8], "big")
        world = case.make(recording, n, np.random.default_rng(seed))
        if world is None:
            break
        decision, tally = _played(world, case, f"{recording.name} {case.name} {n} {k}")
        found[decision] += 1
        calls += tally.calls
    return recording.name, case.name, n, found, calls


def _played(world: Replayed, case: Case, name: str) -> tuple[str, Tally]:
    decision, tally = play(world, plan(world, case.gate, FLIPS, name, history=case.history))
    return decision.status.value, tally


def interval(hits: int, of: int) -> str:
    """Returns a share in percent with Wilson's 95% interval."""
    if not of:
        return "-"
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return f"{100 * share:.1f} ({100 * max(middle - half, 0):.1f}-{100 * min(middle + half, 1):.1f})"


HEADS = ("pull request", "n", "of", "blocked", "needs review", "too few cases", "approved", "calls")


def table(results: list[tuple[str, str, int, Counter, float]], *, by_set: bool) -> str:
    """Returns a table of blocked, needs review, too few cases and approved in percent, and calls by case and arm."""
    heads = ("set", *HEADS) if by_set else HEADS
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    sets = dict.fromkeys(result[0] for result in results) if by_set else [""]
    for name, kind, n in [(name, case.name, n) for case in CASES for n in case.sizes for name in sets]:
        mine = [r for r in results if r[1:3] == (kind, n) and name in ("", r[0])]
        seen = sum((r[3] for r in mine), Counter())
        of = sum(seen.values())
        if of:
            other = of - seen["blocked"] - seen["needs_review"] - seen["approved"]
            shares = [interval(k, of) for k in (seen["blocked"], seen["needs_review"], other, seen["approved"])]
            row = [kind, str(n), f"{of:,}", *shares, f"{sum(r[4] for r in mine) / of:.2f}"]
            lines.append(f"| {' | '.join([name, *row] if by_set else row)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help=".csv files")
    parser.add_argument("--repeats", action="append", default=[], type=Path)
    parser.add_argument("--rewordings", action="append", default=[], type=Path)
    parser.add_argument("--pulls", type=int, default=500, help="pull requests a set, kind and size")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    recordings = [
        recording
        for paths, repeats in ((given.files, False), (given.repeats, True), (given.rewordings, False))
        for path in paths
        for recording in load(path, repeats=repeats)
    ]
    if not recordings:
        parser.error("name at least one file")
    jobs = [(r, case, n, given.pulls) for case in CASES for n in case.sizes for r in recordings]
    with Pool(given.processes) as pool:
        results = pool.map(run, jobs, chunksize=1)
    print(table(results, by_set=False), table(results, by_set=True), sep="\n\n")


if __name__ == "__main__":
    main()
