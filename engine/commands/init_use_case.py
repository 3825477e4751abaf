"""Infers for ``promptverdict init`` how answers are scored, from what the cases expect."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from schemas.field_config import FieldKind, FieldRule
from schemas.use_cases import UseCase

MAX_LABELS = 40
"""More distinct expected texts than this are not labels."""
LONGEST_LABEL = 60
FEWEST_LABELED = 4
"""With fewer cases, equal texts may be chance."""


def use_case_of(expected: Sequence[JsonValue]) -> tuple[UseCase, tuple[str, ...], dict[str, FieldRule], str]:
    """Returns the use case, its labels or fields, and what it was inferred from."""
    given = [value for value in expected if value is not None]
    maps = [value for value in given if isinstance(value, dict)]
    if given and len(maps) == len(given):
        return UseCase.EXTRACTION, (), _fields(maps), "the expected values are maps of fields"
    if labels := labels_of(given):
        return UseCase.CLASSIFICATION, labels, {}, f"{len(labels)} distinct expected labels"
    return UseCase.GENERATION, (), {}, "the expected values are free text or absent"


def labels_of(values: Sequence[JsonValue]) -> tuple[str, ...]:
    """Returns the distinct values if they are labels: few, short and repeated."""
    texts = [json.dumps(value) if isinstance(value, bool | int) else value for value in values]
    labels = Counter(text for text in texts if isinstance(text, str) and "\n" not in text and text.strip())
    if labels.total() < max(len(texts), FEWEST_LABELED) or not 2 <= len(labels) <= min(MAX_LABELS, len(texts) // 2):
        return ()
    return tuple(sorted(labels)) if max(map(len, labels)) <= LONGEST_LABEL else ()


def _fields(maps: Sequence[Mapping[str, JsonValue]]) -> dict[str, FieldRule]:
    rules = {}
    for name in dict.fromkeys(key for row in maps for key in row):
        kinds = {_kind(row[name]) for row in maps if row.get(name) is not None}
        rules[name] = FieldRule(kind=kinds.pop() if len(kinds) == 1 else FieldKind.NORMALISED)
    return rules


def _kind(value: JsonValue) -> FieldKind:
    """Returns the rule that fits a value by itself."""
    match value:
        case bool():
            return FieldKind.NORMALISED
        case int() | float():
            return FieldKind.NUMBER
        case list():
            return FieldKind.SET
        case str() if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return FieldKind.DATE
    return FieldKind.NORMALISED
