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
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.job import LABELS
from tests.repositories import Repository

ROOT = Path(__file__).parent.parent
CASES = 20
"""Cases of each prompt of the monorepo."""
MOST_CASES = 20_000
"""Cases of one test set."""
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


@dataclass(frozen=True)
class Measured:
    """The figures of one command."""

    wall_s: float
    cpu_s: float
    peak_mb: float


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


def measure(folder: Path, command: str) -> Measured:
    """Runs ``check`` or ``plan`` on the repository in ``folder``. Raises RuntimeError if it fails."""
    words = [sys.executable, "-m", "action", command, "--repo", str(folder / "repository")]
    words += ["--base", "main", "--head", "change"]
    if command == "check":
        words += ["--yes", "--store", str(folder / "outcomes.db"), "--output", str(folder / "out")]
    with (folder / "output.log").open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(words, cwd=ROOT, env={**os.environ, "FAKE_KEY": "k"}, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - started
    # Any verdict is fine, an error of the command is not.
    if (command == "plan" and status) or (command == "check" and not (folder / "out/report.html").exists()):
        raise RuntimeError((folder / "output.log").read_text(errors="replace")[-2000:])
    return Measured(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@contextmanager
def provider() -> Iterator[str]:
    """Starts the local provider and yields the configuration of its model."""
    command = [sys.executable, "-m", "tests.fakes.llm", "--latency-ms", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            yield (
                f'{{provider: openai, model: fake-1, base_url: "{url}", api_key_env: FAKE_KEY, '
                "price: {input: 1, output: 4}, parameters: {temperature: 0, max_tokens: 16}}"
            )
        finally:
            server.kill()


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
    over_http = given.unit == "cases"
    print(f"| {given.unit} | wall s | CPU s | peak MB | CPU ms of one more |\n|--:|--:|--:|--:|--:|")
    with provider() if over_http else nullcontext("{provider: offline, model: offline-small}") as model:
        before, cpu_s = 0, 0.0
        for size in map(int, given.sizes.split(",")):
            with tempfile.TemporaryDirectory() as name:
                repository(Path(name, "repository"), split(size) if over_http else [CASES] * size, model)
                found = measure(Path(name), command)
            more = 1000 * (found.cpu_s - cpu_s) / (size - before)
            print(
                f"| {size:,} | {found.wall_s:.1f} | {found.cpu_s:.1f} | {found.peak_mb:.0f} | {more:.2f} |", flush=True
            )
            before, cpu_s = size, found.cpu_s


if __name__ == "__main__":
    main()
