"""A demo with a real local model, without a key: three pull requests of one prompt get their verdicts.

SmolLM2-135M-Instruct (Apache-2.0) sorts 60 support tickets on this machine. It is small enough for two cores and errs
often. The three edits:

- one that changes no answer: it allows two more tokens
- a rewording
- a broken prompt without examples
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".demo-llm"
LABELS = ("billing", "delivery", "password")
PROMPT, TESTS = "prompts/triage.prompt.yml", "tests/triage.jsonl"
INSTRUCTION = "Sort the support ticket. Answer with one word: billing, delivery or password."
EXAMPLES = (
    ("I was charged twice for the same invoice.", "billing"),
    ("My parcel has not arrived yet.", "delivery"),
    ("I forgot my password and cannot log in.", "password"),
    ("Why is my bill higher this month?", "billing"),
    ("The courier left the package at the wrong door.", "delivery"),
    ("The reset link for my account does not work.", "password"),
)
TICKETS = {
    "billing": (
        "The invoice shows a fee that I never agreed to",
        "You took the payment from my card two times",
        "I need a copy of last month's bill",
        "My refund is still not on my bank account",
        "The discount code was not subtracted from the price",
    ),
    "delivery": (
        "The tracking page says nothing about my package",
        "My order was sent to the old address",
        "The box arrived wet and open",
        "When will the courier come with my parcel",
        "Half of the things I ordered are missing from the shipment",
    ),
    "password": (
        "The login page says that my password is wrong",
        "I do not get the code that I need to sign in",
        "Please unlock my account, I tried the password too often",
        "I want to change the password of my account",
        "The app logs me out and does not let me sign in again",
    ),
}
ENDINGS = ("", " Please help.", " This is the second time.", " I am waiting since Monday.")
CONFIG = """\
version: 1
models:
  local:
    provider: openai
    model: smollm2-135m
    base_url: {url}/v1
    api_key_env: DEMO_KEY
    price: {{input: 0.10, output: 0.40}}
defaults: {{model: local}}
run: {{max_concurrency: 2}}
lineages:
  triage: {{use_case: classification, prompt: {prompt}, tests: {tests}, labels: [{labels}]}}
"""
EXIT_CODES = {0: "passes", 1: "blocked", 4: "inconclusive", 5: "needs review"}


@dataclass(frozen=True)
class Edit:
    """A pull request of the demo."""

    branch: str
    story: str
    prompt: str
    expected: tuple[int, ...]
    """Expected exit codes of ``check``."""


def prompt(instruction: str = INSTRUCTION, *, examples: bool = True, tokens: int = 6) -> str:
    """Returns a ``.prompt.yml`` with the examples as turns of the conversation."""
    turns = [
        {"role": role, "content": text}
        for example in (EXAMPLES if examples else ())
        for role, text in zip(("user", "assistant"), example, strict=True)
    ]
    messages = [{"role": "system", "content": instruction}, *turns, {"role": "user", "content": "{{ticket}}"}]
    return yaml.safe_dump(
        {"messages": messages, "modelParameters": {"temperature": 0, "maxTokens": tokens}}, sort_keys=False, width=1000
    )


REWORDED = "You sort support tickets. Say one word only: billing, delivery or password."
EDITS = (
    Edit("longer", "allows two more tokens, which changes no answer", prompt(tokens=8), (0,)),
    Edit("reworded", "rewords the instruction", prompt(REWORDED), (0, 4, 5)),
    Edit("broken", "removes the examples", prompt(examples=False), (1,)),
)


def cases(of_label: int = 20) -> str:
    """Returns this many tickets of each label, 20 at most, as JSON Lines."""
    rows = [
        {"id": f"{label}-{number}-{k}", "inputs": {"ticket": f"{text}.{ending}"}, "expected": label}
        for label, texts in TICKETS.items()
        for k, ending in enumerate(ENDINGS)
        for number, text in enumerate(texts)
        if k * len(texts) + number < of_label
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def build(folder: Path, url: str, of_label: int) -> None:
    """Builds a repository with ``main`` and a branch for each edit."""

    def git(*command: str) -> None:
        identity = ("-c", "user.name=Ada Example", "-c", "user.email=ada@tidewell.example")
        subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True)

    config = CONFIG.format(url=url, prompt=PROMPT, tests=TESTS, labels=", ".join(LABELS))
    for path, text in {"promptverdict.yaml": config, PROMPT: prompt(), TESTS: cases(of_label)}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "Sort tickets")
    for edit in EDITS:
        git("switch", "-q", "-c", edit.branch, "main")
        (folder / PROMPT).write_text(edit.prompt, encoding="utf-8")
        git("commit", "-q", "-a", "-m", edit.story)
    git("switch", "-q", "main")


@contextmanager
def served(python: Path) -> Iterator[str]:
    """Serves the model until the end of the block, and yields its address."""
    command = [str(python), "-I", str(Path(__file__).parent / "serve.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().strip()
        if not url:
            raise SystemExit(f"the model can't be served:\n{server.stderr.read()}")
        _drain(server)
        try:
            yield url
        finally:
            server.stdin.close()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _drain(server: subprocess.Popen[str]) -> None:
    """Reads the server's log, so that it can't fill the pipe."""
    assert server.stderr is not None
    threading.Thread(target=server.stderr.read, daemon=True).start()


def check(folder: Path, edit: Edit) -> int:
    """Runs ``check`` on a branch and returns its exit code. The model is free, so there is no question about cost."""
    command = [sys.executable, "-m", "action", "check", "--repo", str(folder), "--base", "main", "--head", edit.branch]
    command += ["--yes", "--store", str(folder / ".git" / "outcomes.sqlite3")]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "DEMO_KEY": "none"}, check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo. Returns 0 if each edit got an expected verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo-output-llm"), help="folder of the repository")
    parser.add_argument("--environment", type=Path, default=ENVIRONMENT, help="where the model's packages are")
    parser.add_argument("--edit", action="append", choices=[edit.branch for edit in EDITS], help="only this edit")
    parser.add_argument("--tickets", type=int, default=20, metavar="N", help="of each label (default: 20, at most 20)")
    given = parser.parse_args(arguments)
    if given.output.exists():
        parser.error(f"{given.output} exists; choose a new folder")
    given.output.mkdir(parents=True)
    rows = []
    with served(given.environment / "bin" / "python") as url:
        build(given.output, url, given.tickets)
        print(f"SmolLM2-135M-Instruct answers at {url}; the repository is in {given.output}")
        for edit in EDITS:
            if given.edit and edit.branch not in given.edit:
                continue
            print(f"\n{edit.branch}: {edit.story}")
            began = time.monotonic()
            code = check(given.output, edit)
            rows.append((edit, code, time.monotonic() - began))
    print("\nWhat became of them:")
    for edit, code, seconds in rows:
        said = EXIT_CODES.get(code, f"exit code {code}")
        print(f"  {edit.branch:<10} {said:<14} {seconds:5.0f} s   {edit.story}")
    return 0 if all(code in edit.expected for edit, code, _ in rows) else 1
