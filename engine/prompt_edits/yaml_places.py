"""Edits of YAML: a scalar in another wording, a key more, a key less. Comments, quotes and order stay.

The texts were read before within the readers' limits, so composing them is safe.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, TypeGuard

from pydantic import JsonValue

from engine.detection.prompt_diff import ends_in_common
from engine.test_edits import NoEditError
from engine.test_edits.yaml_text import composed, flow, last_line, scalar, set_in_map

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

WIDTH = 100
"""Columns of a paragraph that is written anew, if the old one was shorter."""
MOST_PAIRS = 2_000
"""Pairs of an old and a new paragraph that are compared, to keep line breaks. Comparing takes long."""
MOST_WORDS = 250_000
"""The largest product of the numbers of words that differ in two paragraphs, for the same reason."""


def edited_scalars(text: str, old: str, new: str) -> Iterator[tuple[str, ...]]:
    """Yields, for each scalar that reads ``old``, the YAML with ``new`` there: in its own style first, then in others
    that can hold any text."""
    for node in _scalars(text):
        if node.value == old:
            yield tuple(_put(text, node, written) for written in _styles(text, node, new))


def with_number(text: str, keys: Sequence[str], value: JsonValue) -> Iterator[str]:
    """Yields the YAML with ``value`` under each key of this name that there is."""
    for row in _maps(text):
        for name, node in row.value:
            if name.value in keys and _is_scalar(node):
                yield _put(text, node, flow(value))


def without_key(text: str, keys: Sequence[str]) -> Iterator[str]:
    """Yields the YAML without each key of this name that is not the only one of its map."""
    for row in _maps(text):
        if len(row.value) > 1:
            yield from (_without(text, row, number) for number, (name, _) in enumerate(row.value) if name.value in keys)


def _without(text: str, row: MappingNode, number: int) -> str:
    lines = text.split("\n")
    name, node = row.value[number]
    if not row.flow_style:
        first, last = name.start_mark.line, last_line(node, lines)
        return "\n".join([*lines[:first], *lines[last + 1 :]])
    # Between braces: with the comma before it, or after it.
    start = row.value[number - 1][1].end_mark if number else name.start_mark
    end = node.end_mark if number else row.value[1][0].start_mark
    return "\n".join(
        [
            *lines[: start.line],
            lines[start.line][: start.column] + lines[end.line][end.column :],
            *lines[end.line + 1 :],
        ]
    )


def with_key(text: str, beside: Sequence[str], key: str, value: JsonValue) -> Iterator[str]:
    """Yields the YAML with one more key in each map that has any of the keys ``beside``."""
    for row in _maps(text):
        if any(name.value in beside for name, _ in row.value):
            try:
                yield set_in_map(text, row, key, value)
            except NoEditError:
                continue


def with_map(text: str, name: str, inner: Mapping[str, JsonValue]) -> str | None:
    """Returns the YAML with one more map of scalars at its top, before its first list or map."""
    root = composed(text)
    if not _is_map(root) or root.flow_style:
        return None
    lines = text.split("\n")
    before = next((key for key, node in root.value if not _is_scalar(node)), None)
    at = before.start_mark.line if before is not None else last_line(root, lines) + 1
    while at and before is not None and lines[at - 1].lstrip().startswith("#"):  # a comment belongs to what it precedes
        at -= 1
    put = [f"{name}:", *(f"  {key}: {flow(value)}" for key, value in inner.items())]
    return "\n".join([*lines[:at], *put, *lines[at:]])


def set_at(text: str, path: Sequence[str], key: str, value: JsonValue) -> str | None:
    """Returns the YAML with a value in the map at ``path``; ``None`` if there is no such map. Raises NoEditError."""
    node: Node | None = composed(text)
    for step in path:
        if not _is_map(node):
            return None
        node = next((each for name, each in node.value if name.value == step), None)
    return set_in_map(text, node, key, value) if _is_map(node) and node.value else None


def _maps(text: str) -> Iterator[MappingNode]:
    yield from (node for node in _nodes(text) if _is_map(node))


def _scalars(text: str) -> Iterator[ScalarNode]:
    yield from (node for node in _nodes(text) if _is_scalar(node))


def _nodes(text: str) -> Iterator[Node]:
    """Yields every value once, in the file's order."""
    root = composed(text)
    waiting, seen = [root] if root is not None else [], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        yield node
        if _is_map(node):
            waiting += [value for _, value in reversed(node.value)]
        elif not _is_scalar(node):
            waiting += reversed(node.value)


def _is_map(node: Node | None) -> TypeGuard[MappingNode]:
    import yaml

    return isinstance(node, yaml.MappingNode)


def _is_scalar(node: Node | None) -> TypeGuard[ScalarNode]:
    import yaml

    return isinstance(node, yaml.ScalarNode)


def _put(text: str, node: Node, written: str) -> str:
    """Returns the text with a scalar replaced. A block scalar keeps the blank lines and comments that follow it."""
    lines = text.split("\n")
    start, end = node.start_mark, node.end_mark
    last, column = end.line, end.column
    if getattr(node, "style", None) in ("|", ">"):
        last = last_line(node, lines)
        column = len(lines[last])
    head, tail = lines[start.line][: start.column], lines[last][column:]
    return "\n".join([*lines[: start.line], f"{head}{written}{tail}", *lines[last + 1 :]])


def _styles(text: str, node: ScalarNode, new: str) -> Iterator[str]:
    lines = text.split("\n")
    if node.style in ("|", ">"):
        yield _block(lines, node, new)
        if node.style == ">":
            yield _literal(lines, node, new)
    elif node.style == "'" and "\n" not in new:
        yield "'" + new.replace("'", "''") + "'"
    elif not node.style:
        if "\n" in new:
            yield _literal(lines, node, new)
        elif _is_text(new):
            yield new
    yield scalar(new) if scalar(new) != new else f'"{new}"'


def _is_text(plain: str) -> bool:
    """Returns whether YAML reads a plain scalar as a text, and not as a number, a truth value or a date."""
    import yaml

    tag: str = yaml.SafeLoader("").resolve(yaml.ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    return tag == "tag:yaml.org,2002:str"


def _block(lines: Sequence[str], node: ScalarNode, new: str) -> str:
    """Returns a block scalar with other content. Lines and paragraphs that stay are left as they are."""
    start, last = node.start_mark, last_line(node, list(lines))
    head, body = lines[start.line][start.column :], list(lines[start.line + 1 : last + 1])
    filled = next((line for line in body if line.strip()), "")
    indent = filled[: len(filled) - len(filled.lstrip(" "))]
    if node.style == "|":
        put = [indent + line if line else "" for line in new.rstrip("\n").split("\n")]
    else:
        put = _folded(body, indent, node.value.rstrip("\n"), new.rstrip("\n"))
    return "\n".join([head, *put])


def _folded(body: Sequence[str], indent: str, old: str, new: str) -> list[str]:
    """Returns the lines of a folded text. Each line break of the text is a blank line between paragraphs."""
    before, after = old.split("\n"), new.split("\n")
    known = dict(zip((part for part in before if part), _paragraphs(body), strict=False))
    gone = {part: lines for part, lines in known.items() if part not in after}
    near = gone if len(gone) * len(after) <= MOST_PAIRS else {}
    width = max([WIDTH, *(len(line) for line in body)])
    put: list[str] = []
    for number, part in enumerate(after):
        if number:
            put.append("")
        if part:
            wrapped = textwrap.wrap(part, width - len(indent), break_long_words=False, break_on_hyphens=False)
            put += known.get(part) or _wrapped_like(near, part) or [indent + line for line in wrapped]
    return put


def _paragraphs(body: Sequence[str]) -> list[list[str]]:
    """Returns the lines between blank lines."""
    groups: list[list[str]] = [[]]
    for line in body:
        if line.strip():
            groups[-1].append(line)
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def _wrapped_like(known: Mapping[str, Sequence[str]], part: str) -> list[str]:
    """Returns a paragraph with the line breaks of the most similar old one, as far as its words stay."""
    near = max(known, key=lambda old: SequenceMatcher(None, old[:2000], part[:2000]).quick_ratio(), default=None)
    if near is None:
        return []
    lines = known[near]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(" "))]
    ends = {0}
    words = 0
    for line in lines[:-1]:
        words += len(line.split())
        ends.add(words)
    old, new = near.split(" "), part.split(" ")
    if "" in old or "" in new:  # several blanks: a line break there would change the text
        return []
    first, last = ends_in_common(old, new)
    equal = [(0, first, 0), (len(old) - last, len(old), len(new) - last)]
    inner = old[first : len(old) - last], new[first : len(new) - last]
    if len(inner[0]) * len(inner[1]) <= MOST_WORDS:
        blocks = SequenceMatcher(None, *inner, autojunk=False).get_matching_blocks()
        equal += [(first + a, first + a + size, first + b) for a, b, size in blocks]
    starts = {0}
    for i, j, k in equal:
        starts |= {k + end - i for end in ends if i <= end <= j}
    cuts = [*sorted(starts), len(new)]
    return [indent + " ".join(new[a:b]) for a, b in pairwise(cuts) if new[a:b]]


def _literal(lines: Sequence[str], node: ScalarNode, new: str) -> str:
    """Returns the text as a literal block, indented below its key."""
    line = lines[node.start_mark.line]
    lead = line[: len(line) - len(line.lstrip(" -"))]
    indent = " " * (len(lead) + 2)
    ends = len(new) - len(new.rstrip("\n"))
    chomp = ("-", "", "+")[min(ends, 2)]
    return "\n".join([f"|{chomp}", *(indent + each if each else "" for each in new.rstrip("\n").split("\n"))])
