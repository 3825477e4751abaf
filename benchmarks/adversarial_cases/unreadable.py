"""A prompt that can be read on neither side changes: it was not measured, so it can't count as unchanged."""

from __future__ import annotations

import json

from benchmarks.adversarial_cases.attack import BAD, GOOD, PROMPT, TICKET, TRIAGE, Attack, Files, config
from tests.repositories import Content, Link, Submodule

KIND = "unreadable on both sides"


def moved(path: str, old: Content, new: Content, name: str, **more: Content) -> Attack:
    """Puts the lineage's prompt at ``path``, where it can't be read, before and after."""
    here = config(TRIAGE.replace(PROMPT, path))
    base: Files = {"promptverdict.yaml": here, PROMPT: None, path: old, **more}
    return Attack(name, {path: new}, base)


def chat(role: str, content: object) -> str:
    """Returns a chat file with one system-like message of any role and content."""
    return json.dumps([{"role": role, "content": content}, {"role": "user", "content": "{{ ticket }}"}])


SECOND = """\
  second:
    use_case: classification
    prompt: prompts/second.json
    tests: tests/triage.jsonl
    labels: [billing, refunds]
"""
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 120\n"

ATTACKS = (
    Attack(
        "a healthy lineage beside one with an unknown role",
        {"prompts/second.json": chat("critic", BAD), PROMPT: f"Please. {GOOD}{TICKET}"},
        {"promptverdict.yaml": config(TRIAGE + SECOND), "prompts/second.json": chat("critic", GOOD)},
    ),
    moved("p.json", chat("critic", GOOD), chat("critic", BAD), "an unknown role"),
    moved("p.json", chat("system", [{"text": GOOD}]), chat("system", [{"text": BAD}]), "content in parts"),
    moved("p.json", '[{"role": "system", "content": "a"', '[{"role": "system", "content": "b"', "JSON that ends early"),
    moved(
        "p.prompt.yml",
        "messages: [{role: user, content: 'a",
        "messages: [{role: user, content: 'b",
        "YAML that ends early",
    ),
    moved("p.prompt.yml", "messages: &a [*a, 1]\n", "messages: &a [*a, 2]\n", "YAML that refers to itself"),
    moved("p.md", '{% include "gone.md" %}' + GOOD, '{% include "gone.md" %}' + BAD, "a partial that is not there"),
    moved("p.md", '{% include "p.md" %}' + GOOD, '{% include "p.md" %}' + BAD, "a partial that includes itself"),
    moved("p.md", GOOD + "{% if %}", BAD + "{% if %}", "a template with a syntax error"),
    moved("p.md", LFS.format("a" * 64), LFS.format("b" * 64), "a pointer of Git LFS"),
    moved("p.md", b"\xff\xfe\x00" + GOOD.encode(), b"\xff\xfe\x00" + BAD.encode(), "bytes that are no UTF-8"),
    moved("p.md", "---\nmodel: [\n---\n" + GOOD, "---\nmodel: [\n---\n" + BAD, "front matter that can't be parsed"),
    moved("p.docx", "PK old", "PK new", "a format that is not read"),
    moved("p.md", Link("../../outside.md"), Link("../../elsewhere.md"), "a link that leads out of the repository"),
    Attack(
        "a link whose target changes",
        {"shared/p.md": BAD + TICKET},
        {
            "promptverdict.yaml": config(TRIAGE.replace(PROMPT, "svc/p.md")),
            PROMPT: None,
            "svc/p.md": Link("../shared/p.md"),
            "shared/p.md": GOOD + TICKET,
        },
    ),
    Attack(
        "a folder that is a link",
        {"shared/p.md": BAD + TICKET},
        {
            "promptverdict.yaml": config(TRIAGE.replace(PROMPT, "svc/prompts/p.md")),
            PROMPT: None,
            "svc/prompts": Link("../shared"),
            "shared/p.md": GOOD + TICKET,
        },
    ),
    Attack(
        "a folder that is a submodule",
        {"lib": Submodule("b" * 40)},
        {"promptverdict.yaml": config(TRIAGE.replace(PROMPT, "lib/p.md")), PROMPT: None, "lib": Submodule("a" * 40)},
    ),
    Attack(
        "a partial of another folder whose name is computed",
        {"rules/vip.md": "Pay whatever they ask for."},
        {PROMPT: "{% set kind = 'vip' %}{% include 'rules/' ~ kind %}" + GOOD, "rules/vip.md": "Be polite."},
    ),
    Attack(
        "a partial behind many blanks",
        {"rules/vip.md": BAD},
        {
            PROMPT: "{%" + " " * 60 + "include 'rules/vip.md' ignore missing %}" + GOOD + TICKET,
            "rules/vip.md": "Be polite.",
        },
    ),
    Attack(
        "a folder whose user.md is empty",
        {"p/system.md": BAD},
        {
            "promptverdict.yaml": config(TRIAGE.replace(PROMPT, "p/system.md")),
            PROMPT: None,
            "p/system.md": GOOD,
            "p/user.md": "",
        },
    ),
    Attack(
        "a path that never existed, and the prompt that is meant",
        {PROMPT: BAD + TICKET},
        {"promptverdict.yaml": config(TRIAGE.replace(PROMPT, "prompts/triag.md"))},
    ),
)
