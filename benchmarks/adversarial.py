"""Replays adversarial pull requests through the command line: which are held, which get a wrong green, by kind.

    python -m benchmarks.adversarial [--workers 2] [--all] [WORD …]

Each case of ``adversarial_cases`` is a small git repository with a base and a head, and says which outcomes are
acceptable. A WORD picks the kinds and cases that hold it. The exit code is 1 if any case is broken.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import adversarial_cases
from benchmarks.adversarial_cases.attack import Attack, built
from benchmarks.adversarial_cases.model import Model
from tests.repositories import Repository

ROOT = Path(__file__).parent.parent
SECONDS = 300


@dataclass(frozen=True)
class Ran:
    """The product's result for one case."""

    kind: str
    attack: Attack
    outcome: str
    """A verdict's status; ``informed`` where a status that doesn't pass passes; ``refused`` without a scorecard;
    ``crashed`` with a traceback or after the time limit."""
    said: str
    seconds: float

    @property
    def held(self) -> bool:
        """Returns whether the outcome is acceptable and names what it must."""
        passing = self.outcome in ("approved", "not_applicable", "inconclusive")
        return self.outcome in self.attack.acceptable and (not passing or self.attack.names in self.said)


def cases(words: list[str]) -> Iterator[tuple[str, Attack]]:
    """Returns every case with its kind, or only those that contain one of the words."""
    for found in pkgutil.iter_modules(adversarial_cases.__path__):
        module = importlib.import_module(f"{adversarial_cases.__name__}.{found.name}")
        for attack in getattr(module, "ATTACKS", ()):
            if not words or any(word.lower() in f"{module.KIND}: {attack.name}".lower() for word in words):
                yield module.KIND, attack


def ran(kind: str, attack: Attack, model: str) -> Ran:
    """Builds the repository of a case and has it checked."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        built(attack, Repository(Path(folder) / "repository"), model)
        command = [sys.executable, "-m", "action", "check", "--repo", f"{folder}/repository", "--base", "main"]
        command += ["--head", "head", "--format", "json", "--yes", "--store", f"{folder}/store.sqlite3"]
        own = {"PATH": os.environ["PATH"], "HOME": folder, "HOUSE_KEY": "sk-local", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return Ran(kind, attack, "crashed", f"no verdict after {SECONDS} s", time.monotonic() - started)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    outcome, said = _outcome(done.returncode, out, err)
    return Ran(kind, attack, outcome, said, time.monotonic() - started)


def _outcome(code: int, out: str, err: str) -> tuple[str, str]:
    try:
        card = json.loads(out)
    except ValueError:
        crashed = "Traceback" in err or code not in (1, 2, 3)
        return "crashed" if crashed else "refused", err.strip()[-2_000:]
    texts = [card["title"], *(reason["sentence"] for reason in card["reasons"])]
    texts += [reason["sentence"] for lineage in card["lineages"] for reason in lineage["reasons"]]
    findings = [*card["warnings"], *(found for lineage in card["lineages"] for found in lineage["warnings"])]
    texts += [f"{found['where'] or ''}: {found['what']}" for found in findings]
    passing = card["status"] in ("approved", "not_applicable", "inconclusive")
    return "informed" if card["passes"] and not passing else card["status"], "\n".join(texts)


def table(results: list[Ran]) -> str:
    """Returns held and broken cases by kind, as Markdown."""
    kinds = dict.fromkeys(one.kind for one in results)
    lines = ["| kind | held | broken |", "|---|--:|--:|"]
    for kind in kinds:
        held = sum(one.held for one in results if one.kind == kind)
        of_kind = sum(one.kind == kind for one in results)
        lines.append(f"| {kind} | {held} | {of_kind - held} |")
    held = sum(one.held for one in results)
    return "\n".join([*lines, f"| **all** | **{held}** | **{len(results) - held}** |"])


def main() -> int:
    """Replays the cases, prints what broke and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only kinds and cases that contain it")
    parser.add_argument("--workers", type=int, default=2, help="cases at a time")
    parser.add_argument("--all", action="store_true", help="show the held cases too, and all that was said")
    asked = parser.parse_args()
    with Model() as model, ThreadPoolExecutor(asked.workers) as pool:
        started = [pool.submit(ran, kind, attack, model.url) for kind, attack in cases(asked.words)]
        results = []
        for one in (future.result() for future in started):
            results.append(one)
            if asked.all or not one.held:
                first = one.said if asked.all else one.said.partition("\n")[0][:160]
                print(f"{'held  ' if one.held else 'BROKEN'} {one.kind}: {one.attack.name}: {one.outcome} · {first}")
                sys.stdout.flush()
    print(f"\n{table(results)}")
    return 1 if any(not one.held for one in results) or not results else 0


if __name__ == "__main__":
    raise SystemExit(main())
