"""Edits of JSON: a text in another wording, a member more or less. Everything else keeps its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from engine.test_edits.json_text import Container, container_at, with_member

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_OPENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[{\[]', re.DOTALL)


def edited_texts(text: str, old: str, new: str) -> Iterator[tuple[str, ...]]:
    """Yields, for each text that reads ``old``, the JSON with ``new`` there."""
    for token in _TEXT.finditer(text):
        if json.loads(token[0], strict=False) == old:
            plain = json.dumps(new, ensure_ascii="\\u" in token[0])
            yield (f"{text[: token.start()]}{plain}{text[token.end() :]}",)


def with_number(text: str, keys: Sequence[str], value: JsonValue) -> Iterator[str]:
    """Yields the JSON with ``value`` under each key of this name that there is."""
    for row in _maps(text):
        for member in row.members:
            if member.name in keys:
                yield f"{text[: member.value]}{json.dumps(value)}{text[member.end :]}"


def without_key(text: str, keys: Sequence[str]) -> Iterator[str]:
    """Yields the JSON without each key of this name."""
    for row in _maps(text):
        for number, member in enumerate(row.members):
            if member.name not in keys or len(row.members) < 2:
                continue
            if number:
                yield text[: row.members[number - 1].end] + text[member.end :]
            else:
                yield text[: member.key] + text[row.members[1].key :]


def with_key(text: str, beside: Sequence[str], key: str, value: JsonValue) -> Iterator[str]:
    """Yields the JSON with one more member in each map that has any of the keys ``beside``."""
    for row in _maps(text):
        if any(member.name in beside for member in row.members):
            yield with_member(text, row.start, key, value)


def _maps(text: str) -> Iterator[Container]:
    for token in _OPENS.finditer(text):
        if token[0] == "{":
            row = container_at(text, token.start())
            if row.members:
                yield row
