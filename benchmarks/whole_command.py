"""Time and memory of whole commands by size: a monorepo of prompts, and test sets of up to 100,000 cases.

    python -m benchmarks.whole_command lineages --sizes 10,100,1000
    python -m benchmarks.whole_command cases --sizes 1000,100000 [--plan]

``lineages``: ``check`` where a pull request changes every prompt of the repository, each with 20 cases, with the
offline model. ``cases``: ``check`` (or ``plan``) of classification cases over HTTP, at a local provider that answers
at once. A test set has at most 20,000 cases, so more are several prompts.

Each size is a process of its own, in one run. CPU counts the command and its children, and is what to compare on a busy
machine; peak MB is that of the largest process. The last column is the CPU of each unit beyond the previous size: it
stays flat where the cost is in proportion to the size.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from action.exits import Exit
from benchmarks.job import LABELS
from benchmarks.throughput import Measured, measure, provider
from tests.repositories import Repository

CASES = 20
"""Cases of each prompt of the monorepo."""
MOST_CASES = 20_000
"""Cases of one test set."""
OVER_HTTP = (
    '{{provider: openai, model: fake-1, base_url: "{url}/v1", api_key_env: FAKE_KEY, '
    "price: {{input: 1, output: 4}}, parameters: {{temperature: 0, max_tokens: 16}}}}"
)
OFFLINE = "{provider: offline, model: offline-small}"
HEAD = """version: 1
models:
  small: {model}
defaults: {{model: small}}
run: {{max_concurrency: 64}}
budget: {{per_run_usd: 10000}}
gate: {{mode: fixed, repetitions: 1}}
lineages:
"""
LINEAGE = (
    "  {name}: {{use_case: classification, prompt: prompts/{name}.md, tests: tests/{name}.jsonl, labels: [{labels}]}}\n"
)
BASE = "You are assistant {at}. Sort the ticket: {labels}.\n{{{{ input }}}}\n"
CHANGED = "You are the assistant {at}. Sort the ticket below: {labels}.\n{{{{ input }}}}\n"


def repository(folder: Path, sizes: list[int], model: str) -> Repository:
    """Builds a repository with a prompt of each size in cases, and the branch ``change`` that edits all of them."""
    labels = ", ".join(LABELS)
    names = [f"p{at:04}" for at in range(len(sizes))]
    files = {
        "promptverdict.yaml": HEAD.format(model=model) + "".join(LINEAGE.format(name=n, labels=labels) for n in names)
    }
    for at, (name, size) in enumerate(zip(names, sizes, strict=True)):
        files[f"prompts/{name}.md"] = BASE.format(at=at, labels=labels)
        files[f"tests/{name}.jsonl"] = "".join(_case(at, case) for case in range(size))
    built = Repository(folder)
    built.commit(files)
    built.git("branch", "--force", "change", "main")
    built.commit(
        {f"prompts/{name}.md": CHANGED.format(at=at, labels=labels) for at, name in enumerate(names)}, branch="change"
    )
    return built


def _case(at: int, case: int) -> str:
    label = LABELS[case % len(LABELS)]
    text = f"Ticket {case} of {at}: a customer writes about an order of last week, route it to {label}"
    return json.dumps({"id": f"c{case}", "input": text, "expected": label, "slice": "typical"}) + "\n"


def check_or_plan(folder: Path, command: str) -> Measured:
    """Runs ``check`` or ``plan`` on the repository in ``folder``. Raises RuntimeError if it fails."""
    words = [sys.executable, "-m", "action", command, "--repo", str(folder / "repository")]
    words += ["--base", "main", "--head", "change"]
    if command == "check":
        words += ["--yes", "--store", str(folder / "outcomes.db"), "--output", str(folder / "out")]
    # Any verdict is fine, an error is not.
    return measure(words, folder, exits=(Exit.PASS, Exit.BLOCKED, Exit.INCONCLUSIVE, Exit.NEEDS_REVIEW))


def split(cases: int) -> list[int]:
    """Returns the sizes of the test sets that hold this number of cases together."""
    whole, rest = divmod(cases, MOST_CASES)
    return [MOST_CASES] * whole + [rest] * bool(rest)


def main() -> None:
    """Measures each size in turn and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unit", choices=["lineages", "cases"])
    parser.add_argument("--sizes", required=True)
    parser.add_argument("--plan", action="store_true", help="`plan` instead of `check`")
    given = parser.parse_args()
    command = "plan" if given.plan else "check"
    print(f"| {given.unit} | wall s | CPU s | peak MB | CPU ms of one more |\n|--:|--:|--:|--:|--:|")
    with provider(0) as url:
        before, cpu_s = 0, 0.0
        for size in map(int, given.sizes.split(",")):
            with tempfile.TemporaryDirectory() as name:
                if given.unit == "cases":
                    repository(Path(name, "repository"), split(size), OVER_HTTP.format(url=url))
                else:
                    repository(Path(name, "repository"), [CASES] * size, OFFLINE)
                found = check_or_plan(Path(name), command)
            more = 1000 * (found.cpu_s - cpu_s) / (size - before)
            print(
                f"| {size:,} | {found.wall_s:.1f} | {found.cpu_s:.1f} | {found.peak_mb:.0f} | {more:.2f} |", flush=True
            )
            before, cpu_s = size, found.cpu_s


if __name__ == "__main__":
    main()
