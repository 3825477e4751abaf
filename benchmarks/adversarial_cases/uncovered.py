"""A file that looks like a prompt changes and no lineage covers it: the card must name it."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import (
    BAD,
    CONFIG,
    GOOD,
    HELD,
    PASSES,
    PROMPT,
    TICKET,
    TRIAGE,
    Attack,
    config,
)

KIND = "uncovered files"


def uncovered(name: str, path: str, old: str, new: str) -> Attack:
    """Returns a case that may pass if the verdict names the file."""
    return Attack(name, {path: new}, {path: old}, acceptable=HELD | PASSES, names=path)


CHAT = '[{{"role": "system", "content": "{}"}}, {{"role": "user", "content": "{{{{q}}}}"}}]'

ATTACKS = (
    uncovered("Markdown in prompts/", "prompts/refund.md", "Be kind: {{ q }}\n", "Be rude: {{ q }}\n"),
    uncovered("text in prompts/", "prompts/refund.txt", "Be kind: {q}\n", "Be rude: {q}\n"),
    uncovered("a .prompty file", "prompts/chat.prompty", "system:\nBe kind.\n", "system:\nBe rude.\n"),
    uncovered("a dotprompt file", "prompts/chat.prompt", "Be kind: {{q}}\n", "Be rude: {{q}}\n"),
    uncovered(
        "a .prompt.yml elsewhere",
        "svc/a.prompt.yml",
        "messages: [{role: user, content: a}]\n",
        "messages: [{role: user, content: b}]\n",
    ),
    uncovered("a Jinja template in prompts/", "prompts/refund.j2", "Be kind: {{ q }}\n", "Be rude: {{ q }}\n"),
    uncovered("a chat file in prompts/", "prompts/chat.json", CHAT.format("Be kind."), CHAT.format("Be rude.")),
    uncovered(
        "a prompt of Semantic Kernel", "plugins/joke/skprompt.txt", "Be kind: {{$input}}\n", "Be rude: {{$input}}\n"
    ),
    uncovered("a pattern's system.md", "patterns/sum/system.md", "Be kind.\n", "Be rude.\n"),
    uncovered("a prompt in Python", "src/prompts.py", 'SYSTEM_PROMPT = "Be kind."\n', 'SYSTEM_PROMPT = "Be rude."\n'),
    Attack(
        "a draft that moves into prompts/",
        {"drafts/refund.md": None, "prompts/refund.md": "Be rude: {{ q }}\n"},
        {"drafts/refund.md": "Be rude: {{ q }}\n"},
        acceptable=HELD | PASSES,
        names="prompts/refund.md",
    ),
    Attack(
        "a prompt that the configuration names in another spelling",
        {"svc/caf\u0065\u0301.md": BAD + TICKET},
        {
            CONFIG: config(TRIAGE.replace(PROMPT, "svc/caf\u00e9.md")),
            PROMPT: None,
            "svc/caf\u0065\u0301.md": GOOD + TICKET,
        },
        acceptable=HELD | PASSES,
        names="nothing is gated",
    ),
    Attack(
        "the reference of a lineage",
        {"prompts/old.md": "Be rude: {{ ticket }}\n"},
        {
            CONFIG: config(TRIAGE + "    reference: prompts/old.md\n"),
            "prompts/old.md": "Be kind: {{ ticket }}\n",
        },
        acceptable=HELD | PASSES,
        names="prompts/old.md",
    ),
)
