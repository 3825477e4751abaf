"""``required_fields_present``: fields of the JSON object in the output have a value: neither null nor empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from evaluators.check_values import all_written
from evaluators.field_values import nothing
from evaluators.json_answers import read_object
from evaluators.text import shown


def build(fields: Sequence[str], where: str) -> Callable[[str], str]:
    """Returns the rule."""
    names = all_written(fields, where)

    def rule(output: str) -> str:
        reading = read_object(output)
        if not reading.found:
            return reading.problem
        missing = [name for name in names if not _has(reading.value, name)]
        return f"lacks {', '.join(shown(name, 40) for name in missing[:5])}" if missing else ""

    return rule


def _has(value: JsonValue, name: str) -> bool:
    """Returns whether a field has a value. ``items[].price`` needs one in each item, and at least one item."""
    if isinstance(value, dict) and name in value:
        return not nothing(value[name])
    step, _, rest = name.partition(".")
    several = step.endswith("[]")
    inner = value.get(step.removesuffix("[]")) if isinstance(value, dict) else None
    if several:
        return isinstance(inner, list) and bool(inner) and all(not rest or _has(one, rest) for one in inner)
    return bool(rest) and _has(inner, rest)
