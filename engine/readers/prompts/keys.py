"""Reads prompts under a key of a YAML, JSON or TOML file: ``config/prompts.yaml#triage.system``.

A key is a list of steps, joined by dots. A step is a key, which may itself have dots, or the index of a list's item,
from 0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from engine.readers.bounded import MAX_DEPTH, MAX_NODES, Source, shown
from engine.readers.code.pieces import MissingConstantError, Written
from engine.readers.code.settings import is_setting, leave_settings
from engine.readers.nodes import Node, plain
from engine.readers.prompts.parts import YAML_SUFFIXES, document, messages_of

KEYED_SUFFIXES = (*YAML_SUFFIXES, ".json", ".toml")
_INDEX = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_QUOTES = re.compile(r'"""|\'\'\'')
_AT = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")
_STEP = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DEEP = re.compile(rf"(?<![\w-]){_STEP}(?:[ \t]*+\.[ \t]*+{_STEP}){{{MAX_DEPTH}}}")
"""A dotted key for which the parser's time grows with the square of its length."""
_TOML_LINE = re.compile(r"[ \t]*+(?:(?P<table>\[\[?[^\[\]\n]++\]\]?)|(?P<key>[^=\[\n#]++)=)")


def keyed_document(source: Source) -> Node:
    """Returns the YAML, JSON or TOML document (by the path's suffix). Raises SourceError."""
    return _toml(source) if source.path.endswith(".toml") else document(source)


def read_key(source: Source, key: str) -> tuple[Written, ...]:
    """Returns the messages under ``key``: a text without a role, or a list of ``{role, content}``.

    Raises MissingConstantError if there is nothing, and SourceError for an unreadable file and any other value.
    """
    root = keyed_document(source)
    found = [path[-1] for path in _find(root, key.split("."))]
    if not found:
        raise MissingConstantError(
            f"there is no key {shown(key)} in this file", where=source.where(1), hint="check the name after #"
        )
    if len(found) > 1:
        lines = sorted(node.line for node in found)
        listed = ", ".join(map(str, lines[:5]))
        raise source.error(f"{shown(key)} means several keys (lines {listed})", lines[0], hint="rename one of them")
    (node,) = found
    _leave_settings(source, key, next(iter(_find(root, key.split(".")))))
    extents = _Extents(source)
    if isinstance(node.value, list) and node.value:
        messages = messages_of(source, node.value, "message")
        items = [(item.line, extents.last_line(item)) for item in node.value]
        return tuple(
            Written((message.content,), (lines,), role=message.role)
            for message, lines in zip(messages, items, strict=True)
        )
    if not isinstance(node.value, str):
        hint = "name a text, or a list of messages with role and content"
        raise source.error(f"{shown(key)} is {node.kind}", node.line, node.column, hint=hint)
    return (Written((node.value,), ((node.line, extents.last_line(node)),)),)


def _find(node: Node, steps: Sequence[str]) -> Iterator[tuple[Node, ...]]:
    """Yields everything that the steps may mean, each with the values around it: a key may contain dots itself."""
    if not steps:
        yield (node,)
    elif isinstance(node.value, dict):
        for taken in range(1, len(steps) + 1):
            if (child := node.value.get(".".join(steps[:taken]))) is not None:
                yield from ((node, *path) for path in _find(child, steps[taken:]))
    elif isinstance(node.value, list) and _INDEX.fullmatch(steps[0]) and int(steps[0]) < len(node.value):
        yield from ((node, *path) for path in _find(node.value[int(steps[0])], steps[1:]))


def _leave_settings(source: Source, key: str, path: Sequence[Node]) -> None:
    """Notes settings of a model beside the key, or beside the values around it: they are not read."""
    for around, inner in pairwise(path):
        if isinstance(around.value, dict):
            beside = {name: each for name, each in around.value.items() if each is not inner}
            given = {name: (each.line, plain(each)) for name, each in beside.items() if is_setting(name, each.value)}
            leave_settings(source, key, given)


class _Extents:
    """Tells where the values of one file end. Each line is looked at once, however many values start in it."""

    def __init__(self, source: Source) -> None:
        self._toml = source.path.endswith(".toml")
        self._lines = source.text.split("\n")
        self._indents = [
            (number, len(line) - len(line.lstrip(" "))) for number, line in enumerate(self._lines, 1) if line.strip()
        ]
        self._known: dict[int, int] = {}

    def last_line(self, node: Node) -> int:
        """Returns the last line of a value: in YAML and JSON the last one that is indented more than the first, in
        TOML the one with the quotes that close it."""
        if node.line not in self._known:
            self._known[node.line] = self._closed(node.line) if self._toml else self._indented(node.line)
        return self._known[node.line]

    def _closed(self, first: int) -> int:
        quotes = _QUOTES.search(self._lines[first - 1])
        if quotes is None or self._lines[first - 1].count(quotes[0]) != 1:
            return first
        following = enumerate(self._lines[first:], first + 1)
        return next((number for number, line in following if quotes[0] in line), first)

    def _indented(self, first: int) -> int:
        last, at = first, bisect_left(self._indents, (first, 0))
        own = self._indents[at][1] if at < len(self._indents) else 0
        for number, indent in map(self._indents.__getitem__, range(at + 1, len(self._indents))):
            if indent <= own:
                break
            last = number
        return last


def _toml(source: Source) -> Node:
    if deep := _DEEP.search(source.text):
        line = source.text.count("\n", 0, deep.start()) + 1
        raise source.error(f"a key of more than {MAX_DEPTH} steps", line, hint="flatten it")
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        at = _AT.search(said)
        line, column = (int(at[1]), int(at[2])) if at and at[1] else (source.text.count("\n") + 1, None)
        what = f"not valid TOML: {shown(_AT.sub('', said).strip(), 120)}"
        raise source.error(what, line, column, hint="fix the syntax") from None
    except (RecursionError, ValueError):
        raise source.error("nested too deeply, or a number is too long", 1, hint="flatten it") from None
    return _TomlNodes(source).of(data)


class _TomlNodes:
    """Converts TOML to nodes. The parser gives no lines, so they are looked up by table and key."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lines = _toml_lines(source.text)
        self._count = 0

    def of(self, value: object, path: tuple[str, ...] = (), line: int = 1, depth: int = 0) -> Node:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            raise self._source.error("the file has too many values or levels", line, hint="make the file smaller")
        line = self._lines.get(path, line)
        if isinstance(value, dict):
            children = {key: self.of(child, (*path, key), line, depth + 1) for key, child in value.items()}
            return Node(line, 1, children, keys={key: (child.line, 1) for key, child in children.items()})
        if isinstance(value, list):
            return Node(line, 1, [self.of(child, (*path, str(n)), line, depth + 1) for n, child in enumerate(value)])
        if isinstance(value, str | bool | int | float):
            return Node(line, 1, value, value if isinstance(value, str) else str(value))
        return Node(line, 1, None, str(value))


def _toml_lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Returns the lines of plainly written keys, by their steps."""
    lines: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        opened = inside
        for quotes in re.findall(r'"""|\'\'\'', line):
            inside = "" if inside == quotes else inside or quotes
        found = None if opened else _TOML_LINE.match(line)
        if found is None:
            continue
        steps = tuple(step.strip().strip("\"'") for step in (found["table"] or found["key"]).strip("[]").split("."))
        if found["table"]:
            table = steps
            if found["table"].startswith("[["):
                counts[table] = counts.get(table, -1) + 1
                table = (*table, str(counts[table]))
            lines.setdefault(table, number)
        else:
            lines.setdefault((*table, *steps), number)
    return lines
