"""Finds the inputs of a request that a trace shows: what stands where the prompt has its variables.

The prompt is rendered with a mark for each variable. The texts around the marks tell where each value begins and ends.
Values count only if the prompt, rendered with them, gives exactly the traced messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.planning.rendering import job_of, render
from engine.readers.dialects import variables_of
from schemas.ports import RenderFailure, TemplateRenderer
from schemas.production import ContentMessage
from schemas.prompts import Message, PromptFile
from schemas.testsets import TestCase

OPEN, CLOSE = "\ue000", "\ue001"
"""Private characters, which no prompt contains."""


def recovered(
    prompt: PromptFile, messages: Sequence[ContentMessage], renderer: TemplateRenderer
) -> dict[str, str] | None:
    """Returns the value of each variable; ``None`` if the messages are not the prompt's, or don't tell them all."""
    names = sorted(variables_of(prompt))
    marks = {name: f"{OPEN}{number}{CLOSE}" for number, name in enumerate(names)}
    marked = _rendered(prompt, marks, renderer)
    if marked is None or len(marked) > len(messages):
        return None
    found = _found(marked, messages, names)
    if found is None or found.keys() != set(names):
        return None
    again = _rendered(prompt, found, renderer)
    sent = {(message.role, message.text) for message in messages}
    whole = again is not None and all((message.role.value, message.content) in sent for message in again)
    return found if whole else None


def _found(
    marked: Sequence[Message], messages: Sequence[ContentMessage], names: Sequence[str]
) -> dict[str, str] | None:
    """Returns the values at the marks; ``None`` if a message doesn't fit, or two values of one variable differ."""
    found: dict[str, str] = {}
    # An application may send earlier turns in between, so the last messages of each role count.
    left = list(messages)
    for message in reversed(marked):
        while left and left[-1].role != message.role.value:
            left.pop()
        values = _values(message.content, left.pop().text, names) if left else None
        if values is None or any(found.get(name, value) != value for name, value in values.items()):
            return None
        found |= values
    return found


def _rendered(prompt: PromptFile, values: dict[str, str], renderer: TemplateRenderer) -> tuple[Message, ...] | None:
    (result,) = render(renderer, [job_of(prompt, TestCase(id="trace", inputs=dict(values)))])
    return None if isinstance(result, RenderFailure) else result


def _values(marked: str, text: str, names: Sequence[str]) -> dict[str, str] | None:
    """Returns what stands in ``text`` at the marks; ``None`` if the texts around them differ."""
    import re2  # type: ignore[import-untyped]

    first, *rest = marked.split(OPEN)
    pattern, order = [re2.escape(first)], []
    for part in rest:
        number, _, literal = part.partition(CLOSE)
        if not number.isdecimal():
            return None
        order.append(names[int(number)])
        pattern += ["(.*?)", re2.escape(literal)]
    match = re2.fullmatch(f"(?s){''.join(pattern)}", text)
    if match is None:
        return None
    found: dict[str, str] = {}
    for name, value in zip(order, match.groups(), strict=True):
        if found.setdefault(name, value) != value:
            return None
    return found
