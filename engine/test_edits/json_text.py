"""Edits of JSON: a line of JSONL, or a list in a file. The existing separators are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from engine.render.encode import visible
from engine.test_edits import NoEditError

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Span:
    """Offsets of a member: its key and its value. An element of a list has an empty key."""

    name: str
    key: int
    colon: int
    """The offset after the key's closing quote."""
    value: int
    end: int


@dataclass(frozen=True)
class Container:
    """A map or list of valid JSON, with the blanks between its members."""

    text: str
    start: int
    end: int
    """The offset after the closing bracket."""
    members: tuple[Span, ...]

    @property
    def gap(self) -> str:
        """Returns the text between a comma and the next member."""
        if len(self.members) > 1:
            return self.text[self.members[-2].end : self.members[-1].key].replace(",", "", 1)
        first = self.text[self.start + 1 : self.members[0].key]
        return first if "\n" in first or not self.colon.endswith(" ") else " "

    @property
    def colon(self) -> str:
        """Returns the text between a key and its value."""
        last = self.members[-1]
        return self.text[last.colon : last.value]


def container_at(text: str, start: int) -> Container:
    """Returns the map or list that opens at ``start``.

    The text was read before, so it is valid and its depth is limited.
    """
    is_map = text[start] == "{"
    members = []
    at = _skip(text, start + 1)
    while text[at] not in "]}":
        key, name, colon = at, "", at
        if is_map:
            name, colon = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, colon) + 1)
        _, end = _DECODER.raw_decode(text, at)
        members.append(Span(str(name), key, colon, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return Container(text, start, at + 1, tuple(members))


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()


def set_in_line(text: str, line: int, key: str, value: JsonValue) -> str:
    """Returns the JSONL with a value of the case on this line (from 1)."""
    lines = text.split("\n")
    lines[line - 1] = with_member(lines[line - 1], _skip(lines[line - 1], 0), key, value)
    return "\n".join(lines)


def set_in_element(text: str, position: int, key: str, value: JsonValue) -> str:
    """Returns the JSON list with a value of the case at ``position``."""
    return with_member(text, _cases(text).members[position].value, key, value)


def with_member(text: str, start: int, key: str, value: JsonValue) -> str:
    """Returns the JSON with a value in the map that opens at ``start`` and has at least one member."""
    row = container_at(text, start)
    written = literal(value, row.gap, row.colon)
    for member in row.members:
        if member.name == key:
            return f"{text[: member.value]}{written}{text[member.end :]}"
    last = row.members[-1]
    return f"{text[: last.end]},{row.gap}{literal(key)}{row.colon}{written}{text[last.end :]}"


def add_line(text: str, row: Mapping[str, JsonValue]) -> str:
    """Returns the JSONL with one more line."""
    filled = [line for line in text.split("\n") if line.strip()]
    sample = container_at(filled[-1], _skip(filled[-1], 0)) if filled else None
    start = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{start}{_written(row, sample)}\n"


def add_element(text: str, row: Mapping[str, JsonValue]) -> str:
    """Returns the JSON list with one more element."""
    cases = _cases(text)
    if not cases.members:
        raise NoEditError("the list is empty, so there is no case to copy the form from")
    last = cases.members[-1]
    sample = container_at(text, last.value)
    gap = cases.gap if len(cases.members) > 1 else text[cases.start + 1 : last.key]
    return f"{text[: last.end]},{gap}{_written(row, sample)}{text[last.end :]}"


def _cases(text: str) -> Container:
    whole = container_at(text, _skip(text, 0))
    if text[whole.start] == "{":
        whole = container_at(text, whole.members[0].value)
    return whole


def _written(row: Mapping[str, JsonValue], sample: Container | None) -> str:
    gap, colon, close = " ", ": ", ""
    if sample is not None:
        gap, colon = sample.gap, sample.colon
        close = sample.text[sample.members[-1].end : sample.end - 1]
    opening = gap if "\n" in gap else close
    members = (f"{literal(key)}{colon}{literal(value, gap, colon)}" for key, value in row.items())
    return "{" + opening + f",{gap}".join(members) + close + "}"


def literal(value: JsonValue, gap: str = " ", colon: str = ": ") -> str:
    """Returns a value on one line, with every invisible character escaped."""
    separators = ("," if not gap else ", ", colon)
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    if visible(text) == text:
        return text
    return "".join(c if visible(c) == c else json.dumps(c)[1:-1] for c in text)
