"""Keywords of JSON Schema that the library would check with Python's regular expressions, in quadratic time, or not at
all. Imported only where a schema is used, since the library takes 100 ms to import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from pydantic import JsonValue

from evaluators.json_formats import FORMATS
from evaluators.patterns import compile_pattern
from evaluators.text import shown

Errors = Iterator[ValidationError]
_Schema = Mapping[str, Any]


def _pattern(_validator: Validator, pattern: str, instance: JsonValue, _schema: _Schema) -> Errors:
    if isinstance(instance, str) and not _matcher(pattern)(instance):
        yield ValidationError(f"“{shown(instance)}” does not match {shown(pattern, 40)}")


def _unique(_validator: Validator, wanted: bool, instance: JsonValue, _schema: _Schema) -> Errors:
    # Linear time; the library would compare every pair.
    if wanted and isinstance(instance, list):
        spellings = {json.dumps(_by_value(member), sort_keys=True) for member in instance}
        if len(spellings) < len(instance):
            yield ValidationError("the items are not unique")


def _by_value(value: JsonValue) -> JsonValue:
    """Returns a value in which 1.0 is 1, as in JSON."""
    if isinstance(value, dict):
        return {key: _by_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_by_value(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _format(_validator: Validator, name: str, instance: JsonValue, _schema: _Schema) -> Errors:
    if isinstance(instance, str) and name in FORMATS and not FORMATS[name](instance):
        yield ValidationError(f"“{shown(instance)}” is no {name}")


def _pattern_properties(validator: Any, patterns: _Schema, instance: JsonValue, _schema: _Schema) -> Errors:
    if isinstance(instance, dict):
        for pattern, below in patterns.items():
            for name in filter(_matcher(pattern), instance):
                yield from validator.descend(instance[name], below, path=name, schema_path=pattern)


def _additional_properties(validator: Any, below: Any, instance: JsonValue, schema: _Schema) -> Errors:
    if not isinstance(instance, dict):
        return
    named, matchers = schema.get("properties", {}), [_matcher(one) for one in schema.get("patternProperties", {})]
    for name in instance:
        if name in named or any(matches(name) for matches in matchers):
            continue
        if below is False:
            yield ValidationError(f"the property “{shown(name)}” was unexpected")
        else:
            yield from validator.descend(instance[name], below, path=name)


def _matcher(pattern: str) -> Callable[[str], bool]:
    return compile_pattern(pattern, "the schema")


OWN: Mapping[str, Callable[..., Errors]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique,
    "format": _format,
}
