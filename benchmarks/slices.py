"""Suggested slices against the hand labels of the examples: ``python -m benchmarks.slices``.

All labels are removed, or a random half, 40 times. The model isn't measured here: that takes a real one.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from engine.readers.testsets import read_test_set
from engine.slices.suggestions import Suggestion, free_sources, suggestions
from schemas.testsets import TestSet

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "slices.md"
SETS = ("support", "resume", "outreach")
SPLITS = 40
NEIGHBORS = (
    "Each labeled case that the rules leave open, by its nearest other cases. None is suggested: similar texts aren't "
    "in similar slices here, so the vote is no better than the most frequent slice."
)
CONDITIONS = (
    "The three example test sets with their slices removed. The rules were written with these sets in view: their "
    "figures are the best case."
)


def test_set(name: str) -> TestSet:
    path = ROOT / "examples" / "tests" / "prompts" / f"{name}.jsonl"
    return read_test_set(path.name, path.read_bytes())


def suggested(tests: TestSet, hidden: set[str]) -> tuple[Suggestion, ...]:
    """Returns the suggestions for the cases whose slices are hidden."""
    cases = tuple(case.model_copy(update={"slices": ()}) if case.id in hidden else case for case in tests.cases)
    free = free_sources(tests.model_copy(update={"cases": cases}))
    return suggestions(free.unlabeled, (free.rules, free.neighbors))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=SPLITS)
    options = parser.parse_args()
    lines = [
        "# Suggested slices",
        "",
        CONDITIONS,
        "",
        "| test set | removed | source | slice | right | of all cases in that slice |",
        "|---|---|---|---|---|---|",
    ]
    inside: Counter[str] = Counter()
    stated: dict[str, list[tuple[float, float]]] = {}
    for name in SETS:
        tests = test_set(name)
        truth = {case.id: case.slices for case in tests.cases}
        held = Counter(slice_ for slices in truth.values() for slice_ in slices)
        for removed, splits in (("all", 1), ("half", options.splits)):
            right, of = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
            for split in range(splits):
                rng = np.random.default_rng(split)
                ids = [case.id for case in tests.cases]
                hidden = set(ids) if removed == "all" else set(rng.choice(ids, len(ids) // 2, replace=False).tolist())
                found = suggested(tests, hidden)
                of.update((one.source, one.slice) for one in found)
                right.update((one.source, one.slice) for one in found if one.slice in truth[one.case.id])
                if removed == "half":
                    tally(found, truth, stated, inside)
            for key in sorted(of):
                share = f"{right[key] / splits:.1f} of {held[key[1]] * (1 if removed == 'all' else 0.5):.1f}"
                lines.append(
                    f"| {name} | {removed} | {key[0]} | {key[1]} | {right[key]:,} of {of[key]:,} "
                    f"({right[key] / of[key]:.0%}) | {share} |"
                )
    lines += ["", "## Neighbors", "", NEIGHBORS, "", "| test set | slice | right | cases in it |", "|---|---|---|---|"]
    for name in SETS:
        free = free_sources(test_set(name))
        lines += [
            f"| {name} | {slice_} | {one.right} of {one.of} ({one.rate:.0%}) | {one.share:.0%} |"
            for slice_, one in sorted(free.neighbors.measured.items())
        ]
    lines += [
        "",
        "## Confidence",
        "",
        "After half of the labels are removed: what the labeled half says, and what is true of the hidden half.",
        "",
        "| source | slice | stated | true | splits | true share inside the stated interval |",
        "|---|---|---|---|---|---|",
    ]
    for name, pairs in sorted(stated.items()):
        said, true = np.mean(pairs, axis=0)
        lines.append(
            f"| {name.replace(':', ' | ')} | {said:.0%} | {true:.0%} | {len(pairs)} | {inside[name] / len(pairs):.0%} |"
        )
    lines += ["", "Made by `python -m benchmarks.slices`.", ""]
    print("\n".join(lines))
    if options.splits == SPLITS:
        RESULTS.write_text("\n".join(lines), encoding="utf-8")


def tally(
    found: tuple[Suggestion, ...],
    truth: dict[str, tuple[str, ...]],
    stated: dict[str, list[tuple[float, float]]],
    inside: Counter[str],
) -> None:
    """Adds the stated and the true precision of each source and slice of one split."""
    for key in {(one.source, one.slice) for one in found}:
        its = [one for one in found if (one.source, one.slice) == key]
        measured = its[0].measured
        if measured.rate is None or measured.interval is None:
            continue
        true = float(np.mean([one.slice in truth[one.case.id] for one in its]))
        name = ":".join(key)
        stated.setdefault(name, []).append((measured.rate, true))
        low, high = measured.interval
        inside[name] += low - 1e-9 <= true <= high + 1e-9


if __name__ == "__main__":
    main()
