"""Finds keywords of a JSON Schema that never apply.

JSON Schema ignores some keywords silently: a misspelled ``required``, an unknown ``format``, a keyword of another
draft, ``minLength`` beside ``type: integer``. A schema with one would check less than it promises.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from pydantic import JsonValue

from evaluators.json_formats import FORMATS
from evaluators.placeholders import placeholder
from evaluators.text import shown

_WITHOUT_EFFECT = frozenset(
    {"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$defs", "definitions"}
) | {"$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
"""Keywords that name, explain or contain other schemas. They aren't meant to check anything."""
_ANNOTATIONS = {
    "contentEncoding": "drop it",
    "contentMediaType": "drop it",
    "contentSchema": "drop it",
}
_NEEDS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}
_OF_TYPE = {
    "number": "multipleOf maximum exclusiveMaximum minimum exclusiveMinimum",
    "string": "maxLength minLength pattern format",
    "array": "items prefixItems additionalItems unevaluatedItems contains maxItems minItems uniqueItems",
    "object": "properties patternProperties additionalProperties unevaluatedProperties propertyNames required "
    "maxProperties minProperties dependencies dependentRequired dependentSchemas",
}
_TYPE_OF = {keyword: kind for kind, keywords in _OF_TYPE.items() for keyword in keywords.split()}
_ONE = (
    *("items", "additionalItems", "unevaluatedItems", "contains", "additionalProperties", "unevaluatedProperties"),
    *("propertyNames", "not", "if", "then", "else"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")


def unapplied(
    schema: Mapping[str, JsonValue], known: Collection[str], *, siblings_of_ref: bool
) -> tuple[str, str] | None:
    """Returns a keyword that is never applied and how to fix it, or ``None``.

    ``known`` holds the keywords that the schema's draft applies. ``siblings_of_ref`` says that the draft applies
    keywords beside ``$ref`` (from 2019-09 on). ``schema`` must be valid: its subschemas are followed, its data
    (``enum``, ``const``, names of properties) is not.
    """
    rest: list[tuple[str, JsonValue]] = [("", dict(schema))]
    while rest:
        place, node = rest.pop()
        if not isinstance(node, dict):
            continue
        alone = "$ref" in node and not siblings_of_ref
        for key in node:
            found = _ignored_beside_ref(key) if alone and key != "$ref" else _idle(key, node, known)
            if found is not None:
                return f"{found[0]}{f' at {shown(place, 60)}' if place else ''}", found[1]
        rest += reversed(list(_children(place, node)))
    return None


def _ignored_beside_ref(key: str) -> tuple[str, str] | None:
    if key in _WITHOUT_EFFECT:
        return None
    return f"this draft ignores the schema's `{_named(key)}` beside `$ref`", "put both under `allOf`"


def _named(key: str) -> str:
    """Returns a key for one line of an error: unprintable characters are replaced."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown(key, 40))


def _idle(key: str, node: Mapping[str, JsonValue], known: Collection[str]) -> tuple[str, str] | None:
    """Returns why the keyword does nothing in this schema, and how to fix it."""
    if key in _WITHOUT_EFFECT or key.startswith("x-"):
        return None
    if key in _ANNOTATIONS:
        return f"the schema's `{key}` is not checked", _ANNOTATIONS[key]
    if key in _NEEDS:
        wanted = _NEEDS[key]
        return None if wanted in node else (f"the schema's `{key}` does nothing without `{wanted}`", f"add `{wanted}`")
    if key not in known:
        near = get_close_matches(key, [*known, *_WITHOUT_EFFECT], 1)
        hint = f"did you mean {near[0]}?" if near else "remove it, or name the draft that has it under `$schema`"
        return f"the schema's `{_named(key)}` is not a keyword of its draft and checks nothing", hint
    if key in _TYPE_OF:
        found = _of_another_type(key, _TYPE_OF[key], node.get("type"))
        return _unknown_format(node[key]) if key == "format" and found is None else found
    return _unfilled(key, node[key]) if key in ("const", "enum") else None


def _unknown_format(name: JsonValue) -> tuple[str, str] | None:
    if name in FORMATS:
        return None
    return f"the schema's format “{_named(str(name))}” is not checked", f"use one of {', '.join(FORMATS)}"


def _of_another_type(key: str, kind: str, types: JsonValue) -> tuple[str, str] | None:
    allowed = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    if not allowed or kind in allowed or (kind == "number" and "integer" in allowed):
        return None
    named = " or ".join(map(str, allowed))
    return f"the schema's `{key}` is for a value of type {kind}, but `type` is {named}", f"drop `{key}`"


def _unfilled(key: str, value: JsonValue) -> tuple[str, str] | None:
    texts = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
    found = next((found for text in texts if (found := placeholder(text))), None)
    return (
        (f"the schema's `{key}` contains {found}, which is not filled in", "write the text itself") if found else None
    )


def _children(place: str, node: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    for key in _ONE:
        if key in node:
            yield f"{place}/{key}", node[key]
    for key in _LISTS:
        members = node.get(key)
        if isinstance(members, list):
            yield from ((f"{place}/{key}/{index}", member) for index, member in enumerate(members))
    for key in _MAPS:
        members = node.get(key)
        if isinstance(members, dict):
            yield from ((f"{place}/{key}/{name}", member) for name, member in members.items())
