"""What the scripted tools of a case return for a model's calls, and the state that they leave. Nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NoReturn

from pydantic import JsonValue

from evaluators.tool_calls import is_right
from schemas.conversations import ScriptedResult, Step, ToolCall
from schemas.testsets import TestCase

NO_RESULT = "error: this case has no scripted result for this call"
"""What a model gets for a call that no script of its case fits."""


def arguments_of(call: ToolCall) -> dict[str, JsonValue] | None:
    """Returns the arguments of a call; ``None`` if they are no JSON object. An empty text means no arguments."""
    try:
        arguments = json.loads(call.arguments or "{}", parse_constant=_refused)
        # Half a surrogate pair could be sent to no provider.
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _refused(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and the infinities are no JSON


def script_for(case: TestCase, call: ToolCall) -> ScriptedResult | None:
    """Returns the first scripted result that fits a call, or ``None``."""
    arguments = arguments_of(call)
    if arguments is None:
        return None
    return next((script for script in case.tool_results if _fits(script, call.name, arguments)), None)


def _fits(script: ScriptedResult, name: str, arguments: dict[str, JsonValue]) -> bool:
    return script.name == name and all(
        key in arguments and is_right(rule, arguments[key]) for key, rule in script.arguments.items()
    )


def result_text(script: ScriptedResult | None) -> str:
    """Returns what the model gets."""
    if script is None:
        return NO_RESULT
    return script.result if isinstance(script.result, str) else json.dumps(script.result, ensure_ascii=False)


def final_state(case: TestCase, steps: Iterable[Step]) -> dict[str, JsonValue]:
    """Returns what the answered calls of a conversation have set, in their order."""
    state: dict[str, JsonValue] = {}
    for step in steps:
        for call in step.calls if step.results else ():
            if (script := script_for(case, call)) is not None:
                state |= script.set
    return state
