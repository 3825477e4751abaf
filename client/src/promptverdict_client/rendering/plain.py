"""The dialects without logic. One pass of replacement fills in a template: no value is read as a template."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from promptverdict_client.rendering.values import MAX_OUTPUT, Json, Variables, missing, too_long

PATTERNS = {
    "github": re.compile(r"\{\{[ \t]*(?P<name>[\w.-]+)[ \t]*\}\}"),
    "braces": re.compile(r"\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}"),
    "fstring": re.compile(r"\{\{|\}\}|\{(?P<name>[^{}!:.\[\]]+)\}"),
    "shell": re.compile(r"\$(?:\$|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII),
    "javascript": re.compile(r"\$\{[ \t]*(?P<name>[A-Za-z_]\w*)[ \t]*\}", re.ASCII),
    "kernel": re.compile(r"\{\{\s*\$(?P<name>\w+)\s*\}\}", re.ASCII),
    "go": re.compile(r"\{\{[ \t]*\.(?P<name>[A-Za-z_]\w*)[ \t]*\}\}"),
    "brackets": re.compile(r"\[\[[ \t]*(?P<name>[\w.-]+)[ \t]*\]\]"),
    "angles": re.compile(r"<(?P<name>[A-Za-z_][\w-]*)>"),
}
"""A match without a name is an escape."""
_ESCAPES = {"{{": "{", "}}": "}", "$$": "$"}


def plain(dialect: str, templates: Sequence[str]) -> Callable[[Variables], list[str]]:
    """Returns a function that fills in the templates. It raises RenderError for a missing variable."""
    pattern = PATTERNS[dialect]
    text_of = str if dialect == "fstring" else _text
    names = [[_name(match) for match in pattern.finditer(template)] for template in templates]

    def filled(variables: Variables) -> list[str]:
        room = MAX_OUTPUT
        rendered = []
        for template, found in zip(templates, names, strict=True):
            used = [name for name in found if name is not None]
            for name in used:
                if name not in variables:
                    raise missing(name, variables)
            texts = {name: text_of(variables[name]) for name in used}
            # Checked before the text is made: many uses of a long value would need much memory.
            room -= len(template) + sum(len(texts[name]) for name in used)
            if room < 0:
                raise too_long()
            rendered.append(pattern.sub(lambda match, texts=texts: _replaced(match, texts), template))  # type: ignore[misc]
        return rendered

    return filled


def _name(match: re.Match[str]) -> str | None:
    return match[match.lastgroup] if match.lastgroup else None


def _replaced(match: re.Match[str], texts: dict[str, str]) -> str:
    name = _name(match)
    return _ESCAPES[match[0]] if name is None else texts[name]


def _text(value: Json) -> str:
    """Returns a text unchanged, and everything else as JSON (5.0 as 5)."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
