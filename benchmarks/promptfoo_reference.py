"""Do we read and evaluate as promptfoo does? Asks both about the pairs and configurations of tests/promptfoo.

    python -m benchmarks.promptfoo_reference            compares, and prints the table
    python -m benchmarks.promptfoo_reference --write    also records what promptfoo says, for the tests

promptfoo is installed into .bench/, once, and is no dependency of ours. The table is kept in
benchmarks/results/promptfoo.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.promptfoo.configurations import NAME, RECORDED, Echoes, corpus, echoed
from tests.promptfoo.pairs import ANSWERS, Answer, Pair, ours, pairs, written

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".bench/promptfoo"
VERSION = "0.123.1"
HEAD = f"""# promptfoo

What we say about an output, compared with promptfoo {VERSION}. The pairs are in `tests/promptfoo/pairs.yaml`, the
configurations in `configurations.yaml` beside it. Made by `python -m benchmarks.promptfoo_reference --write`.

"""


def install() -> None:
    """Installs promptfoo without running scripts of its packages."""
    if not (HOME / "node_modules/promptfoo").is_dir():
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / "package.json").write_text("{}")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "install", *options, f"promptfoo@{VERSION}"], cwd=HOME, check=True)


def theirs(asked: Sequence[Pair]) -> list[Answer]:
    """Returns what promptfoo says."""
    install()
    given = [{**pair.test, "output": pair.output} for pair in asked]
    command = ["node", str(ROOT / "benchmarks/peers/promptfoo.mjs")]
    done = subprocess.run(command, input=json.dumps(given), cwd=HOME, capture_output=True, text=True, check=True)
    answers: list[Answer] = json.loads(done.stdout)
    return answers


def their_echoes(files: Mapping[str, str]) -> Echoes:
    """Returns what promptfoo sends to a provider that echoes, and whether the echo passes. The order is ours."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text)
        quiet = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1", "PROMPTFOO_CONFIG_DIR": folder}
        script = HOME / "node_modules/promptfoo/dist/src/main.js"
        options = ["--no-cache", "--no-write", "--no-table", "--no-progress-bar", "-j", "1", "-o", "out.json"]
        subprocess.run(
            ["node", str(script), "eval", "-c", NAME, *options],
            cwd=folder,
            env={**os.environ, **quiet},
            capture_output=True,
            check=False,  # it ends with 100 where a test fails
        )
        results = json.loads((Path(folder) / "out.json").read_text())["results"]["results"]
    # The order of the files of a pattern is that of the file system, so results are sorted.
    return sorted((result["response"]["output"], result["success"]) for result in results)


def _echoes(*, write: bool) -> tuple[str, list[str]]:
    """Returns a sentence about the configurations, and the differences."""
    theirs = {name: their_echoes(files) for name, files in corpus().items()}
    mine = {name: echoed(files) for name, files in corpus().items()}
    if write:
        RECORDED.write_text(json.dumps(theirs, indent=1) + "\n")
    differing = [f"{name}: ours {mine[name]}, theirs {theirs[name]}" for name in theirs if mine[name] != theirs[name]]
    tests = sum(map(len, theirs.values()))
    same = sum(len(theirs[name]) for name in theirs if mine[name] == theirs[name])
    return f"{len(theirs)} configurations give {tests} cases in promptfoo; {same} are the same here.", differing


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
    sentence, differing = _echoes(write=write)
    unexplained += differing
    sys.stdout.write("\n".join([*lines, "", sentence, *unexplained]) + "\n")
    if write:
        ANSWERS.write_text(json.dumps(written(asked, answers), indent=1) + "\n")
        (ROOT / "benchmarks/results/promptfoo.md").write_text(HEAD + "\n".join([*lines, "", sentence]) + "\n")
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
