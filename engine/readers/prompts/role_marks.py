"""Splits a rendered text into messages at its format's marks of roles. Such marks in inputs split nothing.

The formats render first and split then, so that a loop can write messages.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

from schemas.ports import RenderFailure
from schemas.prompts import Message, Role, RoleSyntax

ROLE_LINE = re.compile(
    r"^[ \t]*+(?:#[ \t]*+)?(?P<role>system|developer|user|assistant|function|tool)[ \t]*+:[ \t]*+$",
    re.IGNORECASE | re.MULTILINE,
)
DOTPROMPT_MARK = re.compile(r"<<<dotprompt:(?P<role>role:[a-z]+|history|media:url [^<>]*|section [^<>]*)>>>")
"""What the renderer's helpers write."""
_PATTERNS = {
    RoleSyntax.PROMPTY: ROLE_LINE,
    RoleSyntax.PROMPTFLOW: ROLE_LINE,
    RoleSyntax.DOTPROMPT: DOTPROMPT_MARK,
}
_SHIELD = "\ue001\ue002"
"""Private-use characters: put into an input's own role line, and taken out again after the split."""


def shielded(value: JsonValue, roles: RoleSyntax) -> JsonValue:
    """Returns an input in which nothing looks like the format's marks of roles."""
    if isinstance(value, str):
        return _PATTERNS[roles].sub(lambda match: f"{match[0][:-1]}{_SHIELD}{match[0][-1]}", value)
    if isinstance(value, list):
        return [shielded(item, roles) for item in value]
    if isinstance(value, dict):
        return {key: shielded(item, roles) for key, item in value.items()}
    return value


def split(text: str, roles: RoleSyntax) -> tuple[Message, ...] | RenderFailure:
    """Returns the messages of a rendered text, without those that say nothing."""
    role: str = Role.USER if roles is RoleSyntax.DOTPROMPT else Role.SYSTEM
    pieces: list[tuple[str, str]] = []
    at = 0
    for mark in _PATTERNS[roles].finditer(text):
        pieces.append((role, text[at : mark.start()]))
        said = mark["role"]
        if said.startswith(("media", "section")):
            return RenderFailure(message=f"{{{{{said.split()[0].split(':')[0]}}}}} can't be sent: only text is")
        role = Role.ASSISTANT if said == "history" else said.lower().removeprefix("role:")
        at = mark.end()
    pieces.append((role, text[at:]))
    messages = []
    for said, piece in pieces:
        content = (piece if roles is RoleSyntax.DOTPROMPT else piece.strip()).replace(_SHIELD, "")
        if not content.strip():
            continue
        role = "assistant" if said == "model" else said
        if role not in tuple(Role):
            return RenderFailure(message=f"a message of the role {role[:20]} can't be sent")
        messages.append(Message(role=Role(role), content=content))
    return tuple(messages) or RenderFailure(message="the rendered prompt has no message")
