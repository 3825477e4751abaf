"""Reads JSON from a model's answer: bare, fenced or within prose. Strict, bounded and linear in time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn

from pydantic import JsonValue

from evaluators.text import shown, without_fence, without_reasoning

MAX_CHARACTERS = 4 * 1024 * 1024
MAX_DEPTH = 64

_FENCED_OBJECT = re.compile(r"```[A-Za-z]{0,16}[ \t]*\r?\n\s*(?=\{)")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_BRACKETS = re.compile(r"[{}\[\]]")
_WITHDRAWN_BEFORE = re.compile(r"(?:\b(?:cannot|can not|not|never|won['’]t)|n['’]t)\b[^.,;:!?\n]{0,40}$", re.IGNORECASE)
_WITHDRAWN_AFTER = re.compile(
    r"[\s`*]*(?:is|was|would be)\s+(?:not\s+(?:the\s+|my\s+)?(?:right|correct|valid|answer)|wrong|incorrect|invalid)\b",
    re.IGNORECASE,
)
_OBJECT_START = re.compile(r"\{(?=\s*\")")
_EMPTY_OBJECT = re.compile(r"\{\s*\}")


@dataclass(frozen=True, slots=True)
class JsonReading:
    """A JSON value, or the reason why there is none."""

    found: bool
    value: JsonValue = None
    problem: str = ""


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    items: dict[str, JsonValue] = {}
    for key, value in pairs:
        # Parsers disagree about which of two values counts, so the answer has no single meaning.
        if key in items:
            raise ValueError(f"the key “{shown(key, 40)}” occurs twice in one object")
        items[key] = value
    return items


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    # `float` reads 1e999 as infinity without an error.
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)


def _too_deep(value: JsonValue) -> bool:
    # Level by level and not by recursion, which a deep value would exhaust.
    level: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True


def _decode_from(text: str, start: int) -> tuple[JsonReading, int]:
    """Returns the value that starts at ``start``, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return JsonReading(False, problem=f"not valid JSON: {error.msg} (line {error.lineno})"), start
    except ValueError as error:
        return JsonReading(False, problem=f"not valid JSON: {shown(str(error), 100)}"), start
    # The decoder's own limit comes first for very deep texts.
    except RecursionError:
        return JsonReading(False, problem=f"JSON nested deeper than {MAX_DEPTH}"), start
    if _too_deep(value):
        return JsonReading(False, problem=f"JSON nested deeper than {MAX_DEPTH}"), start
    return JsonReading(True, encodable(value) if _SURROGATE.search(text) else value), end


def encodable(value: JsonValue) -> JsonValue:
    """Returns ``value`` with U+FFFD for each lone surrogate, which patterns and stores reject."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [encodable(item) for item in value]
    if isinstance(value, dict):
        return {str(encodable(key)): encodable(item) for key, item in value.items()}
    return value


def read_json(text: str) -> JsonReading:
    """Returns the JSON value that makes up the whole ``text``, bare or in one code fence."""
    body = without_fence(text)
    if len(body) > MAX_CHARACTERS:
        return JsonReading(False, problem=f"longer than {MAX_CHARACTERS:,} characters")
    reading, end = _decode_from(body, 0)
    # Two values in a row are as often a mistake as an answer with a comment. Neither is valid JSON.
    if reading.found and body[end:].strip():
        return JsonReading(False, problem="not valid JSON: text follows it")
    return reading


def read_object(text: str) -> JsonReading:
    """Returns the only JSON object of ``text``; ``value`` is then a dict.

    A fenced object counts before one in prose, and a reasoning block is not read. The text must have one meaning: two
    objects, an object inside a list or a literal of code, duplicate keys, NaN, infinities and a missing end fail. An
    empty object counts only if there is no other.
    """
    if len(text) > MAX_CHARACTERS:
        return JsonReading(False, problem=f"longer than {MAX_CHARACTERS:,} characters")
    body = without_reasoning(text)
    fenced = [found.end() for found in _FENCED_OBJECT.finditer(body)]
    if len(fenced) > 1:
        return SEVERAL
    # Prose around an answer often contains braces, and a fence marks the intended object.
    if fenced:
        return _only(body[fenced[0] : _end_of_fence(body, fenced[0])])
    return _only(body)


SEVERAL = JsonReading(False, problem="several JSON objects, so none is the answer")


def _end_of_fence(body: str, start: int) -> int:
    end = body.find("\n```", start)
    return len(body) if end < 0 else end


def _only(body: str) -> JsonReading:
    """Returns the object of a text that has exactly one."""
    # Only `{"` and `{}` start a JSON object. Other braces belong to prose or templates.
    starts = [start.start() for start in _OBJECT_START.finditer(body)]
    if not starts:
        empty = _EMPTY_OBJECT.search(body) is not None
        return JsonReading(True, {}) if empty else JsonReading(False, problem="no JSON object in the answer")
    reading, end = _decode_from(body, starts[0])
    if not reading.found:
        return reading
    if any(start >= end for start in starts):
        return SEVERAL
    around = (body[: starts[0]], body[end:])
    if _WITHDRAWN_BEFORE.search(around[0][-80:]) or _WITHDRAWN_AFTER.match(around[1]):
        return JsonReading(False, problem="the text around the JSON object says that it is not the answer")
    if any(open_brackets(part) or open_brackets(part[::-1].translate(_MIRRORED)) for part in around):
        return JsonReading(False, problem="the JSON object is part of a list or of code, so it is not the answer")
    return reading


_MIRRORED = str.maketrans("{}[]", "}{][")


def open_brackets(text: str) -> bool:
    """Returns whether a brace or a bracket of ``text`` is still open at its end."""
    closed = {"{": 0, "[": 0}
    opener = {"}": "{", "]": "["}
    # From the end, because the last bracket usually decides.
    for found in _BRACKETS.finditer(text[::-1]):
        mark = found[0]
        if mark in opener:
            closed[opener[mark]] += 1
        elif not closed[mark]:
            return True
        else:
            closed[mark] -= 1
    return False
