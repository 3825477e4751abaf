"""``checks:`` of a lineage, and ``must`` and ``must_not`` of a case: deterministic rules on one output."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, WithJsonSchema

from schemas.values import Fraction, Value


def _as_text(value: Any) -> Any:
    """Returns the JSON of anything but a text or nothing: ``contains: 42`` looks for 42."""
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def _as_texts(value: Any) -> Any:
    return value if isinstance(value, list | tuple) or value is None else [value]


def _as_phrase(value: Any) -> Any:
    """Returns the text to search for. A list would be searched for as JSON, which occurs in no answer."""
    if isinstance(value, list | tuple | dict):
        raise ValueError("one text is needed, for several write contains_all, contains_any or a check for each")
    return _as_text(value)


Variable = Annotated[str, Field(pattern=r"^\{\{[^{}]+\}\}$")]
"""A value that each case fills in."""
Text = Annotated[str, BeforeValidator(_as_text)]
Phrase = Annotated[str, BeforeValidator(_as_phrase)]
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(_as_texts),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Count = Annotated[int, Field(gt=0)] | Variable
Amount = Annotated[float, Field(allow_inf_nan=False)] | Variable


class Between(Value):
    """``numeric_range``."""

    field: str | None = None
    """The field of a JSON answer. By default, the whole answer is the number."""
    min: Amount | None = None
    """The smallest number that passes."""
    max: Amount | None = None
    """The largest number that passes."""


class Alike(Value):
    """``similarity`` and ``rouge_l``."""

    text: Text
    """What the answer is compared with."""
    min: Fraction | Variable
    """The smallest similarity that passes."""


class Near(Value):
    """``levenshtein``."""

    text: Text
    """What the answer is compared with."""
    max: Annotated[int, Field(ge=0)] | Variable
    """The largest distance that passes."""


class CheckRule(Value):
    """A deterministic rule on the output. Exactly one key is set; the module of its name in evaluators/check_rules/
    applies it. Every text may have variables such as ``{{expected}}``, which the case fills in."""

    contains: Phrase | None = None
    """A text that must occur. Case is ignored."""
    contains_all: Texts | None = None
    """Texts that must all occur. Case is ignored."""
    contains_any: Texts | None = None
    """Texts of which at least one must occur. Case is ignored."""
    ends_with: Phrase | None = None
    """How the output must end, ignoring whitespace around it."""
    exact_match: Text | None = None
    """The whole output, ignoring whitespace around it."""
    is_refusal: bool | None = None
    """``true``: the output must start with a refusal. ``false``: it must not."""
    json_schema_valid: dict[str, JsonValue] | None = None
    """A JSON Schema for the output, which must be JSON."""
    levenshtein: Near | None = None
    """The largest edit distance to a text."""
    max_characters: Count | None = None
    """The most characters that the output may have."""
    max_words: Count | None = None
    """The most words that the output may have."""
    min_characters: Count | None = None
    """The fewest characters that the output may have."""
    min_words: Count | None = None
    """The fewest words that the output may have."""
    not_contains: Phrase | None = None
    """A text that must not occur. Case is ignored."""
    not_regex_match: Phrase | None = None
    """A regular expression (RE2) that must not match anywhere."""
    numeric_range: Between | None = None
    """The range of the number in the output."""
    regex_match: Phrase | None = None
    """A regular expression (RE2) that must match somewhere."""
    required_fields_present: Texts | None = None
    """Fields of a JSON output that must have a value: ``total``, ``vendor.name``, ``items[].price``."""
    rouge_l: Alike | None = None
    """The smallest ROUGE-L (F1) to a text."""
    set_match: Texts | None = None
    """The members of the output, a JSON list or a text with separators, in any order."""
    similarity: Alike | None = None
    """The smallest similarity to a text."""
    starts_with: Phrase | None = None
    """How the output must start, ignoring whitespace around it."""


class Check(CheckRule):
    """A check of a lineage, of any use case."""

    name: str
    """Its name in the scorecard."""
