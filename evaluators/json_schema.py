"""Validates untrusted output by JSON Schema. Nothing is ever fetched, and every pattern is RE2, so none can hang."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from evaluators.json_answers import read_json, read_object
from evaluators.patterns import compile_pattern
from evaluators.schema_keywords import unapplied
from evaluators.text import shown
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import Schema

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_UNSAFE = {"patternProperties", "unevaluatedProperties"}
"""Together, the library would run the patterns as Python's, which may take forever."""
MAX_FOLLOWED = 50_000
"""Most references that are followed for one value. Each may lead to several others, and so on."""
MAX_DEPTH = 80
"""Most references inside each other. The library's own recursion may end in a panic of its native part."""


def schema_check(schema: Mapping[str, JsonValue], where: str) -> Callable[[str], str]:
    """Returns a function that takes an output and returns what is wrong with it (empty: nothing).

    The output's JSON is its whole text, or the object in it. Raises ConfigError, located at ``where``, for a schema
    that is invalid, refers to anything outside itself, or has a keyword without effect or an unknown ``format``.
    """
    wrong = value_check(schema, where)

    def check(output: str) -> str:
        reading = read_json(output)
        if not reading.found:
            reading = read_object(output)
        return wrong(reading.value) if reading.found else reading.problem

    return check


def value_check(schema: Mapping[str, JsonValue], where: str) -> Callable[[JsonValue], str]:
    """Returns a function that takes a JSON value and returns what is wrong with it (empty: nothing).

    Raises ConfigError as ``schema_check`` does.
    """
    _refuse_the_world(dict(schema), where)
    followed = _Followed()
    validator = _validator(schema, where, followed)

    def check(value: JsonValue) -> str:
        followed.count = followed.depth = 0
        return _first_error(validator, value)

    return check


class _TooManyError(Exception):
    """Raised when a schema follows more references than ``MAX_FOLLOWED``."""


class _Followed:
    """Counts the references that are followed for one value."""

    def __init__(self) -> None:
        self.count = 0
        self.depth = 0

    def counted(
        self, follow: Callable[..., Iterator[ValidationError] | None]
    ) -> Callable[..., Iterator[ValidationError]]:
        """Returns a keyword's function that counts."""

        def counting(*given: object) -> Iterator[ValidationError]:
            self.count += 1
            if self.count > MAX_FOLLOWED:
                raise _TooManyError
            if self.depth >= MAX_DEPTH:
                raise RecursionError
            self.depth += 1
            try:
                # The library lets a keyword return nothing.
                yield from follow(*given) or ()
            finally:
                self.depth -= 1

        return counting


def _refuse_the_world(value: JsonValue, where: str) -> None:
    # Iterative, since a schema may be nested deeper than the stack allows.
    rest: list[JsonValue] = [value]
    keywords: set[str] = set()
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest += node
        if not isinstance(node, dict):
            continue
        rest += node.values()
        keywords |= node.keys() & _UNSAFE
        if keywords == _UNSAFE:
            what = "the schema uses both `patternProperties` and `unevaluatedProperties`"
            raise ConfigError(what, where=where, hint="write additionalProperties beside patternProperties")
        for key in _REFERENCES & node.keys():
            target = node[key]
            if isinstance(target, str) and not target.startswith("#"):
                raise ConfigError(f"the schema refers to “{shown(target)}”", where=where, hint="put it under `$defs`")
        patterns = node.get("patternProperties")
        for pattern in (node.get("pattern"), *(patterns if isinstance(patterns, dict) else ())):
            if isinstance(pattern, str):
                compile_pattern(pattern, where)


def _validator(schema: Mapping[str, JsonValue], where: str, followed: _Followed) -> Validator:
    from jsonschema import exceptions  # takes 100 ms to import, which most lineages don't need
    from referencing.exceptions import Unresolvable

    draft, registry = _draft(schema, where, followed), _closed_registry()
    try:
        draft.check_schema(dict(schema))
        validator: Validator = draft(dict(schema), registry=registry)
        # Some broken references only fail at validation. Probing finds them before any paid call.
        for probe in ("{}", "[]", '""'):
            next(validator.iter_errors(json.loads(probe)), None)
    except exceptions.SchemaError as error:
        what = f"not a JSON Schema: {shown(error.message, 120)}"
        raise ConfigError(what, where=where, hint="fix the schema") from None
    except (Unresolvable, RecursionError):
        raise ConfigError("a `$ref` of the schema has no target", where=where, hint="define it under `$defs`") from None
    except _TooManyError:
        raise ConfigError("the schema follows too many references", where=where, hint="write a smaller one") from None
    if found := unapplied(
        schema,
        draft.VALIDATORS,
        siblings_of_ref="$dynamicRef" in draft.VALIDATORS or "$recursiveRef" in draft.VALIDATORS,
    ):
        raise ConfigError(found[0], where=where, hint=found[1])
    return validator


def _draft(schema: Mapping[str, JsonValue], where: str, followed: _Followed) -> type[Validator]:
    """Returns the validator of the schema's draft (2020-12 by default), with keywords of our own, which run in
    linear time, and with references that are counted."""
    from jsonschema import validators

    from evaluators.schema_functions import OWN

    drafts = (
        validators.Draft202012Validator,
        validators.Draft201909Validator,
        validators.Draft7Validator,
        validators.Draft6Validator,
        validators.Draft4Validator,
    )
    by_id = {str(draft.META_SCHEMA.get("$id") or draft.META_SCHEMA.get("id")).rstrip("#"): draft for draft in drafts}
    named = str(schema.get("$schema", next(iter(by_id)))).rstrip("#")
    if named not in by_id:
        raise ConfigError(f"unknown `$schema` “{shown(named)}”", where=where, hint=f"use {next(iter(by_id))}")

    keywords = by_id[named].VALIDATORS
    counted = {key: followed.counted(keywords[key]) for key in _REFERENCES & keywords.keys()}
    own: type[Validator] = validators.extend(by_id[named], {**OWN, **counted})  # type: ignore[no-untyped-call]
    return own


def _closed_registry() -> Registry[Schema]:
    """Returns a registry that knows the drafts' own schemas and fetches nothing."""
    from referencing import Registry
    from referencing.exceptions import NoSuchResource

    def nowhere(uri: str) -> Resource[Schema]:
        raise NoSuchResource(ref=uri)  # type: ignore[call-arg] # an attrs class that the checker can't read

    return Registry(retrieve=nowhere)  # type: ignore[call-arg] # likewise


def _first_error(validator: Validator, value: JsonValue) -> str:
    from referencing.exceptions import Unresolvable

    try:
        error = next(validator.iter_errors(value), None)
    except RecursionError:
        return "nested too deeply for the schema"
    except Unresolvable:
        return "the schema has a `$ref` without a target"
    except (OverflowError, ValueError):
        return "a number is too large for the schema"
    except _TooManyError:
        return "the schema follows too many references"
    if error is None:
        return ""
    place = "".join(f"[{step!r}]" for step in error.absolute_path)
    return f"{shown(error.message, 120)}{f' at {shown(place, 60)}' if place else ''}"
