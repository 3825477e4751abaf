"""Splits a rendered text into messages at its format's marks of roles. Marks inside of variables split nothing."""

from __future__ import annotations

import re

from promptverdict_client.errors import RenderError
from promptverdict_client.rendering.values import Json

ROLES = frozenset({"system", "developer", "user", "assistant"})
_LINE = re.compile(
    r"^[ \t]*+(?:#[ \t]*+)?(?P<role>system|developer|user|assistant|function|tool)[ \t]*+:[ \t]*+$",
    re.IGNORECASE | re.MULTILINE,
)
_MARK = re.compile(r"<<<dotprompt:(?P<role>role:[a-z]+|history|media:url [^<>]*|section [^<>]*)>>>")
MARKS = {"prompty": _LINE, "promptflow": _LINE, "dotprompt": _MARK}
"""How each format marks the beginning of a message."""
_SHIELD = "\ue001\ue002"
"""Private-use characters that break a mark inside of a variable. They are taken out after the split."""


def shielded(value: Json, roles: str) -> Json:
    """Returns a variable's value in which nothing looks like a mark."""
    if isinstance(value, str):
        return MARKS[roles].sub(lambda match: f"{match[0][:-1]}{_SHIELD}{match[0][-1]}", value)
    if isinstance(value, list):
        return [shielded(item, roles) for item in value]
    if isinstance(value, dict):
        return {key: shielded(item, roles) for key, item in value.items()}
    return value


def split(text: str, roles: str) -> list[tuple[str, str]]:
    """Returns role and content of each message that isn't blank.

    Raises RenderError for a part that isn't text, a role that can't be sent, and a prompt without a message.
    """
    dotprompt = roles == "dotprompt"
    role = "user" if dotprompt else "system"
    pieces = []
    at = 0
    for mark in MARKS[roles].finditer(text):
        pieces.append((role, text[at : mark.start()]))
        said = mark["role"]
        if said.startswith(("media", "section")):
            raise RenderError(f"{{{{{said.split()[0].split(':')[0]}}}}} can't be sent: only text is")
        role = "assistant" if said == "history" else said.lower().removeprefix("role:")
        at = mark.end()
    pieces.append((role, text[at:]))
    cleaned = [(role, (piece if dotprompt else piece.strip()).replace(_SHIELD, "")) for role, piece in pieces]
    messages = [(_sent_as(role), content) for role, content in cleaned if content.strip()]
    if not messages:
        raise RenderError("the rendered prompt has no message")
    return messages


def _sent_as(role: str) -> str:
    sent = "assistant" if role == "model" else role
    if sent not in ROLES:
        raise RenderError(f"a message of the role {sent[:20]} can't be sent")
    return sent
