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

_FILLED = re.compile(r"\{\{(?P<name>.*?)\}\}", re.DOTALL)
"""What the SDK fills in: any text between double braces, without the blanks around it."""
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ESCAPES = {"{{": "{", "}}": "}", "$$": "$"}


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
    """Returns a message in which the SDK fills in the same variables, and nothing else."""
    if version.roles is not None or version.defaults:
        raise _refused(version, "its format has roles in the text, or values for missing variables")
    if version.dialect in LOGICAL:
        names = [found["name"].strip() for found in _FILLED.finditer(content)]
        if not all(map(_NAME.fullmatch, names)) or "{%" in content or "{#" in content or "{{{" in content:
            raise _refused(version, "its template has logic")
        return content
    names = list(names_in(content, version.dialect))
    converted = PATTERNS[version.dialect].sub(_variable, content)
    # A text that only looks like a variable would be filled in by the SDK, although the gate left it alone.
    seen = [found["name"].strip() for found in _FILLED.finditer(converted)]
    if seen != names or converted.count("{{") != len(names) or not all(map(_NAME.fullmatch, names)):
        raise _refused(version, "it has double braces that are not variables, or names with other characters")
    return converted


def _variable(match: re.Match[str]) -> str:
    name = name_of(match)
    return _ESCAPES[match[0]] if name is None else f"{{{{{name}}}}}"


def _refused(version: HubPrompt, why: str) -> UsageError:
    return UsageError(
        f"{version.lineage} can't be read with Langfuse's SDK: {why}", hint="read it with promptverdict_client"
    )
