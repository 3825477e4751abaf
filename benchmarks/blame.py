"""How often blame names the planted parts of synthetic pull requests, how often an innocent one, with how many calls.

    python -m benchmarks.blame            600 pull requests of each kind, two minutes on one core
    python -m benchmarks.blame --of 20    without writing benchmarks/results/blame.md

Each pull request is a test set of the gate's own model (benchmarks/gate_models.py), whose change has 2 to 20 parts. One
part improves the other cases. The planted parts break some: one part, two that break cases of their own, or two that
break cases only together. The gate decides first. Where it doesn't approve, the search runs on the cases that it found
to be broken, and every answer is drawn anew. Without a planted part, the search is forced on the cases that looked
worst by chance.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.gate_drive import plan, play
from benchmarks.gate_models import World, base, gain
from engine.blame.search import Found, Search, search
from engine.blame.trials import Scores, Trial, Trials, Undone
from schemas.effects import CaseOutcome
from schemas.gate_config import GateConfig
from schemas.verdicts import VerdictStatus

SAID = {
    "one": "one part",
    "two": "two, each with cases of its own",
    "together": "two that break only together",
    "none": "none",
}
KINDS = tuple(SAID)
MOST_CASES, OTHERS = 12, 40
OF, FROM = 600, 10_000
RESULTS = Path(__file__).parent / "results/blame.md"
PAGE = Path(__file__).parents[1] / "docs/how-it-decides.md"
BEGIN, END = "<!-- blame: begin, written by `python -m benchmarks.blame` -->", "<!-- blame: end -->"


@dataclass
class Planted:
    """A synthetic change: which parts break which cases."""

    world: World
    units: int
    groups: tuple[tuple[Undone, np.ndarray], ...]
    """Parts that break these cases, if none of them is reverted."""
    left: float
    """What is left of a broken case's chance to pass."""
    good: int
    """The part that improves other cases."""
    improved: np.ndarray

    def chance(self, undone: Undone) -> np.ndarray:
        """Returns the chance to pass by case, with some parts reverted."""
        chance = np.where(self.improved & (self.good not in undone), 1.0, self.world.old[:, 0])
        for parts, cases in self.groups:
            if not parts & undone:
                chance[cases] *= self.left
        return chance


def planted(kind: str, rng: np.random.Generator) -> Planted:
    """Returns a change of a kind."""
    world = base(int(rng.integers(60, 300)), rng)
    units = int(rng.integers(3, 21))
    names, passing = np.array(world.slices), world.old[:, 0] > 0.8
    order = rng.permutation(units).tolist()
    share = {"one": (1,), "two": (1, 1), "together": (2,), "none": ()}[kind]
    groups = []
    free = passing & (names != "typical") if rng.random() < 0.5 else passing.copy()
    for size in share:
        parts = frozenset(order.pop() for _ in range(size))
        hit = free & (rng.random(len(names)) < rng.uniform(0.15, 0.6))
        free &= ~hit
        groups.append((parts, np.flatnonzero(hit)))
    world.new = world.old.copy()
    gain(world, 0.04, "adversarial")
    improved = (world.new != world.old)[:, 0]
    found = Planted(world, units, tuple(groups), float(rng.uniform(0, 0.3)), order.pop(), improved)
    world.new = found.chance(frozenset())[:, None]
    return found


@dataclass
class Result:
    """What became of one pull request."""

    kind: str
    units: int
    status: str
    seen: bool
    """Whether the gate did not approve, and found broken cases of every planted group."""
    right: bool
    false: bool
    """Whether a part was named that changes nothing in the broken cases."""
    calls: int
    gate_calls: int
    said: str


def judged(kind: str, number: int) -> Result:
    """Plays one pull request through the gate and the search."""
    rng = np.random.default_rng(int(hashlib.sha256(f"{kind} {number}".encode()).hexdigest()[:12], 16))
    change = planted(kind, rng)
    change.world.rng = rng
    decision, tally = play(change.world, plan(change.world, GateConfig(), 999, f"{kind} {number}"))
    results = decision.case_results
    broken = [n for n, case in enumerate(results) if case.result is CaseOutcome.REGRESSED]
    broken.sort(key=lambda n: (not results[n].confirmed, results[n].change))
    if kind == "none":
        # Those that fell in one noisy comparison, so that they look broken and aren't.
        before, after = (change.world.draw(change.world.old)[:, 0] for _ in range(2))
        broken = [n for n in range(len(results)) if before[n] > after[n]]
    broken = broken[:MOST_CASES]
    stopped = decision.status in (VerdictStatus.BLOCKED, VerdictStatus.NEEDS_REVIEW)
    hit = [np.isin(cases, broken).any() for _, cases in change.groups]
    seen = stopped and bool(broken) and all(hit)
    status = decision.status.value
    if not broken or not (stopped or kind == "none"):
        return Result(kind, change.units, status, False, False, False, 0, 0, "")
    others = [n for n in range(len(results)) if n not in broken][:: max(1, len(results) // OTHERS)][:OTHERS]
    found, calls = searched(change, [*broken, *others], len(broken), rng)
    named = [frozenset(culprit.units) for culprit in found.culprits]
    guilty = frozenset(unit for parts, _ in change.groups for unit in parts)
    return Result(
        kind,
        change.units,
        status,
        seen,
        frozenset().union(*named) == guilty and (kind != "together" or found.either),
        bool(frozenset().union(*named) - guilty),
        calls,
        round(2 * tally.calls * len(results)),
        str([sorted(units) for units in named]),
    )


def searched(change: Planted, cases: Sequence[int], broken: int, rng: np.random.Generator) -> tuple[Found, int]:
    """Runs the search, whose answers are drawn from the planted chances; returns what it found, and its calls."""
    trials, found = Trials(1), Found()

    def answer(trial: Trial) -> Scores:
        chance = change.chance(trial.undone)
        return {(case, run): float(rng.random() < chance[cases[case]]) for case in trial.cases for run in trial.runs}

    return found, lead(search(change.units, broken, len(cases) - broken, trials, found), answer)


def lead(conversation: Search, answer: Callable[[Trial], Scores]) -> int:
    """Leads a search to its end; returns the number of its calls."""
    calls = 0
    try:
        asked = next(conversation)
        while True:
            calls += sum(len(trial.cases) * len(trial.runs) for trial in asked)
            asked = conversation.send([answer(trial) for trial in asked])
    except StopIteration:
        return calls


def table(results: Sequence[Result]) -> str:
    """Returns the rows of the report."""
    heads = (
        "planted, not approved, effect seen, named right, innocent named, calls (median), calls (90%), the gate's calls"
    )
    rows = [heads.split(", "), ["---"] * 8]
    for kind in KINDS:
        of = [one for one in results if one.kind == kind]
        ran, seen = [one for one in of if one.calls], [one for one in of if one.seen]
        calls = [one.calls for one in ran] or [0]
        rows.append(
            [
                SAID[kind],
                f"{sum(one.status in ('blocked', 'needs_review') for one in of)} of {len(of)}",
                str(len(seen)),
                f"{sum(one.right for one in seen)} of {len(seen)}" if seen else "–",
                f"{sum(one.false for one in ran)} of {len(ran)}",
                f"{np.median(calls):.0f}",
                f"{np.quantile(calls, 0.9):.0f}",
                f"{np.median([one.gate_calls for one in ran] or [0]):.0f}",
            ]
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


PREFACE = """# Blame, simulated

{of} pull requests of each kind. A test set has 60 to 300 cases of the gate's own model (`benchmarks/gate_models.py`),
and the change 3 to 20 parts. One part fixes cases. The planted parts break 15 to 60% of the passing cases (of all
slices, or of all but *typical*), whose chance to pass falls to between 0 and 30% of what it was. The gate decides
first; where it doesn't approve, the search runs on at most 12 of the cases that regressed. The search was tuned with
other seeds.

*Effect seen*: the verdict is blocked or needs review, and a case of every planted group is among those 12. *Named
right*: exactly the planted parts, and for two that break only together also that. *Innocent named*: a part that changes
nothing in the broken cases. Without a planted part the gate approves, so the search is forced on cases that fell in one
noisy comparison. No answer comes from a store. At $1 per 1,000 calls, 260 calls cost $0.26. Made by
`python -m benchmarks.blame`.

"""


def with_table(page: str, rows: str) -> str:
    """Returns the page with these rows between its marks."""
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:start]}\n{rows}{page[end:]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=int)
    parser.add_argument("--misses", action="store_true", help="list what was named wrongly")
    options = parser.parse_args()
    results = [judged(kind, FROM + number) for kind in KINDS for number in range(options.of or OF)]
    if options.misses:
        for one in results:
            if (one.seen and not one.right) or one.false:
                print(one, file=sys.stderr)
    print(table(results))
    if options.of is None:
        RESULTS.write_text(PREFACE.format(of=OF) + table(results), encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(page, table(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
