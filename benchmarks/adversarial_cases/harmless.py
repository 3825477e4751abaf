"""Controls: changes that must not be held up."""

from __future__ import annotations

import json

from benchmarks.adversarial_cases.attack import (
    CONFIG,
    GOOD,
    PROMPT,
    TESTS,
    TICKET,
    TRIAGE,
    Attack,
    config,
    harmless,
    ticket,
    tickets,
)

KIND = "harmless (controls)"


def written(name: str, ticket: str, path: str = PROMPT) -> Attack:
    """Rewords a prompt that takes the ticket in a way of its own."""
    base = {CONFIG: config(TRIAGE.replace(PROMPT, path)), PROMPT: None, path: GOOD + ticket}
    return harmless(name, {path: f"Please. {GOOD}{ticket}"}, base)


YAML = f"messages:\n  - {{role: system, content: {json.dumps(GOOD)}}}\n  - {{role: user, content: '{{{{ticket}}}}'}}\n"
GITHUB = {CONFIG: config(TRIAGE.replace(PROMPT, "p.prompt.yml")), PROMPT: None, "p.prompt.yml": YAML}

ATTACKS = (
    harmless("another wording", {PROMPT: f"Please be so kind. {GOOD}{TICKET}"}),
    harmless("Windows line ends", {PROMPT: (GOOD + TICKET).replace("\n", "\r\n")}),
    harmless("a byte order mark", {PROMPT: "\ufeff" + GOOD + TICKET}),
    harmless("a comment in YAML", {"p.prompt.yml": "# sorts tickets\n" + YAML}, GITHUB),
    harmless("a comment in the template", {PROMPT: "{# sorts tickets #}" + GOOD + TICKET}),
    harmless("a comment in the configuration", {CONFIG: "# ours\n" + config()}),
    harmless("a page of documentation", {"docs/sorting.md": "How we sort tickets.\n"}),
    harmless("another test case", {TESTS: tickets() + json.dumps(ticket(500)) + "\n"}),
    harmless("a branch that every case reaches", {PROMPT: "{% if ticket %}Please. {% endif %}" + GOOD + TICKET}),
    written("Python's braces", "Ticket: {ticket}\n"),
    written("a dollar sign", "Ticket: $ticket\n"),
    written("a dollar sign and braces", "Ticket: ${ticket}\n"),
    written("Semantic Kernel's form", "Ticket: {{$ticket}}\n"),
    written("a static system prompt", ""),
    written("a static text file", "", path="prompts/triage.txt"),
    harmless("nothing but a mode", {"run.sh": "true\n"}),
)
