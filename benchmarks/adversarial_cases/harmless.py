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
    config,
    harmless,
    ticket,
    tickets,
)

KIND = "harmless (controls)"
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
    harmless("nothing but a mode", {"run.sh": "true\n"}),
)
