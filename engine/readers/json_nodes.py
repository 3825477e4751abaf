"""Parses JSON into nodes, strictly by RFC 8259, without duplicate keys, lone surrogates or numbers that lose digits.

``read_json`` keeps places and reads iteratively. ``json_line`` is the fast way for JSONL (Python's C parser), and falls
back on the slow one to describe an error.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right

from pydantic import JsonValue

from engine.readers.bounded import MAX_DEPTH, MAX_INTEGER_DIGITS, MAX_NODES, Source, shown
from engine.readers.nodes import Node, Scalar, plain
from schemas.values import canonical_json

_TOKEN = re.compile(
    r"""(?P<sign>[\[\]{},:])
    | "(?P<text>(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"
    | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)(?![0-9.eE+-])
    | (?P<word>true|false|null)\b""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\r\n]*")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def read_json(source: Source) -> Node:
    """Returns the single value of ``source``. Raises ``source.failure`` with line and column."""
    return _Parser(source).parse()


class _Parser:
    """Parses one document with an explicit stack."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.starts = [0, *(match.end() for match in re.finditer("\n", source.text))]
        self.at = 0
        self.nodes = 0

    def place(self, at: int) -> tuple[int, int]:
        line = bisect_right(self.starts, at) - 1
        return line + self.source.first_line, at - self.starts[line] + 1

    def error(self, what: str, hint: str = "check commas, quotes and brackets here") -> Exception:
        return self.source.error(what, *self.place(self.at), hint=hint)

    def token(self) -> re.Match[str] | None:
        """Returns the token at the next non-blank place, or ``None`` at the end."""
        blank = _BLANK.match(self.source.text, self.at)
        assert blank is not None
        self.at = blank.end()
        if self.at == len(self.source.text):
            return None
        token = _TOKEN.match(self.source.text, self.at)
        if token is None:
            raise self.error(f"not valid JSON at {shown(self.source.text[self.at : self.at + 20])!r}")
        return token

    def parse(self) -> Node:
        stack: list[Node] = []
        key: list[str] = []  # the pending keys of the open maps
        while True:
            node = self.value(len(stack))
            if isinstance(node.value, dict | list) and not self.empty(node):
                stack.append(node)
                if isinstance(node.value, dict):
                    key.append(self.key(node))
                continue
            while stack:
                parent = stack[-1]
                if isinstance(parent.value, list):
                    parent.value.append(node)
                else:
                    assert isinstance(parent.value, dict)
                    parent.value[key[-1]] = node
                if self.more(parent):
                    if isinstance(parent.value, dict):
                        key[-1] = self.key(parent)
                    break
                node = stack.pop()
                if isinstance(node.value, dict):
                    key.pop()
            else:
                if self.token() is not None:
                    raise self.error("text after the end of the JSON value", "keep one value in a file")
                return node

    def value(self, depth: int) -> Node:
        token = self.token()
        if token is None:
            raise self.error("the JSON ends too early")
        line, column = self.place(self.at)
        self.count()
        if token["sign"] is not None:
            if token["sign"] not in "[{":
                raise self.error(f"{token['sign']} instead of a value")
            if depth >= MAX_DEPTH:
                raise self.error(f"nested deeper than {MAX_DEPTH} levels", "flatten it")
            node = Node(line, column, [] if token["sign"] == "[" else {})
        else:
            scalar = self.scalar(token)
            node = Node(line, column, scalar, scalar if isinstance(scalar, str) else token[0])
        self.at = token.end()
        return node

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES:,} values", "make the file smaller")

    def scalar(self, token: re.Match[str]) -> Scalar:
        if token["word"] is not None:
            return _WORDS[token["word"]]
        if token["text"] is not None:
            return self.text(token)
        digits = token["number"]
        if digits.lstrip("-").isdigit():
            if len(digits) > MAX_INTEGER_DIGITS:
                raise self.error(f"{shown(digits)} is too large a number", "quote it if it is text")
            return int(digits)
        number = float(digits)
        if not math.isfinite(number):
            raise self.error(f"{shown(digits)} is too large a number", "quote it if it is text")
        return number

    def text(self, token: re.Match[str]) -> str:
        text = token["text"]
        if "\\" not in text:
            return text
        decoded = json.loads(token[0])
        assert isinstance(decoded, str)
        if not _encodable(decoded):
            raise self.error("a lone surrogate", "write the character itself")
        return decoded

    def sign(self) -> str | None:
        """Returns the next token if it is a sign."""
        token = self.token()
        return None if token is None else token["sign"]

    def empty(self, node: Node) -> bool:
        """Returns whether the container that was just opened is empty, and closes it."""
        closing = "]" if isinstance(node.value, list) else "}"
        if self.sign() == closing:
            self.at += 1
            return True
        return False

    def more(self, parent: Node) -> bool:
        """Skips the comma or the closing bracket. Returns whether another value follows."""
        sign = self.sign()
        closing = "]" if isinstance(parent.value, list) else "}"
        if sign not in (",", closing):
            raise self.error(f"expected , or {closing} here")
        self.at += 1
        return sign == ","

    def key(self, node: Node) -> str:
        token = self.token()
        if token is None or token["text"] is None:
            raise self.error("expected a key in quotes here")
        place = self.place(self.at)
        self.count()
        key = self.text(token)
        assert isinstance(node.value, dict)
        if key in node.value:
            raise self.error(f"duplicate key {shown(key)} (first at line {node.keys[key][0]})", "remove one of the two")
        node.keys[key] = place
        self.at = token.end()
        if self.sign() != ":":
            raise self.error("expected a colon here")
        self.at += 1
        return key


class _SuspectError(ValueError):
    """Raised by the fast reader for anything that the exact one must check."""


def _no_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _SuspectError
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise _SuspectError
    return int(digits)


def _broken(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _SuspectError
    return number


_FAST = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_int=_whole, parse_float=_broken, parse_constant=_broken
)


def json_line(source: Source, text: str, line: int) -> JsonValue:
    """Returns the value of one line of a JSONL file. ``line`` is its number. Raises ``source.failure``."""
    try:
        value: JsonValue = _FAST.decode(text)
        small = len(text) <= MAX_NODES and text.count("[") + text.count("{") <= MAX_DEPTH
        if "\\ud" in text.lower():
            canonical_json(value)
    except (ValueError, RecursionError):
        pass
    else:
        if small or _within_bounds(value):
            return value
    return plain(read_json(Source(source.path, text, failure=source.failure, first_line=line)))


def _within_bounds(value: JsonValue) -> bool:
    """Returns whether nesting and number of values are within bounds, level by level."""
    level: list[JsonValue] = [value]
    nodes = 1
    for _ in range(MAX_DEPTH + 1):
        below: list[JsonValue] = []
        for container in level:
            if isinstance(container, dict):
                nodes += len(container)
                below += container.values()
            elif isinstance(container, list):
                below += container
        nodes += len(below)
        if nodes > MAX_NODES:
            return False
        if not below:
            return True
        level = below
    return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
