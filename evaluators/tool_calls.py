"""Scores the tool calls of an answer: which tools, with which arguments, how often and in which order.

A case expects ``{"tool_calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]}``. An argument may also be
``{"any_of": ["Paris", "Paris, FR"]}`` or ``{"any_of": ["celsius"], "optional": true}``: another right value, or none.
Calls may come in any order unless the case expects ``"ordered": true``. An empty list expects that no tool is called.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, JsonValue, TypeAdapter, ValidationError, field_validator

from evaluators.field_values import plain, same_json, show
from evaluators.json_answers import read_json
from evaluators.matching import assignment
from evaluators.parts import Scores, finding
from evaluators.text import shown
from schemas.outcomes import MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import Value

METRIC = "tool_calls"
NAMES = "tool names"
RIGHT_CALLS = "right calls"
MAX_CALLS = 50
"""Most calls of an answer that are compared."""
UNREADABLE = "something unreadable"
"""The name of a member that stands among calls and is none."""
EXACT = 2.0
"""The likeness of an expected and a given call that are the same."""
_SHAPE = '`expected: {"tool_calls": [{"name": "…", "arguments": {…}}]}`'


class Accepted(Value):
    """The right values of an argument."""

    any_of: tuple[JsonValue, ...] = Field(min_length=1)
    optional: bool = False
    """Whether a call may leave the argument out."""


class ExpectedCall(Value):
    """A call that a case expects. An argument that isn't listed is wrong."""

    name: str = Field(min_length=1)
    arguments: dict[str, JsonValue] = {}
    """By name: the right value, or a map of ``Accepted``, also inside maps and lists."""

    @field_validator("arguments")
    @classmethod
    def _names_right_values(cls, arguments: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for value in arguments.values():
            check_rule(value)
        return arguments


class ExpectedCalls(Value):
    """Everything that a case expects of the tool calls."""

    tool_calls: tuple[ExpectedCall, ...] = Field(max_length=MAX_CALLS)
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class GivenCall:
    """A call in an answer."""

    name: str
    arguments: JsonValue


_EXPECTED = TypeAdapter(ExpectedCalls)


class ToolCalls:
    """The metric ``tool_calls``, which is 1 only if every call is right and none is missing or extra.

    ``tool names`` says whether the right tools were called, as often as expected. ``right calls`` is the share of calls
    that are right in their name and all arguments, of those expected or given, whichever are more.
    """

    asks: ClassVar = False
    ignores_case: ClassVar = False
    metrics: ClassVar = (
        MetricSpec(name=METRIC),
        MetricSpec(name=NAMES, kind="field"),
        MetricSpec(name=RIGHT_CALLS, kind="field"),
    )
    version: ClassVar = "tool-calls-2"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding if the expectation can't be read."""
        try:
            _EXPECTED.validate_python(case.expected)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            return finding(case, f"expected can't be read at `{where}`: {first['msg']}", f"write {_SHAPE}")
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns the three metrics. ``output`` holds the calls as JSON; a text without JSON calls no tool."""
        expected = _EXPECTED.validate_python(case.expected)
        given = read_calls(output)
        answer = shown(_written(given) if given else output, 400)
        reasons = list(_reasons(expected, given))
        names = Counter(call.name for call in expected.tool_calls) == Counter(call.name for call in given)
        return (
            Score(metric=METRIC, value=float(not reasons), reason=shown("; ".join(reasons), 300), answer=answer),
            Score(metric=NAMES, value=float(names), answer=shown(", ".join(call.name for call in given))),
            Score(metric=RIGHT_CALLS, value=_share(expected, given)),
        )


def expects_calls(expectations: Iterable[JsonValue]) -> bool:
    """Returns whether the cases expect tool calls and nothing else."""
    found = list(expectations)
    return bool(found) and all(isinstance(one, dict) and METRIC in one and one.keys() <= _KEYS for one in found)


def calls_nothing(expected: JsonValue) -> bool:
    """Returns whether a case expects that no tool is called."""
    return isinstance(expected, dict) and expected.get(METRIC) == []


_KEYS = ExpectedCalls.model_fields.keys()


def read_calls(output: str) -> tuple[GivenCall, ...]:
    """Returns the calls that an answer writes as JSON: a list, one call, or ``{"tool_calls": [...]}``.

    Each is ``{"name": …, "arguments": …}``, or has them under ``function`` as in OpenAI's API. Arguments may be JSON in
    a text, and may be called ``input`` as in Anthropic's API, or ``parameters``. Text without such JSON calls nothing.
    """
    value = read_json(output).value
    if isinstance(value, dict) and isinstance(value.get(METRIC), list):
        value = value[METRIC]
    calls = [_given(one) for one in (value if isinstance(value, list) else [value])]
    if not any(calls):
        return ()
    # What stands beside a call is a call that no program can make, never none at all.
    return tuple(call or GivenCall(UNREADABLE, None) for call in calls)


_ARGUMENTS = ("arguments", "input", "parameters")


def _given(value: JsonValue) -> GivenCall | None:
    inside = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(inside, dict) or not isinstance(name := inside.get("name"), str):
        return None
    # Arguments under another key are no call without arguments.
    arguments = next((inside[key] for key in _ARGUMENTS if key in inside), {})
    if isinstance(arguments, str):
        reading = read_json(arguments) if arguments.strip() else None
        arguments = {} if reading is None else reading.value if reading.found else arguments
    return GivenCall(name, arguments)


def _reasons(expected: ExpectedCalls, given: Sequence[GivenCall]) -> Iterable[str]:
    """Yields what is wrong with the calls; nothing if all of them are right."""
    wanted = expected.tool_calls
    if len(given) > MAX_CALLS:
        yield f"{len(given)} calls, more than {MAX_CALLS}"
        return
    pairs = paired(expected, given)
    for one, other in pairs:
        if wanted[one].name != given[other].name:
            yield f"called {shown(given[other].name, 60)} instead of {wanted[one].name}"
        else:
            found = mistakes(wanted[one], given[other])
            yield from (f"{wanted[one].name}: {name} {why}" for name, why in found.items())
    expected_ones, used = {one for one, _ in pairs}, {other for _, other in pairs}
    yield from (f"didn't call {call.name}" for place, call in enumerate(wanted) if place not in expected_ones)
    yield from (f"unexpected call of {shown(call.name, 60)}" for place, call in enumerate(given) if place not in used)


def paired(expected: ExpectedCalls, given: Sequence[GivenCall]) -> list[tuple[int, int]]:
    """Returns the pairs of expected and given calls: in order, or those that agree best."""
    wanted = expected.tool_calls
    if expected.ordered or not wanted or not given:
        return [(place, place) for place in range(min(len(wanted), len(given)))]
    return assignment([[_likeness(one, other) for other in given] for one in wanted])


def _likeness(wanted: ExpectedCall, given: GivenCall) -> float:
    if wanted.name != given.name:
        return 0.0
    count = len(mistakes(wanted, given))
    # Any right tool beats a wrong one, and an exact pair with any other beats two that have mistakes.
    return EXACT if not count else 1.0 + 0.5 / (1 + count)


def mistakes(wanted: ExpectedCall, given: GivenCall) -> dict[str, str]:
    """Returns what is wrong with each wrong argument, by its name."""
    if not isinstance(given.arguments, dict):
        return {"arguments": f"are not a JSON object: {show(given.arguments)}"}
    found = {}
    for name, rule in wanted.arguments.items():
        right = _accepted(rule)
        if name not in given.arguments:
            if not right.optional:
                found[name] = f"is missing: expected {_shown_values(right)}"
        elif not is_right(rule, given.arguments[name]):
            found[name] = f"is {show(given.arguments[name])}, expected {_shown_values(right)}"
    extra = (name for name in given.arguments if name not in wanted.arguments)
    return found | {shown(name, 40): "was not expected" for name in extra}


def _accepted(rule: JsonValue) -> Accepted:
    """Returns the right values that an expected argument names."""
    several = isinstance(rule, dict) and "any_of" in rule
    return Accepted.model_validate(rule) if several else Accepted(any_of=(rule,))


def check_rule(rule: JsonValue) -> None:
    """Raises ValidationError if a map with ``any_of`` in ``rule``, at any depth, is none of ``Accepted``."""
    if isinstance(rule, dict) and "any_of" in rule:
        rule = list(_accepted(rule).any_of)
    for inner in rule.values() if isinstance(rule, dict) else rule if isinstance(rule, list) else ():
        check_rule(inner)


def _shown_values(right: Accepted) -> str:
    return " or ".join(show(value, 40) for value in right.any_of[:3])


def is_right(rule: JsonValue, given: JsonValue) -> bool:
    """Returns whether a value is what an expected argument names: a value, or a map of ``Accepted``."""
    return any(_same(value, given) for value in _accepted(rule).any_of)


def _same(right: JsonValue, given: JsonValue) -> bool:
    """Returns whether two values are equal: texts without regard to case, blanks and punctuation; numbers by value."""
    if isinstance(right, dict) and "any_of" in right:
        return is_right(right, given)
    if isinstance(right, dict) and isinstance(given, dict):
        left_out = (_accepted(right[key]).optional for key in right.keys() - given.keys())
        return given.keys() <= right.keys() and all(left_out) and all(is_right(right[key], given[key]) for key in given)
    if isinstance(right, list) and isinstance(given, list):
        return len(right) == len(given) and all(map(is_right, right, given))
    if isinstance(right, str) and isinstance(given, str):
        return plain(right) == plain(given)
    return same_json(right, given)


def _share(expected: ExpectedCalls, given: Sequence[GivenCall]) -> float:
    """Returns the share of calls that are entirely right."""
    wanted = expected.tool_calls
    if len(given) > MAX_CALLS:
        return 0.0
    right = sum(_likeness(wanted[one], given[other]) == EXACT for one, other in paired(expected, given))
    return right / max(len(wanted), len(given)) if wanted or given else 1.0


def _written(calls: Sequence[GivenCall]) -> str:
    return "; ".join(f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})" for call in calls)
