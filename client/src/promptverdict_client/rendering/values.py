"""Variables as JSON values: the cases that the gate measured are JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from promptverdict_client.errors import RenderError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Variables: TypeAlias = Mapping[str, Json]

MAX_OUTPUT = 4 * 1024 * 1024
"""Most characters of one rendered prompt, as in the gate: about a million tokens of text."""


def as_json(value: object, where: str) -> Json:
    """Returns a copy of ``value`` in JSON's own types: tuples become lists, and subclasses lose their class.

    Raises RenderError for anything else. ``where`` names the variable.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # the text itself, which `str()` isn't for every enumeration
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list | tuple):
        return [as_json(item, where) for item in value]
    if isinstance(value, Mapping):
        return {_key(key, where): as_json(item, where) for key, item in value.items()}
    raise RenderError(f"the variable {where} contains a {type(value).__name__}: give a text, a number, a list or a map")


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise RenderError(f"the variable {where} has a key that is not a text: {key!r}")
    return str.__str__(key)


def missing(name: str, variables: Variables) -> RenderError:
    """Returns the error for a variable that has no value."""
    given = ", ".join(sorted(variables)[:8]) or "none"
    return RenderError(f"the variable {name} has no value (given: {given})", variable=name)


def too_long() -> RenderError:
    """Returns the error for a prompt that is longer than the gate would measure."""
    return RenderError(f"the rendered prompt is longer than {MAX_OUTPUT:,} characters")
