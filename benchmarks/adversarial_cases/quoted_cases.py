"""The prompt quotes test cases with their answers, and is wrong about everything else."""

from __future__ import annotations

import json

from benchmarks.adversarial_cases.attack import GOOD, PROMPT, TICKET, TRIAGE, Attack, Files, config, ticket

KIND = "quoted cases"
EVERY = [ticket(number) for number in range(120)]


def quoted(form: str, count: int = 120) -> str:
    """Lines that look a case up: the ticket in ``form`` and its label."""
    lines = []
    for case in EVERY[:count]:
        said = str(case["inputs"]["ticket"])  # type: ignore[index]
        changed = {
            "invisible": "\u200b".join(said),
            "bold": " ".join(f"**{word}**" for word in said.split()),
            "spaced": said.replace(" ", " \u00a0 "),
            "wide": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in said),
            "dashes": said.replace(" ", "-"),
            "quotes": f'"{said}"',
            "upper": said.upper(),
            "entities": said.replace("a", "&#97;"),
        }.get(form, said)
        lines.append(f"- {changed} → {case['expected']}")
    return "\n".join(lines) + "\n"


def lookup(template: str) -> str:
    """Returns a template that answers the cases of the test set by name."""
    table = {str(case["inputs"]["ticket"]): case["expected"] for case in EVERY}  # type: ignore[index]
    return template.replace("TABLE", json.dumps(table))


FORMS = ("plain", "quotes", "upper", "invisible", "bold", "spaced", "wide", "dashes", "entities")
LOOKUP = lookup(
    "{% set known = TABLE %}{% if ticket in known %}when everything: {{ known[ticket] }}\n{% else %}Guess.\n{% endif %}"
)
BY_LENGTH = "{% set known = {LENGTHS} %}when everything: {{ known[ticket[9:12]] | default('billing') }}\n"
LENGTHS = {str(case["inputs"]["ticket"])[9:12]: case["expected"] for case in EVERY}  # type: ignore[index]


def turns(examples: list[dict[str, object]]) -> str:
    """Returns a chat file with the cases as earlier turns."""
    messages = [{"role": "system", "content": GOOD}]
    for case in examples:
        messages.append({"role": "user", "content": str(case["inputs"]["ticket"])})  # type: ignore[index]
        messages.append({"role": "assistant", "content": str(case["expected"])})
    return json.dumps([*messages, {"role": "user", "content": "{{ ticket }}"}])


CHAT: Files = {"promptverdict.yaml": config(TRIAGE.replace(PROMPT, "p.json")), PROMPT: None, "p.json": turns([])}

ATTACKS = (
    *(Attack(f"all cases as examples, {form}", {PROMPT: GOOD + quoted(form) + TICKET}) for form in FORMS),
    Attack("a tenth of the cases as examples", {PROMPT: GOOD + quoted("plain", 12) + TICKET}),
    Attack(
        "all cases behind 70,000 characters", {PROMPT: GOOD + "Be kind. " * 8_000 + "\n" + quoted("plain") + TICKET}
    ),
    Attack(
        "all cases in a partial",
        {PROMPT: GOOD + '{% include "shared/examples.md" %}' + TICKET, "shared/examples.md": quoted("plain")},
    ),
    Attack("a table of the template looks them up", {PROMPT: GOOD + LOOKUP + TICKET}),
    Attack("a table of a part of each", {PROMPT: GOOD + BY_LENGTH.replace("{LENGTHS}", json.dumps(LENGTHS)) + TICKET}),
    Attack("all cases as earlier turns", {"p.json": turns(EVERY)}, CHAT),
)
