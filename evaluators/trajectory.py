"""Scores the conversation of an agent: its tool calls, their order and arguments, its steps, and the final state.

The metric ``trajectory`` is 1 if the conversation ends by itself and everything holds that the case expects, else 0.
The reason names each step that is wrong. What the last answer says is scored by the usual checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

from pydantic import JsonValue, ValidationError

from evaluators.expected_trajectory import ExpectedTrajectory, Order, expected_of
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

METRIC = "trajectory"
_LINE = 100
"""Most characters of an answer, of a call's arguments or of a result in the text of a step."""
_HINT = "expected: {tool_calls: [{name: …, arguments: {…}}], final_state: {…}}"


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
            expected_of(case)
        except ValidationError as error:
            return finding(case, f"expected can't be read{_first(error)}", f"write {_HINT}")
        return None

    async def score(self, case: TestCase, output: str, ask: Ask) -> Scores:  # noqa: ARG002 - needs no judge
        """Returns 1 or 0. ``output`` is the conversation, a ``Trajectory`` as JSON."""
        trajectory = Trajectory.model_validate_json(output)
        reasons = [trajectory.problem] if trajectory.problem else []
        if case.expected is not None:
            reasons += _reasons(expected_of(case), trajectory.steps, case)
        reason = shown("; ".join(reasons), 400)
        return (Score(metric=METRIC, value=float(not reasons), reason=reason, answer=in_lines(trajectory.steps)),)


_MISTAKES = {
    "extra_forbidden": "there is no such key",
    "model_type": "it must be a map",
    "dict_type": "it must be a map",
    "list_type": "it must be a list",
    "tuple_type": "it must be a list",
    "string_type": "it must be text",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
}
"""By pydantic's name of a mistake."""


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
    said = _MISTAKES.get(first["type"], first["msg"].removeprefix("Value error, "))
    return f"{f' at `{where}`' if where else ''}: {said}"


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
        yield from _COMPARES[expected.order](expected.tool_calls, given)
    yield from _tool_mistakes(expected, steps, given)
    if expected.min_steps is not None and len(steps) < expected.min_steps:
        yield f"{len(steps)} steps, fewer than {expected.min_steps}"
    if expected.max_steps is not None and len(steps) > expected.max_steps:
        yield f"{len(steps)} steps, more than {expected.max_steps}"
    if expected.final_state is not None:
        yield from _state_mistakes(expected.final_state, final_state(case, steps))


def _tool_mistakes(expected: ExpectedTrajectory, steps: Sequence[Step], given: Given) -> Iterator[str]:
    called = {call.name for _, call in given}
    yield from (f"never called {name}" for name in expected.used if name not in called)
    for number, call in given:
        if call.name in expected.not_used:
            yield f"step {number}: called {call.name}, which must not be used"
    for group in expected.parallel:
        if not any(Counter(group) <= Counter(call.name for call in step.calls) for step in steps):
            yield f"no step called {' and '.join(group)} together"


def _given(call: ToolCall) -> GivenCall:
    arguments = arguments_of(call)
    return GivenCall(call.name, call.arguments if arguments is None else arguments)


def _in_any_order(wanted: Sequence[ExpectedCall], given: Given) -> Iterator[str]:
    """Yields the differences if every call counts, whatever their order."""
    pairs = paired(ExpectedCalls(tool_calls=tuple(wanted)), [call for _, call in given])
    yield from _pair_mistakes(wanted, given, pairs)
    expected, used = {one for one, _ in pairs}, {other for _, other in pairs}
    yield from (f"didn't call {call.name}" for place, call in enumerate(wanted) if place not in expected)
    for place, (number, call) in enumerate(given):
        if place not in used:
            yield f"step {number}: unexpected call of {shown(call.name, 60)}"


def _in_exact_order(wanted: Sequence[ExpectedCall], given: Given) -> Iterator[str]:
    """Yields the differences if every call and their order count."""
    one = other = 0
    # The ends stand for a last pair, before which calls may be missing or extra too.
    for expected, made in [*_aligned(wanted, given), (len(wanted), len(given))]:
        before = f" before step {given[made][0]}" if made < len(given) else ""
        yield from (f"didn't call {call.name}{before}" for call in wanted[one:expected])
        for number, call in given[other:made]:
            yield f"step {number}: unexpected call of {shown(call.name, 60)}"
        if made < len(given):
            yield from _pair_mistakes(wanted, given, [(expected, made)])
        one, other = expected + 1, made + 1


def _aligned(wanted: Sequence[ExpectedCall], given: Given) -> list[tuple[int, int]]:
    """Returns the pairs of the cheapest way to turn one list into the other (Wagner and Fischer, 1974).

    A missing or an extra call costs 1, wrong arguments cost 1 too, and another tool costs 1.5.
    """
    rows, columns = len(wanted), len(given)
    # costs[one][other] is the cost of the calls from these two on. It is filled from the end, so that the walk from the
    # start finds, of equally cheap ways, the one that pairs calls earliest.
    costs = [[float(rows - one + columns - other) for other in range(columns + 1)] for one in range(rows + 1)]
    for one in reversed(range(rows)):
        for other in reversed(range(columns)):
            changed = costs[one + 1][other + 1] + _distance(wanted[one], given[other][1])
            costs[one][other] = min(changed, costs[one + 1][other] + 1, costs[one][other + 1] + 1)
    pairs = []
    one = other = 0
    while one < rows and other < columns:
        if costs[one][other] == costs[one + 1][other + 1] + _distance(wanted[one], given[other][1]):
            pairs.append((one, other))
            one, other = one + 1, other + 1
        elif costs[one][other] == costs[one + 1][other] + 1:
            one += 1
        else:
            other += 1
    return pairs


def _distance(wanted: ExpectedCall, given: GivenCall) -> float:
    return 1.5 if wanted.name != given.name else float(bool(mistakes(wanted, given)))


def _pair_mistakes(wanted: Sequence[ExpectedCall], given: Given, pairs: Iterable[tuple[int, int]]) -> Iterator[str]:
    for one, other in pairs:
        number, call = given[other]
        if call.name != wanted[one].name:
            yield f"step {number}: called {shown(call.name, 60)} instead of {wanted[one].name}"
        else:
            yield from _argument_mistakes(number, wanted[one], call)


def _in_this_order(wanted: Sequence[ExpectedCall], given: Given) -> Iterator[str]:
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


_COMPARES: dict[Order, Callable[[Sequence[ExpectedCall], Given], Iterator[str]]] = {
    Order.ANY: _in_any_order,
    Order.EXACT: _in_exact_order,
    Order.SUBSEQUENCE: _in_this_order,
}


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
