"""A version in the form of Langfuse's API for prompts, for applications that have its SDK.

api.reference.langfuse.com: ``GET /api/public/v2/prompts/{promptName}``. That SDK fills in ``{{name}}`` and knows no
logic, so only prompts without logic can be read with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.readers.dialects import PATTERNS, name_of, names_in
from schemas.errors import UsageError
from schemas.prompts import LOGICAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue

    from schemas.hub import HubPrompt

_PLAIN = re.compile(r"\{\{[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*\}\}", re.ASCII)
"""The variables that the SDK fills in."""
_LOGIC = re.compile(r"\{[%{#]")


def langfuse_prompt(version: HubPrompt, number: int, labels: Sequence[str]) -> dict[str, JsonValue]:
    """Returns a chat prompt as Langfuse's SDK reads it. ``number``: the version's number, from 1.

    Raises UsageError for a prompt that the SDK would fill in differently.
    """
    messages: list[JsonValue] = [
        {"type": "chatmessage", "role": message.role.value, "content": _converted(version, message.content)}
        for message in version.messages
    ]
    model = version.models[0]
    config: dict[str, JsonValue] = {**model.parameters, "model": model.model, "provider": model.provider}
    return {
        "type": "chat",
        "name": version.lineage,
        "version": number,
        "prompt": messages,
        "config": config | {"version_digest": version.digest},
        "labels": list(labels),
        "tags": [],
        "commitMessage": f"{version.path} at {version.commit}",
    }


def _converted(version: HubPrompt, content: str) -> str:
    if version.roles is not None or version.defaults:
        raise _refused(version, "its format has roles in the text, or values for missing variables")
    if version.dialect in LOGICAL:
        rest = _PLAIN.sub("", content)
        if _LOGIC.search(rest):
            raise _refused(version, "its template has logic")
        return content
    # A text that only looks like a variable would be filled in by the SDK, although the gate left it alone.
    kept = PATTERNS[version.dialect].sub("", content)
    if _PLAIN.search(kept) or "{{" in kept:
        raise _refused(version, "its text has double braces that are not variables")
    if any(not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in names_in(content, version.dialect)):
        raise _refused(version, "a variable's name has other characters than letters, digits and underscores")

    def variable(match: re.Match[str]) -> str:
        name = name_of(match)
        return f"{{{{{name}}}}}" if name is not None else {"{{": "{", "}}": "}", "$$": "$"}[match[0]]

    return PATTERNS[version.dialect].sub(variable, content)


def _refused(version: HubPrompt, why: str) -> UsageError:
    return UsageError(
        f"{version.lineage} can't be read with Langfuse's SDK: {why}", hint="read it with promptverdict_client"
    )
