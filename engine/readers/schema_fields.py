"""Finds fields of an extraction that ``output.schema`` forbids, or gives another type: no answer could be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import JsonValue

from engine.readers.bounded import shown
from engine.readers.field_mistakes import Mistake, Place
from schemas.field_config import FieldKind, FieldRule

_Schema = Mapping[str, JsonValue]
_FOLLOWED = 20
"""Most references that are followed in a row."""
_OPEN = frozenset({"patternProperties", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "$dynamicRef"})
"""Keywords that may say more about a value. Nothing is claimed of a schema that has one."""
_SCALAR = frozenset({"string", "number", "integer", "boolean"})
_READABLE = {
    FieldKind.NUMBER: frozenset({"number", "integer", "string"}),
    FieldKind.DATE: frozenset({"string", "integer"}),
    FieldKind.BOOLEAN: _SCALAR,
    FieldKind.ENUM: _SCALAR,
    FieldKind.FUZZY: _SCALAR,
    FieldKind.REGEX: _SCALAR,
    FieldKind.LIST: frozenset({"array", "string"}),
    FieldKind.SET: frozenset({"array", "string"}),
    FieldKind.OBJECTS: frozenset({"array", "object"}),
}
"""JSON types that a field of a kind can be read from. The other kinds read all."""


def of_schema(place: Place, fields: Mapping[str, FieldRule], schema: _Schema) -> Iterator[Mistake]:
    """Yields the fields that contradict the schema. ``place`` is that of ``fields``."""
    yield from _of_fields(place, fields, schema, schema)


def _of_fields(place: Place, fields: Mapping[str, FieldRule], node: _Schema, root: _Schema) -> Iterator[Mistake]:
    for name, rule in fields.items():
        if rule.kind is FieldKind.ABSENT:
            continue
        found = _at(name, node, root)
        if found is False:
            what = f"the field {shown(name)} is forbidden by output.schema, so no answer can have it"
            yield (*place, name), what, "add it to the schema's properties, or remove the field"
        elif found is not None:
            yield from _of_type((*place, name), name, rule, found)
            items = _resolved(found.get("items"), root)
            if rule.kind is FieldKind.OBJECTS and items is not None:
                yield from _of_fields((*place, name, "fields"), rule.fields, items, root)


def _of_type(place: Place, name: str, rule: FieldRule, node: _Schema) -> Iterator[Mistake]:
    stated = node.get("type")
    types = {str(one) for one in (stated if isinstance(stated, list) else [stated]) if one is not None} - {"null"}
    readable = _READABLE.get(rule.kind)
    if types and readable is not None and not types & readable:
        what = f"the field {shown(name)} is {rule.kind}, but output.schema makes it {' or '.join(sorted(types))}"
        yield place, what, "change the kind of the field, or the type in the schema"


def _at(name: str, node: _Schema, root: _Schema) -> _Schema | Literal[False] | None:
    """Returns the schema of a field; ``False`` if it is forbidden, and ``None`` if that can't be told."""
    # A key with dots in its name comes before a path, as in an answer.
    steps = [name] if name in _properties(node) else name.split(".")
    for step in steps:
        if _OPEN & node.keys():
            return None
        if step not in _properties(node):
            return False if node.get("additionalProperties") is False else None
        below = _properties(node)[step]
        if below is False:
            return False
        inner = _resolved(below, root)
        if inner is None:
            return None
        node = inner
    return None if _OPEN & node.keys() else node


def _properties(node: _Schema) -> _Schema:
    found = node.get("properties")
    return found if isinstance(found, dict) else {}


def _resolved(node: JsonValue, root: _Schema) -> _Schema | None:
    """Returns a schema after its local references; ``None`` for one that says nothing or can't be followed."""
    for _ in range(_FOLLOWED):
        if not isinstance(node, dict):
            return None
        reference = node.get("$ref")
        if reference is None:
            return node
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        node = dict(root)
        for step in reference[2:].split("/"):
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return None
