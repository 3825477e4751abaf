"""Measures whether our own examples behave as the gate's simulation assumes.

    python -m benchmarks.flips                 three staged pull requests, 24 runs of both arms (about a minute)
    python -m benchmarks.flips --runs 100

The table is kept in ``benchmarks/results/flips.md``.

Shows for each lineage, with the offline model at its own temperature, the share of cases that differ between two
identical runs (the planning variance) and the share that ever differ by 30 points. It fits a Beta(a, b) to the cases'
chances to pass, with the goodness of fit. A small a + b means that most cases nearly always pass or nearly always fail.
The churn of a staged change is the share of cases whose chance moves by more than 30 points although the mean hardly
moves.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
from pathlib import Path

import numpy as np

from benchmarks.staged import Staged

RESULTS = Path(__file__).parent / "results" / "flips.md"
PREFACE = """# Our own examples, run again and again

{count} runs of both arms of three staged pull requests of `examples/`, with the offline model at its own temperature:
a toy that answers from rules and chance. No figure here comes from a real model; `benchmarks/recorded.py` replays
recorded answers of real ones.

The simulation assumes a + b = 0.3, 6% of cases that differ between two identical runs, and 8% churn. Default margins
assume a variance of 0.12. The one classification example is a little quieter and more polarised than that, and a Beta
fits it. Graded examples vary less still. So margins come out wider, never narrower, than these cases need.

"""

PULLS = (
    ("reworded-triage", "support-triage"),
    ("explained-match", "resume-match"),
    ("cheaper-model", "outreach-email"),
)
CHURN = 0.30


async def runs(staged: Staged, count: int) -> np.ndarray:
    """Returns ``[arms, runs, cases]``: the first metric."""
    arms = staged.requests(0)
    table = np.empty((2, count, len(staged.cases)))
    for arm in (0, 1):
        for run in range(count):
            for i, case in enumerate(staged.cases):
                scores, _ = await staged.cell(arms[arm][i], case, run)
                table[arm, run, i] = scores[0]
    return table


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def likelihood(passes: np.ndarray, of: int, a: float, b: float) -> float:
    """Returns the log-likelihood of counts of passes under a beta-binomial model."""
    return sum(log_beta(k + a, of - k + b) - log_beta(a, b) for k in passes.tolist())


def fit(passes: np.ndarray, of: int) -> tuple[float, float]:
    """Returns mean and concentration a + b of the best Beta, on a grid."""
    grid = [(m, s) for m in np.linspace(0.02, 0.98, 49) for s in np.geomspace(0.02, 50, 60)]
    return max(grid, key=lambda g: likelihood(passes, of, g[0] * g[1], (1 - g[0]) * g[1]))


def pearson(passes: np.ndarray, of: int, mean: float, concentration: float) -> tuple[np.ndarray, np.ndarray]:
    """Cases that never, sometimes, mostly and always pass: seen, and expected under the fit."""
    a, b = mean * concentration, (1 - mean) * concentration
    chance = np.array(
        [math.comb(of, k) * math.exp(log_beta(k + a, of - k + b) - log_beta(a, b)) for k in range(of + 1)]
    )
    edges = (0, 1, of // 2 + 1, of, of + 1)
    seen = [int(((passes >= lo) & (passes < hi)).sum()) for lo, hi in itertools.pairwise(edges)]
    expected = [len(passes) * chance[lo:hi].sum() for lo, hi in itertools.pairwise(edges)]
    return np.array(seen), np.array(expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24)
    count = parser.parse_args().runs
    heads = ("lineage", "cases", "mean", "disagree between two runs", "ever differ by 30 points",
             "variance of a difference", "churn", "fitted a + b", "never / < half / ≥ half / always: seen",
             "expected")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for pull, lineage in PULLS:
        table = asyncio.run(runs(Staged(pull, lineage), count))
        variance = float(2 * table[0].var(axis=0, ddof=1).mean())
        moved = np.abs(table[1].mean(axis=0) - table[0].mean(axis=0)) > CHURN
        differ = np.abs(table[0][:, None] - table[0][None, :]).max(axis=(0, 1)) >= CHURN
        row = [lineage, str(table.shape[2]), f"{table[0].mean():.2f}", "", f"{differ.mean():.0%}", f"{variance:.3f}",
               f"{moved.mean():.1%}", "", "", ""]  # fmt: skip
        if set(np.unique(table)) <= {0.0, 1.0}:
            passes = table[0].sum(axis=0).astype(int)
            share = passes / count
            mean, concentration = fit(passes, count)
            seen, expected = pearson(passes, count, mean, concentration)
            row[3] = f"{(2 * share * (1 - share)).mean() * count / (count - 1):.1%}"
            row[7:] = [f"{concentration:.2f}", "/".join(map(str, seen)), "/".join(f"{e:.0f}" for e in expected)]
        lines.append(f"| {' | '.join(row)} |")
    print("\n".join(lines))
    RESULTS.write_text(PREFACE.format(count=count) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
