"""Definitions of tools in the form that an API takes, and the ids of their calls.

A definition may have OpenAI's form for either API, Anthropic's, or be a bare ``{name, description, parameters}``.
Anything else, such as a provider's own tool, is sent as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from schemas.conversations import Step, ToolCall

Tool = dict[str, JsonValue]
_SCHEMA: JsonValue = {"type": "object", "properties": {}}


def chat_tools(tools: Sequence[Tool]) -> list[Tool] | None:
    """Returns the definitions for Chat Completions; ``None`` without any."""
    return [_chat(tool) for tool in tools] or None


def _chat(tool: Tool) -> Tool:
    bare = None if isinstance(tool.get("function"), dict) else _bare(tool)
    return tool if bare is None else {"type": "function", "function": bare}


def response_tools(tools: Sequence[Tool]) -> list[Tool] | None:
    """Returns the definitions for the Responses API; ``None`` without any."""
    return [_response(tool) for tool in tools] or None


def _response(tool: Tool) -> Tool:
    # Its own form is kept with all of its keys.
    bare = None if tool.get("type") == "function" and "name" in tool else _bare(tool)
    return tool if bare is None else {"type": "function", **bare}


def message_tools(tools: Sequence[Tool]) -> list[Tool] | None:
    """Returns the definitions for the Messages API; ``None`` without any."""
    return [_message(tool) for tool in tools] or None


def _message(tool: Tool) -> Tool:
    bare = None if "input_schema" in tool else _bare(tool)
    if bare is None:
        return tool
    schema = bare.get("parameters", _SCHEMA)
    return {key: value for key, value in bare.items() if key not in ("parameters", "strict")} | {"input_schema": schema}


def _bare(tool: Tool) -> Tool | None:
    """Returns ``{name, description, parameters, strict}`` of a function, as far as it has them; ``None`` for no
    function."""
    inner = tool.get("function")
    function = inner if isinstance(inner, dict) else tool
    # Anthropic calls its own functions custom, or gives them no type.
    if not isinstance(function.get("name"), str) or tool.get("type") not in (None, "function", "custom"):
        return None
    if tool.get("type") == "custom" and "input_schema" not in tool:
        return None
    schema = function.get("parameters", function.get("input_schema"))
    bare: Tool = {key: function[key] for key in ("name", "description", "strict") if key in function}
    return bare if schema is None else bare | {"parameters": schema}


class AnsweredCall(NamedTuple):
    """A call of a conversation with its result."""

    id: str
    """Ours: with a provider's random ids, the same conversation would be another request each time."""
    call: ToolCall
    result: str


def answered_calls(steps: Sequence[Step]) -> list[tuple[Step, list[AnsweredCall]]]:
    """Returns each step of a conversation with its calls."""
    return [
        (
            step,
            [
                AnsweredCall(f"call_{number}_{place}", call, result)
                for place, (call, result) in enumerate(zip(step.calls, step.results, strict=True), 1)
            ],
        )
        for number, step in enumerate(steps, 1)
    ]
