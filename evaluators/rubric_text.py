"""The parts of a judge's request and reply that don't depend on how it judges by a rubric."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from evaluators.json_answers import read_json
from evaluators.judging import Fence, Reading
from evaluators.text import without_reasoning
from schemas.rubrics import Dimension, Rubric
from schemas.testsets import TestCase


def described(name: str, dimension: Dimension) -> str:
    """Returns a dimension with its anchors under a heading."""
    anchors = [f"{grade}: {text}" for grade, text in sorted(dimension.anchors.items())]
    return "\n".join([f"## {name}", dimension.description, *anchors])


def task_parts(case: TestCase, fence: Fence) -> list[str]:
    """Returns what the answer is for, with its headings. All of it is untrusted and fenced."""
    parts = ["# Task", fence.around("task", _as_text(case.inputs))]
    if case.expected is not None:
        parts += [
            "# Reference: a good answer, or what one must hold",
            fence.around("reference", _as_text(case.expected)),
        ]
    if case.rubric:
        parts += ["# Note on this case", fence.around("note", case.rubric)]
    return parts


def read_entries(text: str, names: tuple[str, ...]) -> Reading[dict[str, dict[str, JsonValue]]]:
    """Returns what a judge's reply says about each dimension: one JSON object with exactly these keys.

    An entry that is no object is empty. Reasoning before the object is left out.
    """
    reading = read_json(without_reasoning(text))
    if not isinstance(reading.value, dict):
        return Reading(None, f"the judge's reply is not a JSON object{reading.problem and f': {reading.problem}'}")
    # A missing entry can't be guessed, and an extra one shows that the judge answered something else.
    if reading.value.keys() != set(names):
        fix = "choose a stronger judge, or a rubric with fewer dimensions"
        return Reading(None, "the judge's reply doesn't have exactly the rubric's dimensions", fix=fix)
    found = {name: reading.value[name] for name in names}
    return Reading({name: entry if isinstance(entry, dict) else {} for name, entry in found.items()})


def entries_schema(names: list[str], key: str, values: JsonValue) -> dict[str, JsonValue]:
    """Returns the JSON Schema of a reply: each dimension with a reason, then ``key``, whose values are ``values``."""
    entry: JsonValue = {
        "type": "object",
        "properties": {"reason": {"type": "string"}, key: values},
        "required": ["reason", key],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": dict.fromkeys(names, entry),
        "required": list(names),
        "additionalProperties": False,
    }


def weighted_mean(rubric: Rubric, values: Mapping[str, float]) -> float:
    """Returns the mean of the dimensions by their weights."""
    weights = {name: dimension.weight for name, dimension in rubric.dimensions.items() if name in values}
    return sum(values[name] * weight for name, weight in weights.items()) / sum(weights.values())


def _as_text(value: JsonValue | Mapping[str, JsonValue]) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
