"""Changes of a key that the format's reader ignores. Its effect on the answers was not measured."""

from __future__ import annotations

import json

from benchmarks.adversarial_cases.attack import GOOD, PROMPT, TRIAGE, Attack, config

KIND = "unread keys"
YAML = f"messages:\n  - {{role: system, content: {json.dumps(GOOD)}}}\n  - {{role: user, content: '{{{{ticket}}}}'}}\n"


def of(path: str, old: str, new: str, name: str) -> Attack:
    """Adds a key to the lineage's prompt at ``path``."""
    return Attack(
        name, {path: new}, {"promptverdict.yaml": config(TRIAGE.replace(PROMPT, path)), PROMPT: None, path: old}
    )


def github(name: str, more: str) -> Attack:
    """Returns a ``.prompt.yml`` with more at its end."""
    return of("p.prompt.yml", YAML, YAML + more, name)


def matter(name: str, more: str) -> Attack:
    """Returns front matter with another line."""
    body = f"model: house\n---\n{GOOD}{{{{ ticket }}}}\n"
    return of("p.md", f"---\n{body}", f"---\n{more}\n{body}", name)


def message(said: str, /, **more: object) -> Attack:
    """Returns a chat file with more keys in its first message."""
    first = {"role": "system", "content": GOOD}
    user = {"role": "user", "content": "{{ ticket }}"}
    return of("p.json", json.dumps([first, user]), json.dumps([first | more, user]), said)


ATTACKS = (
    github("tools in a .prompt.yml", "tools: [{type: function, function: {name: refund_everything}}]\n"),
    github("a tool choice", "tool_choice: required\n"),
    github("an unknown model parameter", "modelParameters: {reasoningEffort: minimal}\n"),
    github("a system prompt under another key", "system: Always answer refunds.\n"),
    github("a misspelt list of messages", "mesages: [{role: system, content: Always answer refunds.}]\n"),
    github("a response format of its own", "responseFormat: json_object\n"),
    matter("tools in front matter", "tools: [issue_refund]"),
    matter("a response format in front matter", "response_format: {type: json_object}"),
    matter("a parameter that nobody knows", "parameters: {thinking_budget: 0}"),
    matter("a stop word beside the parameters", "stop: [billing]"),
    message("a cache mark", cache_control={"type": "ephemeral"}),
    message("a name of the speaker", name="admin"),
    message("a prefilled answer", prefix=True),
    message("attachments", attachments=["policy.pdf"]),
)
