"""Renders the two dialects without logic, and finds the variables of a prompt. adapters/sandbox.py renders Jinja.

``{{name}}`` or ``{name}`` is filled in by one pass of replacement: values are never read as templates themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import JsonValue

from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Dialect, Message, PromptFile

if TYPE_CHECKING:
    from jinja2.nodes import Node

MAX_OUTPUT = 4 * 1024 * 1024
"""Most characters of one rendered job, about a million tokens of text."""

GITHUB_VARIABLE = re.compile(r"\{\{[ \t]*([\w.-]+)[ \t]*\}\}")
BRACES_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PATTERNS = {Dialect.GITHUB: GITHUB_VARIABLE, Dialect.BRACES: BRACES_VARIABLE}


def value_text(value: JsonValue) -> str:
    """Returns a variable's value as it appears in a prompt: texts unchanged, everything else as JSON (5.0 as 5)."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def fill_in(job: RenderJob) -> tuple[Message, ...] | RenderFailure:
    """Renders a job of the dialects ``GITHUB`` and ``BRACES``. A name without a value is a failure that names it."""
    pattern = _PATTERNS[job.dialect]
    room = MAX_OUTPUT
    rendered = []
    for message in job.messages:
        names = pattern.findall(message.content)
        for name in names:
            if name not in job.variables:
                return missing(name, job.variables)
        texts = {name: value_text(job.variables[name]) for name in set(names)}
        room -= len(message.content) + sum(len(texts[name]) for name in names)
        if room < 0:
            return RenderFailure(message=f"the rendered prompt is longer than {MAX_OUTPUT // 2**20} MiB")
        content = pattern.sub(lambda match, texts=texts: texts[match[1]], message.content)  # type: ignore[misc]
        rendered.append(Message(role=message.role, content=content))
    return tuple(rendered)


def missing(name: str, variables: Mapping[str, JsonValue]) -> RenderFailure:
    """Returns the failure for a variable that the case doesn't have."""
    has = ", ".join(sorted(variables)[:8]) or "none"
    return RenderFailure(message=f"the variable {name} has no value (the case has: {has})", variable=name)


def without_comments(prompt: PromptFile) -> tuple[tuple[Message, ...], dict[str, str]]:
    """Returns messages and partials without Jinja's comments that leave the text around them unchanged."""
    if prompt.dialect is not Dialect.JINJA:
        return prompt.messages, prompt.included
    messages = tuple(Message(role=each.role, content=_without_comments(each.content)) for each in prompt.messages)
    return messages, {name: _without_comments(text) for name, text in prompt.included.items()}


def _without_comments(text: str) -> str:
    """Removes comments. One that strips the blanks beside it (``{#-``, ``-#}``) stays, because it changes what is
    sent."""
    kept: list[str] = []
    comment: list[str] = []
    for token in jinja_tokens(text) if "{#" in text else ():
        (comment if token.kind.startswith("comment") else kept).append(token.value)
        if token.kind == "comment_end":
            if comment[0] != "{#" or token.value != "#}":
                kept += comment
            comment = []
    return "".join([*kept, *comment]) if kept or comment else text


class Token(NamedTuple):
    """A piece of a Jinja template. All values together render like the template, with ``-%}`` already applied."""

    line: int
    kind: str
    """Jinja's name of its kind: ``data``, ``block_begin``, ``string`` …"""
    value: str


def jinja_tokens(text: str) -> tuple[Token, ...]:
    """Returns the tokens of the template, or one piece of text if it can't be split."""
    from jinja2 import Environment, TemplateSyntaxError

    environment = Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701 - split, never rendered
    try:
        return tuple(Token(*token) for token in environment.lex(text))
    except TemplateSyntaxError:
        return (Token(1, "data", text),)


def parses(text: str) -> bool:
    """Returns whether Jinja can parse the template."""
    from jinja2 import Environment, TemplateSyntaxError

    try:
        Environment(autoescape=False).parse(text)  # noqa: S701 - parsed, never rendered
    except (TemplateSyntaxError, RecursionError, ValueError):
        return False
    return True


def variables_of(prompt: PromptFile) -> frozenset[str]:
    """Returns the names that a case's inputs must have.

    For Jinja: the names that are read before anything sets them, nested names by their first part; empty where the
    template can't be parsed. A partial also sees what other texts set.
    """
    if prompt.dialect is not Dialect.JINJA:
        pattern = _PATTERNS[prompt.dialect]
        return frozenset(name for message in prompt.messages for name in pattern.findall(message.content))
    from jinja2 import TemplateSyntaxError

    try:
        messages = [_names(message.content) for message in prompt.messages]
        partials = [_names(text) for text in prompt.included.values()]
    except (TemplateSyntaxError, RecursionError, ValueError):
        return frozenset()
    given = frozenset[str]().union(*(read for read, _ in messages))
    shared = frozenset[str]().union(*(read for read, _ in partials))
    return given | shared.difference(*(written for _, written in (*messages, *partials)))


def _names(text: str) -> tuple[set[str], set[str]]:
    """Returns the names that a template reads before it sets them, and those that it sets.

    ``jinja2.meta`` would compile the template. That evaluates its constants, and takes as an input what every branch of
    an ``if`` sets.
    """
    from jinja2 import Environment, nodes

    read: set[str] = set()
    written = {"loop", "self", "super", "caller", "varargs", "kwargs"}
    for node in _in_order(Environment(autoescape=False).parse(text)):  # noqa: S701 - parsed, never rendered
        match node:
            case nodes.Name(name=name, ctx="load"):
                read |= {name} - written
            case nodes.Name(name=name) | nodes.Macro(name=name) | nodes.Import(target=name):
                written.add(name)
            case nodes.FromImport(names=names):
                written |= {name if isinstance(name, str) else name[1] for name in names}
    return read, written


def _in_order(node: Node) -> Iterator[Node]:
    """Yields a template's nodes as they are evaluated: a target behind its value, and before the body of its loop."""
    from jinja2 import nodes

    yield node
    earlier = ("iter", "values", "body" if isinstance(node, nodes.AssignBlock) else "node")
    targets = ("target", "targets")
    yield from (inner for child in node.iter_child_nodes(only=earlier) for inner in _in_order(child))
    yield from (inner for child in node.iter_child_nodes(only=targets) for inner in _in_order(child))
    yield from (inner for child in node.iter_child_nodes(exclude=(*earlier, *targets)) for inner in _in_order(child))
