"""Validates a document against one of our models, with errors at their lines."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engine.readers.bounded import Source, did_you_mean, shown
from engine.readers.nodes import Node, find, plain

M = TypeVar("M", bound=BaseModel)

_Location = tuple[str | int, ...]


def validated(model: type[M], node: Node, source: Source, what: str) -> M:
    """Returns ``node`` as a ``model``. ``what`` names the document or part in messages.

    Raises ``source.failure`` for the first mistake in the file's order. The message counts the others.
    """
    if not isinstance(node.value, dict):
        raise source.error(f"{what} is {node.kind}", node.line, node.column, hint=f"{what} is a map of keys")
    try:
        return model.model_validate(plain(node))
    except ValidationError as error:
        # a typo first, since it explains why the intended key is missing
        mistakes = sorted(
            ((*_place(node, detail), detail) for detail in _meant(node, error.errors(include_url=False))),
            key=lambda mistake: (mistake[2]["type"] != "extra_forbidden", mistake[0], mistake[1]),
        )
        line, column, detail = mistakes[0]
        said, hint = _words(model, node, detail, what)
        others = len({_known_steps(node, detail["loc"]) for _, _, detail in mistakes}) - 1
        more = f"; {others} more mistake{'s' if others > 1 else ''} below" if others else ""
        raise source.error(said + more, line, column, hint=hint) from None


def _meant(node: Node, details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Yields the mistakes, but for “it should be text” of a map whose mistake is inside it: a text or a map may stand
    there."""
    steps = [_known_steps(node, detail["loc"]) for detail in details]
    for detail, at in zip(details, steps, strict=True):
        inside = any(len(other) > len(at) and other[: len(at)] == at for other in steps)
        if not (detail["type"] == "string_type" and inside):
            yield detail


def _known_steps(node: Node, location: _Location) -> _Location:
    """Returns a location without the names of union members that pydantic adds."""
    steps: list[str | int] = []
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            continue
        steps.append(step)
    return tuple(steps)


def _place(node: Node, detail: ErrorDetails) -> tuple[int, int]:
    location = detail["loc"]
    if detail["type"] == "extra_forbidden" or location[-1:] == ("[key]",):
        steps = location[:-1] if location[-1:] == ("[key]",) else location
        parent = find(node, steps[:-1])
        if (key := parent.keys.get(str(steps[-1]))) is not None:
            return key
    found = find(node, location)
    return found.line, found.column


def _words(model: type[BaseModel], node: Node, detail: ErrorDetails, what: str) -> tuple[str, str | None]:
    location = detail["loc"]
    kind = detail["type"]
    if location[-1:] == ("[key]",):
        return f"{shown(str(location[-2]))} can't be a name", _hint(detail)
    key = shown(str(location[-1])) if location else what
    parent = ".".join(shown(str(step)) for step in _known_steps(node, location[:-1])) or what
    match kind:
        case "extra_forbidden":
            return f"unknown key {key} in {parent}", did_you_mean(str(location[-1]), _keys_at(model, location[:-1]))
        case "missing":
            return f"{parent} has no {key}", f"add {key}:"
        case "enum" | "literal_error":
            context: Mapping[str, Any] = detail.get("ctx", {})
            choices = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
            return f"{key} in {parent} can't be {shown(str(detail['input']))}", did_you_mean(
                str(detail["input"]), choices
            )
        case _:
            found = find(node, location)
            steps = _known_steps(node, location)
            name = ".".join(shown(str(step)) for step in steps) or what
            given = found.kind if found.text is None else shown(found.text) or "empty"
            return f"{name} can't be {given}", _hint(detail)


_HINTS = {
    "model_type": "it should be a map of keys",
    "dict_type": "it should be a map of keys",
    "tuple_type": "it should be a list",
    "too_short": "it should not be empty",
    "string_too_short": "it should not be empty",
}


def _hint(detail: ErrorDetails) -> str:
    """Returns pydantic's message, or our own if pydantic's uses programmers' terms."""
    kind = detail["type"]
    if kind == "string_type":
        return "quote it" if isinstance(detail["input"], int | float) else "it should be text"
    if kind == "string_pattern_mismatch" and detail["loc"][-1:] == ("[key]",):
        return "names have at most 64 letters, digits, dots, dashes and underscores"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return _HINTS.get(kind) or shown(message[:1].lower() + message[1:], 200)


def _keys_at(model: type[BaseModel], location: _Location) -> list[str]:
    """Returns the keys that the model at ``location`` knows."""
    annotation: object = model
    for step in location:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            field = {field.alias or name: field for name, field in annotation.model_fields.items()}.get(str(step))
            annotation = _member(field.annotation) if field else annotation
        elif get_origin(annotation) in (dict, tuple):
            arguments = get_args(annotation)
            annotation = _member(arguments[1] if get_origin(annotation) is dict else arguments[0])
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    return [field.alias or name for name, field in annotation.model_fields.items()]


def _member(annotation: object) -> object:
    """Returns the member of a union that has keys."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part not in (str, type(None))]
        return parts[0] if parts else annotation
    return annotation
