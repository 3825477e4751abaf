"""JSON Schemas of what people write and what we publish, for editors and for other programs."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from schemas.config import Config
from schemas.rubrics import Rubric
from schemas.scorecard import Scorecard
from schemas.testsets import TestCase

Kind = Literal["config", "tests", "rubric", "scorecard"]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS: JsonValue = {"anyOf": [{"type": "string"}, {"items": {"type": "string"}, "type": "array"}]}


def json_schema(kind: Kind) -> dict[str, JsonValue]:
    """The schema of ``promptverdict.yaml``, of test cases, of a rubric or of ``scorecard.json``."""
    match kind:
        case "config":
            return {"$schema": DIALECT, **_config()}
        case "tests":
            return {"$schema": DIALECT, **_tests()}
        case "rubric":
            return {"$schema": DIALECT, **Rubric.model_json_schema()}
        case "scorecard":
            return {"$schema": DIALECT, **Scorecard.model_json_schema(mode="serialization")}


def _config() -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] = Config.model_json_schema()
    floor = _at(schema, "$defs", "GateConfig", "properties", "floor")
    floor["anyOf"] = [{"$ref": floor.pop("$ref")}, {"minimum": 0, "maximum": 1, "type": "number"}]
    return schema


def _tests() -> dict[str, JsonValue]:
    """As engine/readers/cases.py reads a case: short forms included, ``id`` optional, texts for lists of one."""
    case: dict[str, JsonValue] = TestCase.model_json_schema()
    definitions = case.pop("$defs", {})
    properties = _at(case, "properties")
    del properties["line"]
    properties |= {
        "id": {"description": "Stable name; a hash of the inputs if absent.", "type": ["string", "integer"]},
        "input": {"description": "Short for inputs: {input: …}; a map is taken as inputs."},
        "slice": {"description": "Short for slices.", **_at({"texts": _TEXTS}, "texts")},
        "rubric_notes": {"description": "Another word for rubric.", "type": ["string", "null"]},
    }
    for name in ("slices", "tags", "must_not"):
        properties[name] = {**_at(properties, name), **_at({"texts": _TEXTS}, "texts")}
        for key in ("type", "items", "default"):
            _at(properties, name).pop(key, None)
    case.pop("required", None)
    case.pop("additionalProperties", None)
    case["anyOf"] = [{"required": ["inputs"]}, {"required": ["input"]}]
    return {
        "title": "Test set",
        "description": "One case (a line of JSONL), or a list of cases (YAML, JSON).",
        "anyOf": [{"$ref": "#/$defs/Case"}, {"type": "array", "items": {"$ref": "#/$defs/Case"}}],
        "$defs": {"Case": case, **(definitions if isinstance(definitions, dict) else {})},
    }


def _at(schema: dict[str, JsonValue], *path: str) -> dict[str, JsonValue]:
    for key in path:
        below = schema[key]
        assert isinstance(below, dict)
        schema = below
    return schema
