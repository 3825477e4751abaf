"""How often failure patterns that were planted are found, and how often one is found in shuffled data.

    python -m benchmarks.patterns           400 test sets of each kind, three minutes on one core
    python -m benchmarks.patterns --of 20   without writing benchmarks/results/patterns.md

Inputs are the examples' own support tickets. Planted: 8 to 16 cases break, of which 70% hold two words that a few of
the others hold too. Shuffled: the broken cases are drawn at random, and the answers of the two arms are exchanged at
random, case by case.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

from engine.patterns.patterns import patterns
from schemas.blame import Pattern
from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.testsets import TestCase

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/patterns.md"
TICKETS = ROOT / "examples/tests/prompts/support.jsonl"
OF = 400
PLANTED = "quartz lantern"


@cache
def tickets() -> tuple[TestCase, ...]:
    return tuple(
        TestCase(id=row["id"], inputs={"input": row["input"]}, expected=row["expected"], slices=tuple(row["slices"]))
        for row in map(json.loads, TICKETS.read_text(encoding="utf-8").splitlines())
    )


def rng_of(name: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))


def planted(number: int) -> bool:
    """Returns whether the planted words are named."""
    rng = rng_of(f"planted {number}")
    cases = list(tickets())
    broken = rng.choice(len(cases), int(rng.integers(8, 17)), replace=False)
    others = np.setdiff1d(np.arange(len(cases)), broken)
    holding = [*broken[: round(0.7 * len(broken))], *rng.choice(others, len(others) // 20, replace=False)]
    for n in holding:
        inputs = {name: f"{text} The {PLANTED} is there." for name, text in cases[n].inputs.items()}
        cases[n] = cases[n].model_copy(update={"inputs": inputs})
    return any(PLANTED in one.sentence for one in found(cases, set(broken.tolist()), rng, number))


def shuffled_finds(number: int) -> bool:
    """Returns whether anything is found where only chance is."""
    rng = rng_of(f"shuffled {number}")
    broken = rng.choice(len(tickets()), int(rng.integers(3, 25)), replace=False)
    return bool(found(tickets(), set(broken.tolist()), rng, number))


def found(
    cases: tuple[TestCase, ...] | list[TestCase], broken: set[int], rng: np.random.Generator, seed: int
) -> tuple[Pattern, ...]:
    labels = sorted({str(case.expected) for case in cases})
    effects = []
    for n, case in enumerate(cases):
        right, wrong = str(case.expected), str(rng.choice(labels))
        # Some cases differ between the arms, in a random direction: that is no confusion.
        pair = (wrong, right) if rng.random() < 0.5 else (right, wrong)
        was, given = pair if n in broken or rng.random() < 0.1 else (right, right)
        arms = [(Answer(text=text, count=1, of=1, score=1.0),) for text in (was, given)]
        effects.append(
            CaseEffect(
                id=case.id,
                slices=case.slices,
                expected=case.expected,
                baseline=arms[0],
                candidate=arms[1],
                change=-1.0 if n in broken else 0.0,
                result=CaseOutcome.REGRESSED if n in broken else CaseOutcome.NO_CHANGE,
            )
        )
    return patterns(cases, effects, (), metrics=(), clusters=[case.cluster for case in cases], labels=labels, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=int)
    options = parser.parse_args()
    of = options.of or OF
    hits, false = sum(planted(n) for n in range(of)), sum(shuffled_finds(n) for n in range(of))
    text = (
        f"# Failure patterns\n\n{of} test sets each, of the examples' {len(tickets())} support tickets.\n\n"
        f"| data | a pattern is found |\n|---|---|\n"
        f"| planted: 70% of 8 to 16 broken cases hold two words that 5% of the others hold too | {hits} of {of} |\n"
        f"| shuffled: 3 to 24 cases are called broken at random, and the answers of the arms are exchanged at random "
        f"| {false} of {of} |\n\nMade by `python -m benchmarks.patterns`.\n"
    )
    print(text)
    if options.of is None:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
