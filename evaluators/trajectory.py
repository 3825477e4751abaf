"""Scores the conversation of an agent: its tool calls, their order and arguments, its steps, and the final state.

The metric ``trajectory`` is 1 if the conversation ends by itself and everything holds that the case expects, else 0.
The reason names each step that is wrong. What the last answer says is scored by the usual checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import Field, JsonValue, TypeAdapter, ValidationError, model_validator

from evaluators.field_values import show
from evaluators.parts import EvaluatorSources, Scores, finding
from evaluators.scripted_tools import arguments_of, final_state
from evaluators.text import shown
from evaluators.tool_calls import (
    MAX_CALLS,
    ExpectedCall,
    ExpectedCalls,
    GivenCall,
    check_rule,
    is_right,
    mistakes,
    paired,
)
from schemas.conversations import Step, ToolCall, Trajectory
from schemas.outcomes import Completion, MetricSpec, Score
from schemas.ports import Ask
from schemas.prompts import Finding
from schemas.testsets import TestCase
from schemas.values import Value

METRIC = "trajectory"
_LINE = 100
"""Most characters of an answer, of a call's arguments or of a result in the text of a step."""
_HINT = "expected: {tool_calls: [{name: …, arguments: {…}}], final_state: {…}}"


class Order(StrEnum):
    """How the calls of a conversation compare with ``tool_calls``."""

    ANY = "any"
    """The same calls in any order."""
    EXACT = "exact"
    """The same calls in the same order."""
    SUBSEQUENCE = "subsequence"
    """These calls in this order, and possibly others."""


class ExpectedTrajectory(Value):
    """Everything that a case may expect of a conversation."""

    tool_calls: tuple[ExpectedCall, ...] | None = Field(default=None, max_length=MAX_CALLS)
    order: Order = Order.ANY
    used: tuple[str, ...] = ()
    """Tools that must be called."""
    not_used: tuple[str, ...] = ()
    """Tools that must not be called."""
    parallel: tuple[tuple[str, ...], ...] = ()
    """Groups of tools that one step must call together."""
    min_steps: int | None = Field(default=None, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    """Bounds of the number of the model's answers."""
    final_state: dict[str, JsonValue] | None = None
    """The whole state in the end. A value may be a map with ``any_of``."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it expects nothing")
        if self.tool_calls is None and "order" in self.model_fields_set:
            raise ValueError("order needs tool_calls")
        needed = {*self.used, *(name for group in self.parallel for name in group)}
        needed |= {call.name for call in self.tool_calls or ()}
        if contradiction := sorted(needed & set(self.not_used)):
            raise ValueError(f"{contradiction[0]} is both expected and not_used")
        for rule in (self.final_state or {}).values():
            check_rule(rule)
        if self.min_steps and self.max_steps and self.min_steps > self.max_steps:
            raise ValueError("min_steps is above max_steps")
        return self


_EXPECTED = TypeAdapter(ExpectedTrajectory)


class TrajectoryChecks:
    """The metric ``trajectory``, 1 or 0."""

    asks: ClassVar = False
    ignores_case: ClassVar = False
    metrics: ClassVar = (MetricSpec(name=METRIC),)
    version: ClassVar = "trajectory-1"

    def problem(self, case: TestCase) -> Finding | None:
        """Returns a finding if the expectation or a script can't be read or met, or if nothing is expected."""
        if (found := _script_problem(case)) is not None:
            return found
        if case.expected is None:
            if case.must or case.must_not:
                return None
            return finding(case, "it expects nothing, so every conversation would pass", f"write {_HINT}")
        try:
            _EXPECTED.validate_python(case.expected)
        except ValidationError as error:
            return finding(case, f"expected can't be read{_first(error)}", f"write {_HINT}")
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0. ``output`` is the conversation, a ``Trajectory`` as JSON."""
        trajectory = Trajectory.model_validate_json(output)
        reasons = [trajectory.problem] if trajectory.problem else []
        if case.expected is not None:
            reasons += _reasons(_EXPECTED.validate_python(case.expected), trajectory.steps, case)
        reason = shown("; ".join(reasons), 400)
        return (Score(metric=METRIC, value=float(not reasons), reason=reason, answer=in_lines(trajectory.steps)),)


def _script_problem(case: TestCase) -> Finding | None:
    for number, script in enumerate(case.tool_results, 1):
        try:
            for rule in script.arguments.values():
                check_rule(rule)
        except ValidationError as error:
            what = f"the arguments of tool_results {number} can't be read{_first(error)}"
            return finding(case, what, "write a value, or {any_of: [one, another]}")
    return None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{f' at `{where}`' if where else ''}: {first['msg'].removeprefix('Value error, ')}"


def part(sources: EvaluatorSources) -> TrajectoryChecks:  # noqa: ARG001 - the signature of all use cases
    """Returns the part with the overall metric."""
    return TrajectoryChecks()


def trajectory_of(completion: Completion) -> Trajectory:
    """Returns the conversation; a single answer is one of one step."""
    only = Step(text=completion.text, calls=completion.tool_calls)
    return completion.trajectory or Trajectory(steps=(only,))


def in_lines(steps: Sequence[Step]) -> str:
    """Returns a conversation for people: one line for each step."""
    return "\n".join(f"{number}. {_line(step)}" for number, step in enumerate(steps, 1))


def _line(step: Step) -> str:
    text = [f"“{shown(step.text, _LINE)}”"] if step.text.strip() else []
    results = step.results or ("",) * len(step.calls)
    text += [_called(call, result) for call, result in zip(step.calls, results, strict=True)]
    text += [f"user: “{shown(step.user, _LINE)}”"] if step.user is not None else []
    return " · ".join(text) or "says nothing"


def _called(call: ToolCall, result: str) -> str:
    answered = f" → {shown(result, _LINE)}" if result else ""
    return f"{shown(call.name, 60)}({shown(call.arguments, _LINE)}){answered}"


Given = Sequence[tuple[int, GivenCall]]
"""Every call of a conversation in its order, with the number of its step, from 1."""


def _reasons(expected: ExpectedTrajectory, steps: Sequence[Step], case: TestCase) -> Iterator[str]:
    """Yields what is wrong with a conversation."""
    given = [(number, _given(call)) for number, step in enumerate(steps, 1) for call in step.calls]
    if len(given) > MAX_CALLS:
        yield f"{len(given)} calls, more than {MAX_CALLS}"
        return
    if expected.tool_calls is not None:
        compare = _in_order if expected.order is Order.SUBSEQUENCE else _all_alike
        yield from compare(expected.tool_calls, given, expected.order)
    called = {call.name for _, call in given}
    yield from (f"never called {name}" for name in expected.used if name not in called)
    for number, call in given:
        if call.name in expected.not_used:
            yield f"step {number}: called {call.name}, which must not be used"
    for group in expected.parallel:
        if not any(set(group) <= {call.name for call in step.calls} for step in steps):
            yield f"no step called {' and '.join(group)} together"
    if expected.min_steps is not None and len(steps) < expected.min_steps:
        yield f"{len(steps)} steps, fewer than {expected.min_steps}"
    if expected.max_steps is not None and len(steps) > expected.max_steps:
        yield f"{len(steps)} steps, more than {expected.max_steps}"
    if expected.final_state is not None:
        yield from _state_mistakes(expected.final_state, final_state(case, steps))


def _given(call: ToolCall) -> GivenCall:
    arguments = arguments_of(call)
    return GivenCall(call.name, call.arguments if arguments is None else arguments)


def _all_alike(wanted: Sequence[ExpectedCall], given: Given, order: Order) -> Iterator[str]:
    """Yields the differences if every call counts."""
    calls = ExpectedCalls(tool_calls=tuple(wanted), ordered=order is Order.EXACT)
    pairs = paired(calls, [call for _, call in given])
    for one, other in pairs:
        number, call = given[other]
        if call.name != wanted[one].name:
            yield f"step {number}: called {shown(call.name, 60)} instead of {wanted[one].name}"
        else:
            yield from _argument_mistakes(number, wanted[one], call)
    expected, used = {one for one, _ in pairs}, {other for _, other in pairs}
    yield from (f"didn't call {call.name}" for place, call in enumerate(wanted) if place not in expected)
    for place, (number, call) in enumerate(given):
        if place not in used:
            yield f"step {number}: unexpected call of {shown(call.name, 60)}"


def _in_order(wanted: Sequence[ExpectedCall], given: Given, _: Order) -> Iterator[str]:
    """Yields the expected calls that the given ones don't have in this order."""
    # The earliest fitting call leaves the most to those that follow, so this finds an order if there is one.
    start = 0
    for number, call in enumerate(wanted, 1):
        found = next((place for place in range(start, len(given)) if not _differences(call, given[place][1])), None)
        if found is not None:
            start = found + 1
            continue
        later = next((one for one in given[start:] if one[1].name == call.name), None)
        before = next((one for one in given[:start] if not _differences(call, one[1])), None)
        if later is not None:
            yield from _argument_mistakes(later[0], call, later[1])
        elif before is not None:
            yield f"step {before[0]}: called {call.name} too early: it is call {number} of those expected"
        else:
            yield f"didn't call {call.name}"


def _differences(wanted: ExpectedCall, given: GivenCall) -> bool:
    return wanted.name != given.name or bool(mistakes(wanted, given))


def _argument_mistakes(number: int, wanted: ExpectedCall, given: GivenCall) -> Iterator[str]:
    yield from (f"step {number}: {wanted.name}: {name} {why}" for name, why in mistakes(wanted, given).items())


def _state_mistakes(expected: dict[str, JsonValue], state: dict[str, JsonValue]) -> Iterator[str]:
    for key, rule in expected.items():
        if key not in state:
            yield f"final state: {key} was never set, expected {show(rule, 60)}"
        elif not is_right(rule, state[key]):
            yield f"final state: {key} is {show(state[key], 60)}, expected {show(rule, 60)}"
    yield from (f"final state: {key} is {show(state[key], 60)}, expected unset" for key in state if key not in expected)


def tools_named_by(case: TestCase) -> set[str]:
    """Returns the tools that a case scripts or expects."""
    named = {script.name for script in case.tool_results}
    if case.expected is None:
        return named
    expected = _EXPECTED.validate_python(case.expected)
    together = (name for group in expected.parallel for name in group)
    return named | {*expected.used, *together} | {call.name for call in expected.tool_calls or ()}
