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
_OBJECT_START = re.compile(r"\{(?=\s*([\"}]))")


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


def _decode(text: str, start: int, *, whole: bool) -> JsonReading:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return JsonReading(False, problem=f"not valid JSON: {error.msg} (line {error.lineno})")
    except ValueError as error:
        return JsonReading(False, problem=f"not valid JSON: {shown(str(error), 100)}")
    # The decoder's own limit comes first for very deep texts.
    except RecursionError:
        return JsonReading(False, problem=f"JSON nested deeper than {MAX_DEPTH}")
    # Two values in a row are as often a mistake as an answer with a comment. Neither is valid JSON.
    if whole and text[end:].strip():
        return JsonReading(False, problem="not valid JSON: text follows it")
    if _too_deep(value):
        return JsonReading(False, problem=f"JSON nested deeper than {MAX_DEPTH}")
    return JsonReading(True, encodable(value) if _SURROGATE.search(text) else value)


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
    return _decode(body, 0, whole=True)


def read_object(text: str) -> JsonReading:
    """Returns the first JSON object of ``text``; ``value`` is then a dict.

    Prefers a fenced object to one in prose, and text after a reasoning block to the block. The first text that starts
    like an object must be one: duplicate keys, NaN, infinities or a missing end fail without a search for another. An
    empty object counts only if there is no other.
    """
    if len(text) > MAX_CHARACTERS:
        return JsonReading(False, problem=f"longer than {MAX_CHARACTERS:,} characters")
    body = without_reasoning(text)
    # Prose around an answer often contains braces, and a fence marks the intended object.
    if fenced := _FENCED_OBJECT.search(body):
        return _decode(body, fenced.end(), whole=False)
    empty = False
    for start in _OBJECT_START.finditer(body):
        # Only `{"` and `{}` start a JSON object. Other braces belong to prose or templates.
        if start[1] == '"':
            return _decode(body, start.start(), whole=False)
        empty = True
    return JsonReading(True, {}) if empty else JsonReading(False, problem="no JSON object in the answer")
