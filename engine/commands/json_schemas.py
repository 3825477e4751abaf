"""JSON Schemas of the files that people write and of those we publish, for editors and other programs."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import JsonValue

from schemas.config import Config
from schemas.rubrics import Rubric
from schemas.scorecard import Scorecard
from schemas.testsets import TestCase
from schemas.values import Value

Kind = Literal["config", "tests", "rubric", "scorecard"]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS: JsonValue = {"anyOf": [{"type": "string"}, {"items": {"type": "string"}, "type": "array"}]}


def json_schema(kind: Kind) -> dict[str, JsonValue]:
    """Returns the schema of ``promptverdict.yaml``, of test cases, of a rubric or of ``scorecard.json``."""
    match kind:
        case "config":
            return {"$schema": DIALECT, **_config()}
        case "tests":
            return {"$schema": DIALECT, **_tests()}
        case "rubric":
            return {"$schema": DIALECT, **_explained(Rubric)}
        case "scorecard":
            return {"$schema": DIALECT, **_explained(Scorecard, mode="serialization")}


def _explained(model: type[Value], **given: Any) -> dict[str, JsonValue]:
    """Returns the schema of ``model``, with the text below each field as its description.

    pydantic can do this when a class is made, but then every start of the program would read all of these sources.
    """
    schema: dict[str, JsonValue] = model.model_json_schema(**given)
    definitions = _at(schema, "$defs") if "$defs" in schema else {}
    for one in _values(Value):
        part = schema if one is model else definitions.get(one.__name__)
        properties = part.get("properties") if isinstance(part, dict) else None
        names = {name: field.alias or name for name, field in one.model_fields.items()}
        # Another class may have the same name.
        if not isinstance(properties, dict) or set(names.values()) != properties.keys():
            continue
        for name, text in _field_texts(one):
            if isinstance(field := properties[names[name]], dict):
                field.setdefault("description", text)
    return schema


def _values(root: type[Value]) -> Iterator[type[Value]]:
    for one in root.__subclasses__():
        yield one
        yield from _values(one)


def _field_texts(model: type[Value]) -> Iterator[tuple[str, str]]:
    """Yields each field of a class, or of one that it extends, that is followed by a text, and that text."""
    for base in model.__bases__:
        if issubclass(base, Value) and base is not Value:
            yield from _field_texts(base)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in itertools.pairwise(definition.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield field.target.id, inspect.cleandoc(text)


def _config() -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] = _explained(Config)
    floor = _at(schema, "$defs", "GateConfig", "properties", "floor")
    floor["anyOf"] = [{"$ref": floor.pop("$ref")}, {"minimum": 0, "maximum": 1, "type": "number"}]
    return schema


def _tests() -> dict[str, JsonValue]:
    """Returns the schema of a case as engine/readers/cases.py reads it: with short forms, optional ``id``, and texts
    for lists of one."""
    case: dict[str, JsonValue] = _explained(TestCase)
    definitions = case.pop("$defs", {})
    properties = _at(case, "properties")
    for name in ("path", "line", "assertions"):
        del properties[name]
    if isinstance(definitions, dict):
        definitions.pop("Assertion", None)
    properties |= {
        "assert": {"description": "promptfoo's assertions: {type: contains, value: …}.", "type": ["array", "object"]},
        "id": {"description": "Stable name; a hash of the inputs if absent.", "type": ["string", "integer"]},
        "input": {"description": "Short for inputs: {input: …}; a map is taken as inputs."},
        "slice": {"description": "Short for slices.", **_at({"texts": _TEXTS}, "texts")},
        "same_as": {
            "description": _at(properties, "same_as")["description"],
            "type": ["string", "integer", "null"],
        },
        "rubric_notes": {"description": "Another word for rubric.", "type": ["string", "null"]},
    }
    for name in ("must", "must_not"):
        rule: JsonValue = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/CheckRule"}]}
        properties[name] = {**_at(properties, name), "anyOf": [rule, {"items": rule, "type": "array"}]}
    for name in ("slices", "tags", "turns"):
        properties[name] = {**_at(properties, name), **_at({"texts": _TEXTS}, "texts")}
    script: JsonValue = {"$ref": "#/$defs/ScriptedResult"}
    scripts = _at(properties, "tool_results")
    properties["tool_results"] = {**scripts, "anyOf": [script, {"items": script, "type": "array"}]}
    for name in ("slices", "tags", "must", "must_not", "turns", "tool_results"):
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
