"""How fast detection is: among 50,000 files, in one of 40 lineages, and among 30,000 prompts.

    python -m benchmarks.detection [--check]

Prints wall times; ``--check`` also times the whole ``promptverdict check`` command, interpreter start included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from adapters.git.clone import Clone
from engine.detection.detect import detect
from schemas.detection import Detection
from schemas.pullrequests import PullRequest, Trust
from tests.repositories import Repository

FILES = 50_000
LINEAGES = 40
PROMPTS = 30_000
ROUNDS = 3
HEAD = """\
version: 1
models:
  small: {provider: openai, model: gpt-small, price: {input: 1, output: 2}}
lineages:
"""
LINEAGE = "  p{n}: {{use_case: generation, prompt: prompts/p{n}.md, tests: tests/p{n}.jsonl}}\n"


def many_files(folder: Path) -> Repository:
    """Builds 50,000 files in 500 folders, a configuration of 40 lineages, and a branch that changes one unrelated
    file."""
    repository = many_lineages(folder)
    files = {f"src/module{n // 100:03}/file{n:05}.py": f"value = {n}\n" for n in range(FILES)}
    repository.commit(files)
    repository.git("branch", "--force", "unrelated", "main")
    repository.commit({"src/module123/file12345.py": "value = 0\n"}, branch="unrelated")
    repository.git("repack", "-adq")
    return repository


def many_lineages(folder: Path) -> Repository:
    """Builds 40 lineages, half of them with a shared partial, and a branch that changes the prompt of one."""
    repository = Repository(folder)
    files = {"promptverdict.yaml": HEAD + "".join(LINEAGE.format(n=n) for n in range(LINEAGES)), "tone.md": "Be kind."}
    for n in range(LINEAGES):
        include = '{% include "tone.md" %}\n' if n % 2 else ""
        files[f"prompts/p{n}.md"] = f"You are assistant {n}.\n{include}{{{{ input }}}}\n"
        files[f"tests/p{n}.jsonl"] = "".join(f'{{"id": "c{k}", "input": "question {k}"}}\n' for k in range(100))
    repository.commit(files)
    repository.git("branch", "one", "main")
    repository.commit({"prompts/p7.md": "You are somebody else.\n{{ input }}\n"}, branch="one")
    return repository


def many_prompts(folder: Path) -> Repository:
    """Builds 30,000 prompts, 100 of them lineages. The branch ``one`` changes a lineage's prompt, ``all`` every
    prompt."""
    prompts = {f"prompts/team{n // 300:03}/p{n:05}.md": f"You are assistant {n}.\n" for n in range(PROMPTS)}
    lineage = "  p{n}: {{use_case: generation, prompt: prompts/team000/p{n:05}.md, tests: tests.jsonl}}\n"
    configuration = HEAD + "".join(lineage.format(n=n) for n in range(100))
    repository = Repository(folder)
    repository.commit({**prompts, "promptverdict.yaml": configuration, "tests.jsonl": '{"id": "a", "input": "b"}\n'})
    for branch, number in (("one", 1), ("all", PROMPTS)):
        repository.git("branch", "--force", branch, "main")
        changed = {path: f"{text}Be kind.\n" for path, text in list(prompts.items())[:number]}
        repository.commit(changed, branch=branch)
    repository.git("repack", "-adq")
    return repository


def detected(repository: Repository, branch: str) -> Detection:
    """Detects the change, from opening the repository to the result."""
    tree = Clone(repository.path)
    base, head = tree.resolve("main"), tree.resolve(branch)
    pull_request = PullRequest(base_ref="main", base_sha=base, head_ref=branch, head_sha=head, trust=Trust.OPERATOR)
    return detect(tree, pull_request, tree.merge(base, head))


def seconds(action: Callable[[], object]) -> float:
    """Returns the median wall time of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return median(times)


def main() -> None:
    """Builds both repositories, measures, prints."""
    with tempfile.TemporaryDirectory() as folder:
        prompts = many_prompts(Path(folder, "prompts"))
        for title, repository, branch, affected in (
            (f"{PROMPTS:,} prompts, one lineage's changed", prompts, "one", ["p0"]),
            (f"{PROMPTS:,} prompts, all changed, 100 lineages", prompts, "all", sorted(f"p{n}" for n in range(100))),
            (f"{FILES:,} files, an unrelated change", many_files(Path(folder, "files")), "unrelated", []),
            (f"{LINEAGES} lineages, one prompt changed", many_lineages(Path(folder, "lineages")), "one", ["p7"]),
        ):
            assert [change.name for change in detected(repository, branch).lineages] == affected
            before = os.times()
            took = seconds(lambda repository=repository, branch=branch: detected(repository, branch))
            after = os.times()
            cpu = sum(after[:4]) - sum(before[:4])
            print(f"{title}: {took * 1000:.0f} ms, {cpu / ROUNDS * 1000:.0f} ms of CPU with git's", flush=True)
            if "--check" in sys.argv:
                command = [sys.executable, "-m", "action", "check", "--repo", str(repository.path)]
                command += ["--base", "main", "--head", branch]
                print(subprocess.run(command, capture_output=True, check=False, text=True).stdout)
                took = seconds(lambda command=command: subprocess.run(command, capture_output=True, check=False))
                print(f"  promptverdict check, the whole command: {took * 1000:.0f} ms")


if __name__ == "__main__":
    main()
