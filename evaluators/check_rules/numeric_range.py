"""``numeric_range``: the output, or a field of its JSON object, is a number within a range."""

from __future__ import annotations

import math
from collections.abc import Callable

from pydantic import JsonValue

from evaluators.extraction import lookup
from evaluators.field_rules import number_of
from evaluators.field_values import show
from evaluators.json_answers import read_object
from schemas.check_config import Between
from schemas.errors import ConfigError
from schemas.field_config import FieldKind, FieldRule


def build(bounds: Between, where: str) -> Callable[[str], str]:
    """Returns the rule. Raises ConfigError without a bound, and for a range without a number."""
    low = float("-inf") if bounds.min is None else float(bounds.min)
    high = float("inf") if bounds.max is None else float(bounds.max)
    if bounds.min is None and bounds.max is None:
        raise ConfigError(f"{where} has no bound", hint="write {min: 0, max: 100}, or one of the two")
    if low > high:
        raise ConfigError(f"{where} has a min above its max", hint="swap them")
    number = FieldRule(kind=FieldKind.NUMBER)

    def rule(output: str) -> str:
        value: JsonValue = output.strip()
        if bounds.field is not None:
            reading = read_object(output)
            if not isinstance(reading.value, dict):
                return reading.problem
            value = lookup(reading.value, bounds.field)
        found = number_of(number, value)
        if found is None:
            return f"{show(value)} is not a number"
        # As in fields: 85% is 0.85 where the bounds are fractions, else 85.
        share = found.percent and all(abs(bound) <= 1 for bound in (low, high) if math.isfinite(bound))
        amount = found.value / 100 if share else found.value
        if amount < low:
            return f"{show(value)} is less than {low:g}"
        return f"{show(value)} is more than {high:g}" if amount > high else ""

    return rule
