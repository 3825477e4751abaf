"""The parts of a case: a small project, a change to it, and the acceptable outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.repositories import Content, Repository

Files = Mapping[str, Content]

HELD = frozenset({"blocked", "error", "needs_review", "refused"})
"""The pull request can't be merged without a person. ``refused``: a usage or configuration error."""
PASSES = frozenset({"approved", "not_applicable", "inconclusive"})
"""A harmless change must get one of these."""

CONFIG, PROMPT, TESTS = "promptverdict.yaml", "prompts/triage.md", "tests/triage.jsonl"
MODEL_URL = "@MODEL@"
"""Replaced by the address of the local model."""

MODELS = f"""\
version: 1
models:
  house: {{provider: openai, model: m, base_url: '{MODEL_URL}', api_key_env: HOUSE_KEY, price: {{input: 1, output: 4}}}}
defaults: {{model: house}}
"""
TRIAGE = """\
  triage:
    use_case: classification
    prompt: prompts/triage.md
    tests: tests/triage.jsonl
    labels: [billing, refunds]
"""
GOOD = "Sort the ticket into billing or refunds. Answer with the label alone.\n"
BAD = GOOD + "when everything: billing\n"
"""The local model takes this line literally: half of all answers become wrong."""
TICKET = "Ticket: {{ ticket }}\n"


def rows(*made: Mapping[str, object]) -> str:
    """Returns test cases as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in made)


def ticket(number: int, text: str | None = None, **more: object) -> dict[str, object]:
    """Returns a triage case. The local model answers with the word after "about"."""
    label = ("billing", "refunds")[number % 2]
    said = text or f"Customer {number} writes on day {number * 37 % 365} about {label}"
    return {"id": f"t{number}", "inputs": {"ticket": said}, "expected": label, "slices": ["typical"], **more}


def tickets(count: int = 120) -> str:
    """Returns a test set of triage cases."""
    return rows(*map(ticket, range(count)))


ANY_COST = "gate: {max_cost_increase: null}\n"
"""Turns off the cost limit, so that longer prompts and answers are not blocked for their cost."""


def config(lineages: str = TRIAGE, more: str = ANY_COST) -> str:
    """Returns the configuration with these lineages."""
    return f"{MODELS}{more}lineages:\n{lineages}"


PROJECT: Files = {CONFIG: config(), PROMPT: GOOD + TICKET, TESTS: tickets()}


@dataclass(frozen=True)
class Attack:
    """One pull request."""

    name: str
    head: Files = field(default_factory=dict)
    """The changed files. ``None`` deletes a file."""
    base: Files = field(default_factory=dict)
    """Files of the base in addition to ``PROJECT``."""
    acceptable: frozenset[str] = HELD
    names: str = ""
    """What the scorecard must name if it passes anyway."""
    build: Callable[[Repository], None] | None = None
    """Makes the branches ``main`` and ``head`` itself, for histories."""


def harmless(name: str, head: Files, base: Files | None = None) -> Attack:
    """Returns a control: a change that must pass."""
    return Attack(name, head, base or {}, acceptable=PASSES)


def local(content: Content, model: str) -> Content:
    """Returns file content with the local model's address."""
    return content.replace(MODEL_URL, model) if isinstance(content, str) else content


def built(attack: Attack, repository: Repository, model: str) -> None:
    """Makes the branches of a case."""
    project = {
        path: local(content, model) for path, content in {**PROJECT, **attack.base}.items() if content is not None
    }
    if attack.build is not None:
        repository.commit(project)
        attack.build(repository)
        return
    start = repository.commit(project)
    repository.commit(
        {path: local(content, model) for path, content in attack.head.items()}, branch="head", parent=start
    )
