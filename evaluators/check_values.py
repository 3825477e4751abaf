"""Values of checks: variables that a case fills in, and texts that check something."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from pydantic import JsonValue

from evaluators.patterns import compile_pattern
from evaluators.placeholders import placeholder
from evaluators.text import one_line
from schemas.errors import ConfigError
from schemas.testsets import TestCase

_VARIABLE = re.compile(r"\{\{-?\s*([^\W\d][\w.-]*?)\s*-?\}\}")
_OTHER_SYNTAX = re.compile(
    r"\$?\{\s*([^\W\d]\w*)\s*\}|%\(([^\W\d]\w*)\)s|\$\(([^\W\d]\w*)\)|<<([^\W\d]\w*)>>|\[\[([^\W\d]\w*)\]\]"
)
ANY_OUTPUT = (
    "x",
    "7",
    "?!",
    "\u6f22\u5b57",
    "No.",
    "I can't help with that.\nSorry!",
    "\u2026" * 40,
    "lorem ipsum " * 60,
)
"""Sample outputs without anything in common."""


def matches_all(pattern: str) -> bool:
    """Returns whether an expression matches all sample outputs, so that it checks nothing. Raises ConfigError."""
    return all(map(compile_pattern(pattern, "pattern"), ANY_OUTPUT))


def written(text: str, where: str) -> str:
    """Returns the text. Raises ConfigError if it is blank, since every output would pass, or none."""
    if not one_line(text):
        raise ConfigError(f"{where} is blank", hint="write the text to compare with")
    return text


def all_written(texts: Sequence[str], where: str) -> list[str]:
    """Returns the texts. Raises ConfigError if there are none, or if one is blank."""
    if not texts:
        raise ConfigError(f"{where} is empty", hint="list at least one text")
    return [written(text, where) for text in texts]


def variables_in(value: JsonValue) -> bool:
    """Returns whether a text in ``value`` has a variable."""
    return any(_VARIABLE.search(text) for text in _texts(value))


def unfilled(value: JsonValue) -> str | None:
    """Returns a placeholder in ``value`` that no case fills in, such as ``{expected}`` or ``{{expected | upper}}``."""
    return next((found for text in _texts(value) if (found := placeholder(_VARIABLE.sub("", text)))), None)


def miswritten(value: JsonValue, names: Collection[str]) -> tuple[str, str] | None:
    """Returns a placeholder with the name of an input in another syntax, such as ``{ticket}``, and the name."""
    found = (found for text in _texts(value) for found in _OTHER_SYNTAX.finditer(_VARIABLE.sub("", text)))
    return next(((one[0], one[one.lastindex or 0]) for one in found if one[one.lastindex or 0] in names), None)


def filled(value: JsonValue, case: TestCase, escape: Callable[[str], str] | None = None) -> JsonValue:
    """Returns ``value`` with the variables of a case in all its texts.

    ``{{expected}}`` is the expectation, ``{{expected.total}}`` a field of it, and ``{{name}}`` an input. A text that is
    one variable takes over its JSON value; in a list, the members of a list. ``escape`` is applied to what stands
    inside a longer text. Raises ConfigError for a variable that the case lacks.
    """
    if isinstance(value, dict):
        return {key: filled(item, case, escape) for key, item in value.items()}
    if isinstance(value, list):
        members: list[JsonValue] = []
        for item in value:
            one = filled(item, case, escape)
            # A variable that is a list adds its members: `contains_all: ["{{expected}}"]`.
            members += one if isinstance(one, list) and isinstance(item, str) else [one]
        return members
    if not isinstance(value, str):
        return value
    if whole := _VARIABLE.fullmatch(value.strip()):
        return _value_of(whole[1], case)

    def text_of(match: re.Match[str]) -> str:
        found = _value_of(match[1], case)
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        return escape(text) if escape is not None else text

    return _VARIABLE.sub(text_of, value)


def _value_of(name: str, case: TestCase) -> JsonValue:
    values: Mapping[str, JsonValue] = {**case.inputs, "expected": case.expected, "inputs": dict(case.inputs)}
    if (found := values.get(name)) is None:
        found = dict(values)
        for step in name.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        raise ConfigError(
            f"the case has no {{{{{name}}}}}", hint="give the case a value for it, or rename the variable"
        )
    return found


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
