"""Single values of fields: when two are equal, how alike two texts are, and how a value is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from evaluators.text import normalised, one_line, shown

_MARKS = re.compile(r"[.,;:!?]+(?=\s|$)|[\"“”„«»`()\[\]]")
"""Punctuation between words. Marks inside numbers, addresses and signs such as + and - belong to the value."""
_DOTS = re.compile(r"(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)|(?<=\.[^\W\d_])\.")
"""The dots of abbreviations such as U.S.A."""
_AROUND = " .,;:!?\"'`*_()[]{}|«»“”„‘’‹›。、！？"
"""Marks around a value that are no part of it. In “<5” and “~5”, the sign is."""
MAX_FUZZY_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True)
class FieldResult:
    """The score of a field, and what is wrong with it."""

    value: float
    reason: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Of a list of objects: the score of each of their fields."""


RIGHT = FieldResult(1.0)


def show(value: JsonValue, limit: int = 60) -> str:
    """Returns a JSON value for a reason: short, on one line, texts unchanged."""
    return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), limit)


def same_json(one: JsonValue, other: JsonValue) -> bool:
    """Returns whether two JSON values are equal. ``true`` is not 1, but 1 is 1.0. The order of keys is ignored."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def nothing(value: JsonValue) -> bool:
    """Returns whether a value means that there is none: null, a blank text, or an empty list or object."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def wrong(expected: JsonValue, given: JsonValue, why: str = "") -> FieldResult:
    """Returns the result of a wrong value, and why it is wrong."""
    return FieldResult(0, f"wrong: expected {show(expected)}, got {show(given)}{f' ({why})' if why else ''}")


def plain(value: JsonValue) -> str:
    """Returns one spelling of a value for lenient comparisons. A key with null counts as absent."""
    if isinstance(value, str):
        words = one_line(value)
        words = words.strip(_AROUND) or words
        # Without its dots, "a.b@example.com" would be another address.
        plainer = words if "@" in words else _DOTS.sub("", words)
        return " ".join(_MARKS.sub(" ", plainer).split()) or words
    if isinstance(value, dict):
        there = sorted(key for key, item in value.items() if item is not None)
        return "{" + ",".join(f"{normalised(key)}:{plain(value[key])}" for key in there) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(plain, value)) + "]"
    # JSON has one kind of number: 3.0 and 3 mean the same.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def similarity(one: str, other: str, threshold: float, limit: int = MAX_FUZZY_CHARACTERS) -> float:
    """Returns the normalized Indel similarity of the first ``limit`` characters (rapidfuzz), or 0 if it is below
    ``threshold``."""
    from rapidfuzz.distance import Indel  # takes 40 ms to import, which most lineages don't need

    return float(Indel.normalized_similarity(one[:limit], other[:limit], score_cutoff=threshold))
