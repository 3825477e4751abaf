"""Do we evaluate promptfoo's assertions as promptfoo does? Asks both about the pairs of tests/promptfoo/pairs.yaml.

    python -m benchmarks.promptfoo_reference            compares, and prints the table
    python -m benchmarks.promptfoo_reference --write    also records what promptfoo says, for the tests

promptfoo is installed into .bench/, once, and is no dependency of ours. The table is kept in
benchmarks/results/promptfoo.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.promptfoo.pairs import ANSWERS, Answer, Pair, ours, pairs, written

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".bench/promptfoo"
VERSION = "0.123.1"
HEAD = f"""# promptfoo's assertions

What we say about an output, compared with promptfoo {VERSION}. The pairs are in `tests/promptfoo/pairs.yaml`.
Made by `python -m benchmarks.promptfoo_reference --write`.

"""


def install() -> None:
    """Installs promptfoo without running scripts of its packages."""
    if not (HOME / "node_modules/promptfoo").is_dir():
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / "package.json").write_text("{}")
        options = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "install", *options, f"promptfoo@{VERSION}"], cwd=HOME, check=True)


def theirs(asked: Sequence[Pair]) -> list[Answer]:
    """Returns what promptfoo says."""
    install()
    given = [{**pair.test, "output": pair.output} for pair in asked]
    command = ["node", str(ROOT / "benchmarks/peers/promptfoo.mjs")]
    done = subprocess.run(command, input=json.dumps(given), cwd=HOME, capture_output=True, text=True, check=True)
    answers: list[Answer] = json.loads(done.stdout)
    return answers


def main() -> None:
    """Compares, prints, and records on demand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    asked = list(pairs())
    answers = theirs(asked)
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    explained: dict[str, set[str]] = defaultdict(set)
    unexplained = []
    for pair, answer in zip(asked, answers, strict=True):
        mine = ours(pair)
        rows[pair.group][0] += 1
        rows[pair.group][1] += mine == answer
        if mine != answer:
            if pair.why is None:
                unexplained.append(f"{pair.test} {pair.output!r}: ours {mine}, theirs {answer}")
            else:
                explained[pair.group].add(pair.why)
    lines = ["| assertions | pairs | the same | differences explained |", "|---|---|---|---|"]
    for group, (count, same) in rows.items():
        lines.append(f"| {group} | {count} | {same} | {'; '.join(sorted(explained[group])) or '-'} |")
    counts = [sum(row[index] for row in rows.values()) for index in (0, 1)]
    lines.append(f"| all | {counts[0]} | {counts[1]} | |")
    sys.stdout.write("\n".join([*lines, *unexplained]) + "\n")
    if write:
        ANSWERS.write_text(json.dumps(written(asked, answers), indent=1) + "\n")
        (ROOT / "benchmarks/results/promptfoo.md").write_text(HEAD + "\n".join(lines) + "\n")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
