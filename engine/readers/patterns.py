"""Checks regular expressions and JSON Schemas of a configuration, so that neither can do harm later."""

from __future__ import annotations

from pydantic import JsonValue

from engine.readers.bounded import shown

MAX_PATTERN = 2_000
MAX_PROGRAM_BYTES = 1 << 20
"""Memory in bytes that RE2 may use for one compiled pattern."""


def regex_mistake(pattern: str) -> str | None:
    """Returns why ``pattern`` can't be used, or ``None``.

    RE2 runs in linear time and has no look-around or back-references.
    """
    import re2  # type: ignore[import-untyped]

    if len(pattern) > MAX_PATTERN:
        return f"it is longer than {MAX_PATTERN:,} characters"
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return shown(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason), 120)
    return None


def schema_mistake(schema: JsonValue) -> str | None:
    """Returns why ``schema`` can't be used as a JSON Schema (draft 2020-12, or the one it names), or ``None``.

    References must stay within it.
    """
    if not isinstance(schema, dict | bool):
        return "it is not a map"
    outside = _outside_reference(schema)
    if outside is not None:
        return f"the reference {shown(outside)} leaves the schema"
    if (pattern := _bad_pattern(schema)) is not None:
        return pattern
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)  # type: ignore[arg-type] # or a bool
    except SchemaError as error:
        path = "/".join(str(step) for step in error.absolute_path)
        return f"{f'{shown(path)}: ' if path else ''}{shown(error.message, 120)}"
    return None


def _outside_reference(schema: JsonValue) -> str | None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#"):
                return value
            if (found := _outside_reference(value)) is not None:
                return found
    elif isinstance(schema, list):
        for value in schema:
            if (found := _outside_reference(value)) is not None:
                return found
    return None


def _bad_pattern(schema: JsonValue) -> str | None:
    """Returns the first pattern that RE2 refuses. jsonschema would run ``pattern`` and ``patternProperties`` as Python
    regular expressions."""
    if isinstance(schema, dict):
        patterns: list[str] = []
        if isinstance(pattern := schema.get("pattern"), str):
            patterns.append(pattern)
        if isinstance(properties := schema.get("patternProperties"), dict):
            patterns += properties
        for text in patterns:
            if (mistake := regex_mistake(text)) is not None:
                return f"pattern {shown(text)}: {mistake}"
        children = list(schema.values())
    elif isinstance(schema, list):
        children = schema
    else:
        return None
    for child in children:
        if (found := _bad_pattern(child)) is not None:
            return found
    return None
