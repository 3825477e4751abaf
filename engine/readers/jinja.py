"""Jinja templates, taken apart and never rendered: adapters/sandbox.py does that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jinja2.nodes import Node


MAX_TOKENS = 50_000
"""Most tokens of a template. Jinja takes seconds for more, and a prompt has a few hundred."""


def jinja_without_comments(text: str) -> str:
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


def excess_line(text: str) -> int | None:
    """Returns the line on which a template exceeds ``MAX_TOKENS``. ``None``: it is shorter, or can't be split."""
    from jinja2 import Environment, TemplateSyntaxError

    # No token is empty, so most templates needn't be split.
    if len(text) <= MAX_TOKENS:
        return None
    try:
        tokens = Environment(autoescape=False).lex(text)  # noqa: S701 - split, never rendered
        return next((line for line, _, _ in islice(tokens, MAX_TOKENS, None)), None)
    except TemplateSyntaxError:
        return None


def parses(text: str) -> bool:
    """Returns whether Jinja can parse the template."""
    from jinja2 import Environment, TemplateSyntaxError

    try:
        Environment(autoescape=False).parse(text)  # noqa: S701 - parsed, never rendered
    except (TemplateSyntaxError, RecursionError, ValueError):
        return False
    return True


def jinja_variables(messages: Sequence[str], partials: Sequence[str]) -> frozenset[str]:
    """Returns the names that are read before anything sets them; none where a template can't be parsed.

    A partial also sees what other texts set.
    """
    from jinja2 import TemplateSyntaxError

    try:
        sent = [_names(text) for text in messages]
        shared = [_names(text) for text in partials]
    except (TemplateSyntaxError, RecursionError, ValueError):
        return frozenset()
    given = frozenset[str]().union(*(read for read, _ in sent))
    asked = frozenset[str]().union(*(read for read, _ in shared))
    return given | asked.difference(*(written for _, written in (*sent, *shared)))


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
