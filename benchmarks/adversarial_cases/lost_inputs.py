"""Inputs that never reach the request: one answer stands for a whole test set, in both versions."""

from __future__ import annotations

import json

from benchmarks.adversarial_cases.attack import BAD, GOOD, PROMPT, TESTS, TRIAGE, Attack, config, rows, ticket

KIND = "inputs that never reach the request"


def lost(name: str, old: str, new: str | None = None, path: str = PROMPT) -> Attack:
    """Replaces the ticket in the prompt by ``old``, and in the head by ``new`` or the same with another text."""
    base = {"promptverdict.yaml": config(TRIAGE.replace(PROMPT, path)), PROMPT: None, path: GOOD + old}
    return Attack(name, {path: f"Please. {GOOD}{old if new is None else new}"}, base)


CONSTANT = rows(*(ticket(number) | {"expected": "billing"} for number in range(120)))

ATTACKS = (
    lost(
        "Python's braces, lost altogether by the change",
        "Ticket: {ticket}\n",
        "Ticket: {tickt}\n",
        "prompts/triage.txt",
    ),
    lost("a percent sign", "Ticket: %(ticket)s\n"),
    lost("angle brackets", "Ticket: <ticket>\n"),
    lost("square brackets", "Ticket: [[ticket]]\n"),
    lost("a raw block", "{% raw %}Ticket: {{ ticket }}{% endraw %}\n"),
    lost("a comment", "{# {{ ticket }} #}\n", path="prompts/triage.j2"),
    lost("only its length", "The ticket has {{ ticket | length // 1000 }} thousand characters.\n"),
    Attack(
        "a constant answer to a test set that expects nothing else",
        {PROMPT: BAD + "Ticket: [[ticket]]\n"},
        {PROMPT: GOOD + "Ticket: [[ticket]]\n", TESTS: CONSTANT},
    ),
    Attack(
        "a chat file whose user says nothing of the case",
        {"p.json": json.dumps([{"role": "system", "content": BAD}, {"role": "user", "content": "{ticket}"}])},
        {
            "promptverdict.yaml": config(TRIAGE.replace(PROMPT, "p.json")),
            PROMPT: None,
            "p.json": json.dumps([{"role": "system", "content": GOOD}, {"role": "user", "content": "{ticket}"}]),
        },
    ),
)
