"""A parsed document whose values have places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, nearest, shown

Scalar = None | bool | int | float | str


@dataclass(slots=True)
class Node:
    """One value of a YAML or JSON document with its place (from 1)."""

    line: int
    column: int
    value: Scalar | list[Node] | dict[str, Node] = None
    text: str | None = None
    """A scalar as written, without its quotes. ``None`` for lists and maps."""
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The place of each key of a map."""
    size: int = 1
    """Number of its values and keys, with aliases expanded."""
    letters: int = 0
    """Characters of all its texts, with aliases expanded."""
    height: int = 0
    """Levels of nesting including itself; 0 for a scalar."""

    @property
    def kind(self) -> str:
        """Its kind, in words for a message."""
        match self.value:
            case dict():
                return "a map"
            case list():
                return "a list"
            case None:
                return "nothing"
            case bool():
                return "true or false"
            case str():
                return "text"
            case _:
                return "a number"


def plain(node: Node) -> JsonValue:
    """Returns the plain value. The parsers bound its depth."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def find(node: Node, location: tuple[str | int, ...]) -> Node:
    """Returns the node at ``location``, or the nearest one above it that exists."""
    for step in location:
        if isinstance(node.value, dict) and step in node.value:
            node = node.value[str(step)]
        elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
    return node


class Fields:
    """A map of a foreign format while it is read: typed access by key. Keys that are never asked for are reported.

    Texts are read as typed YAML readers do: ``no``, ``1.0`` and ``010`` remain as written if a text is expected.
    """

    def __init__(self, source: Source, node: Node, what: str) -> None:
        self.source = source
        self.what = what
        self.node = node
        if not isinstance(node.value, dict):
            raise source.error(f"{what} is {node.kind}", node.line, node.column, hint=f"{what} must be a map of keys")
        self.entries = node.value
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries and self.entries[key].value is not None

    def take(self, key: str) -> Node | None:
        """Returns the raw value, or ``None`` if it is absent or null."""
        self._asked.add(key)
        node = self.entries.get(key)
        return None if node is None or node.value is None else node

    def text(self, key: str) -> str | None:
        """Returns a scalar as written."""
        node = self.take(key)
        if node is None:
            return None
        if node.text is None:
            raise self.wrong(key, node, "text")
        return node.text

    def required(self, key: str) -> str:
        """Returns a required text."""
        text = self.text(key)
        if text is None:
            raise self.source.error(f"{self.what} has no {key}", self.node.line, hint=f"add {key}:")
        return text

    def number(self, key: str) -> float | None:
        """Returns a finite number."""
        node = self.take(key)
        if node is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.wrong(key, node, "a number")
        return float(node.value)

    def integer(self, key: str) -> int | None:
        """Returns a whole number."""
        node = self.take(key)
        if node is None:
            return None
        if isinstance(node.value, float) and node.value.is_integer():
            return int(node.value)
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            raise self.wrong(key, node, "a whole number")
        return node.value

    def items(self, key: str) -> list[Node]:
        """Returns the members of a list, or an empty list if it is absent."""
        node = self.take(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            raise self.wrong(key, node, "a list")
        return node.value

    def fields(self, key: str) -> Fields | None:
        """Returns a nested map, which reports its own unknown keys."""
        node = self.take(key)
        return None if node is None else Fields(self.source, node, key)

    def wrong(self, key: str, node: Node, wanted: str) -> Exception:
        """Returns the error for a value of the wrong kind."""
        return self.source.error(
            f"{key} of {self.what} is {node.kind}", node.line, node.column, hint=f"{key} must be {wanted}"
        )

    def ignore(self, *keys: str) -> None:
        """Marks keys as known that we don't use."""
        self._asked.update(keys)

    def report_unknown(self) -> None:
        """Records every key that was never asked for as unread, and warns of it. Call it last."""
        for key in self.unknown():
            self.leave_unread(key)
            line, _ = self.node.keys.get(key, (self.node.line, 1))
            near = nearest(key, self._asked - self.entries.keys())
            self.source.warn(
                f"unknown key {shown(key)} in {self.what} is ignored",
                line,
                hint=did_you_mean(key, [near]) if near else None,
            )

    def leave_unread(self, key: str) -> None:
        """Records that the key's value is not used, so a change of it can't be measured."""
        self.source.unread[f"{shown(key)} of {self.what}"] = plain(self.entries[key])

    def unknown(self) -> Iterator[str]:
        """Yields keys that were never asked for."""
        return (key for key in self.entries if key not in self._asked)
