"""What a case may expect of an agent's conversation."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, JsonValue, TypeAdapter, model_validator

from evaluators.field_values import show
from evaluators.tool_calls import MAX_CALLS, ExpectedCall, check_rule
from schemas.testsets import TestCase
from schemas.values import Value

_LINE = 100
"""Most characters of a call's arguments in words."""


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
    """Groups of tools that one step must call together. A tool that is named twice must be called twice."""
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


def expected_of(case: TestCase) -> ExpectedTrajectory:
    """Returns what a case expects. Raises ValidationError if that can't be read."""
    return _EXPECTED.validate_python(case.expected)


def tools_named_by(case: TestCase) -> set[str]:
    """Returns the tools that a case scripts or expects."""
    named = {script.name for script in case.tool_results}
    if case.expected is None:
        return named
    expected = expected_of(case)
    together = (name for group in expected.parallel for name in group)
    return named | {*expected.used, *together} | {call.name for call in expected.tool_calls or ()}


def expected_in_words(case: TestCase) -> str | None:
    """Returns what a case expects of a conversation, for people: one line for each kind of expectation."""
    if case.expected is None:
        return None
    expected = expected_of(case)
    calls = [f"{call.name}({show(call.arguments, _LINE)})" for call in expected.tool_calls or ()]
    order = "" if expected.order is Order.ANY else f" (order: {expected.order})"
    lines = {
        "calls": None if expected.tool_calls is None else f"{' · '.join(calls) or 'none'}{order}",
        "used": ", ".join(expected.used),
        "not used": ", ".join(expected.not_used),
        "together": "; ".join(" and ".join(group) for group in expected.parallel),
        "steps": _bounds(expected.min_steps, expected.max_steps),
        "final state": None if expected.final_state is None else show(expected.final_state, 2 * _LINE),
    }
    return "\n".join(f"{name}: {line}" for name, line in lines.items() if line)


def _bounds(least: int | None, most: int | None) -> str:
    said = [f"at least {least}" if least else "", f"at most {most}" if most else ""]
    return ", ".join(filter(None, said))
