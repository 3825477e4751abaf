"""Conversations of an agent: its tool calls, their scripted results, and the steps that they make."""

from __future__ import annotations

from pydantic import Field, JsonValue

from schemas.values import Value

MAX_STEPS = 50
"""Most steps that a configuration may allow."""


class ToolCall(Value):
    """A call of a tool that the model asked for."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""


class Step(Value):
    """One answer of a model in a conversation, and what a script said to it."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    results: tuple[str, ...] = ()
    """The tools' results, one for each call. Empty if the conversation ended before them."""
    user: str | None = None
    """The next message of the user."""


class Trajectory(Value):
    """A whole conversation after the prompt's own messages. The last step has no results and no user."""

    steps: tuple[Step, ...] = Field(min_length=1)
    problem: str = ""
    """Why the conversation ended before the agent was done."""


class ScriptedResult(Value):
    """What a tool returns in a case. Nothing is executed."""

    name: str = Field(min_length=1)
    """The tool."""
    arguments: dict[str, JsonValue] = {}
    """The arguments that a call must have: values, or maps with ``any_of``. Other arguments don't matter."""
    result: JsonValue
    """What the model gets: a text as it is, everything else as JSON."""
    set: dict[str, JsonValue] = {}
    """What the call changes in the state of the case, by key."""
