"""A new case from what a person gives: inputs, what the answer should have been, and a slice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from engine.new_cases.masking import Masker
from engine.readers.bounded import MAX_DEPTH, did_you_mean, shown
from engine.slices.suggestions import Suggestion, best_suggestion, free_sources
from schemas.config import LineageConfig
from schemas.errors import UsageError
from schemas.testsets import Source, TestCase, TestSet

MAX_INPUT_BYTES = 1024 * 1024
"""Bytes of an input that a person pastes."""


@dataclass(frozen=True)
class Draft:
    """A case as a test set contains it, and what was masked in it."""

    row: dict[str, JsonValue]
    masked: str


def input_names(tests: TestSet) -> tuple[str, ...]:
    """Returns the names of the inputs that most cases have."""
    shapes = Counter(tuple(case.inputs) for case in (*tests.cases, *tests.unverified))
    return max(shapes, key=lambda shape: shapes[shape], default=())


def inputs_of(text: str, names: Sequence[str]) -> dict[str, JsonValue]:
    """Returns a pasted text as inputs: it is the only input, or a JSON map of several.

    Raises UsageError for a text that is neither.
    """
    if len(names) == 1:
        return {names[0]: text}
    value = json_or_text(text)
    if isinstance(value, dict) and value:
        return value
    listed = ", ".join(names) or "an input"
    raise UsageError(
        f"the cases have several inputs: {shown(listed, 200)}",
        hint=f'give a JSON map of them, {{"{names[0] if names else "input"}": …}}, or --set NAME=VALUE for each',
    )


def expected_value(text: str, tests: Sequence[TestCase]) -> JsonValue:
    """Returns an expectation: text where all cases expect text, else JSON if it is JSON."""
    known = [case.expected for case in tests if case.expected is not None]
    return text if known and all(isinstance(one, str) for one in known) else json_or_text(text)


def json_or_text(text: str) -> JsonValue:
    """Returns the JSON value that a text contains, else the text: also for a value that no test set may contain."""
    # Counted before parsing: the decoder recurses and could exhaust the stack.
    if text.count("[") + text.count("{") > MAX_DEPTH * 100:
        return text
    try:
        value: JsonValue = json.loads(text)
        # Raises for NaN, for numbers such as 1e999, and for half of a surrogate pair.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return text
    return value if _depth(value) <= MAX_DEPTH else text


def _depth(value: JsonValue) -> int:
    depth, level = 0, [value]
    while level:
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        depth, level = depth + 1, [each for one in inner for each in one]
    return depth


def check_label(expected: JsonValue, config: LineageConfig) -> None:
    """Raises UsageError for an expectation that is none of the lineage's labels."""
    for label in expected if isinstance(expected, list) else [expected]:
        if config.labels and expected is not None and label not in config.labels:
            what = f"{shown(str(label))} is not one of the prompt's labels"
            raise UsageError(what, hint=did_you_mean(str(label), config.labels))


def draft(
    inputs: Mapping[str, JsonValue],
    *,
    expected: JsonValue = None,
    slices: Sequence[str] = (),
    same_as: str | None = None,
    mask: bool = True,
) -> Draft:
    """Returns a case from production. With ``mask``, personal data of a known form is replaced."""
    masker = Masker()
    row: dict[str, JsonValue] = {"inputs": dict(inputs)}
    if expected is not None:
        row["expected"] = expected
    if mask:
        row = {key: masker.value(value) for key, value in row.items()}
    if slices:
        row["slice"] = slices[0] if len(slices) == 1 else list(slices)
    if same_as:
        row["same_as"] = same_as
    return Draft(row | {"source": Source.PRODUCTION.value}, masker.found)


def suggested_slice(inputs: Mapping[str, JsonValue], tests: TestSet) -> Suggestion | None:
    """Returns the slice that rules or the most similar cases of the set suggest for new inputs."""
    new = TestCase(id="\0new", inputs=dict(inputs))
    free = free_sources(tests.model_copy(update={"cases": (*tests.cases, new)}))
    return best_suggestion(new, (free.rules, free.neighbors))
