"""The one job of the speed benchmarks: short classification cases × two prompts, exact match.

The fake provider (tests/fakes/llm.py) answers with the last word of the user's message, so the right answer to each
case is known. Every tool gets the same messages, the same limit on tokens and the same number of calls under way.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

LABELS = ("billing", "refunds", "technical_support", "account_access")
PROMPTS = {
    "baseline": "Sort the ticket. Answer with one label: billing, refunds, technical_support or account_access.",
    "candidate": "Is it about billing, refunds, technical_support or account_access? Answer with the label only.",
}
MAX_TOKENS = 16
CONFIGURATION = """version: 1
models:
  fake: {{provider: {provider}, model: fake-1, base_url: "{url}", api_key_env: FAKE_KEY, price: {{input: 1, output: 4}},
    parameters: {{temperature: 0, max_tokens: 16}}}}
defaults: {{model: fake}}
run: {{max_concurrency: {concurrency}}}
budget: {{per_run_usd: 100}}
gate: {{mode: fixed, repetitions: 1}}
lineages:
  triage:
    use_case: classification
    prompt: triage.prompt.yml
    tests: tests.jsonl
    labels: [billing, refunds, technical_support, account_access]
"""
PROMPT_FILE = """name: triage
messages:
  - role: system
    content: "{system}"
  - role: user
    content: "{{{{input}}}}"
"""


def cases(count: int) -> list[tuple[str, str]]:
    """Returns text and right answer of each case."""
    return [
        (f"Ticket {at}: a customer writes about an order of last week, route it to {LABELS[at % 4]}", LABELS[at % 4])
        for at in range(count)
    ]


def repository(folder: Path, count: int, *, provider: str, url: str, concurrency: int) -> None:
    """Builds a git repository with the job as a pull request: ``base`` and ``HEAD`` differ by the prompt."""
    folder.mkdir(parents=True)
    (folder / "promptverdict.yaml").write_text(
        CONFIGURATION.format(provider=provider, url=url, concurrency=concurrency), encoding="utf-8"
    )
    with (folder / "tests.jsonl").open("w", encoding="utf-8") as tests:
        for at, (text, label) in enumerate(cases(count)):
            row = {"id": f"t{at}", "input": text, "expected": label, "slice": "typical"}
            tests.write(json.dumps(row) + "\n")
    git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for arm, system in PROMPTS.items():
        (folder / "triage.prompt.yml").write_text(PROMPT_FILE.format(system=system), encoding="utf-8")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", arm], check=True)
    subprocess.run([*git, "tag", "base", "HEAD~1"], check=True)
