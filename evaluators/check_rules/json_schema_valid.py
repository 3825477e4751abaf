"""``json_schema_valid``: the output is JSON, or holds one JSON object, and satisfies a JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from evaluators.json_schema import schema_check


def build(schema: Mapping[str, JsonValue], where: str) -> Callable[[str], str]:
    """Returns the rule."""
    return schema_check(schema, where)
