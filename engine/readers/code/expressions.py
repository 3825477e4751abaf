"""The common part of the languages' syntax trees: values, the names that hold them, and changes of them.

A language converts its nodes into these one level at a time. ``Code.read`` is called only for what a prompt needs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Node = object
"""An unread node of a language's tree, or an ``Expression``."""
Lines = tuple[int, int]
"""First and last line."""


class Binding(NamedTuple):
    """A place that gives a name a value."""

    line: int
    node: Node | None
    """The bound value, or ``None`` if it is unknown."""
    origin: str = ""
    """The dotted name of the imported object, for an import."""


@dataclass
class Scope:
    """The names that a module or a class binds."""

    bindings: defaultdict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    stars: list[int] = field(default_factory=list)
    """Lines of imports that may bind any name."""


class Change(NamedTuple):
    """A place that changes a value after it is bound."""

    line: int
    part: str | None
    """The attribute or key that it sets; ``None``: any."""


@dataclass
class Changes:
    """The changes that a file's code makes to the values of its names."""

    of: defaultdict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    """Changes by the name of the value."""
    of_itself: dict[str, int] = field(default_factory=dict)
    """Attributes that methods set on their own object or class, with the line."""
    of_any: int | None = None
    """A line that may set any name of the module."""


class Hidden:
    """Names that the functions around a place have of their own, so that they don't mean the file's."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._functions = 0

    @property
    def at_top(self) -> bool:
        """Returns whether no function is around the place."""
        return not self._functions

    def enter(self, names: frozenset[str]) -> frozenset[str]:
        """Goes into a function. Returns its names."""
        self._counts.update(names)
        self._functions += 1
        return names

    def leave(self, names: frozenset[str]) -> None:
        """Comes out of the function that has these names."""
        self._counts.subtract(names)
        self._functions -= 1

    def __contains__(self, name: str) -> bool:
        return self._counts[name] > 0


@dataclass(frozen=True)
class Expression:
    """A value as written."""

    lines: Lines


@dataclass(frozen=True)
class Text(Expression):
    """A literal text."""

    text: str


@dataclass(frozen=True)
class Number(Expression):
    """A number as text shows it."""

    text: str


@dataclass(frozen=True)
class Template(Expression):
    """An f-string or a template literal: texts, and the values of the holes between them."""

    parts: tuple[Node | str, ...]


@dataclass(frozen=True)
class Sum(Expression):
    """Texts joined with ``+``."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Join(Expression):
    """The items of a list, with a text between them."""

    separator: Node
    items: Node


@dataclass(frozen=True)
class Name(Expression):
    """A name, with the attributes and keys that are looked up in it."""

    steps: tuple[str, ...]


@dataclass(frozen=True)
class Table(Expression):
    """A dict or an object."""

    entries: tuple[tuple[str | None, Node], ...]
    """A key is ``None`` if it is computed, or if another table is spread."""


@dataclass(frozen=True)
class Items(Expression):
    """A list or a tuple."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Call(Expression):
    """A call. Only a few known ones are read."""

    code: str
    """The called expression, for messages."""
    callee: tuple[str, ...]
    """The steps of its name; empty without one."""
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str | None, Node], ...] = ()
    receiver: Node | None = None
    """The object of a method call."""
    tag: bool = False
    """Whether it is the tag of a template literal."""


@dataclass(frozen=True)
class Function(Expression):
    """A function that only returns something."""

    name: str
    parameters: frozenset[str]
    body: Node
    defaults: tuple[tuple[str, str], ...] = ()
    """Parameters with a default, and its code."""


@dataclass(frozen=True)
class Class(Expression):
    """A class, or an enumeration."""

    name: str
    scope: Scope
    visible: bool
    """Whether its own names can be seen from the values of its attributes."""
    encloses: bool = False
    """Whether they can also be seen from what is nested in it."""
    inherits: str = ""
    """A base class from which an attribute may come."""


@dataclass(frozen=True)
class Unread(Expression):
    """Anything else."""

    what: str
    hint: str | None = None


class Code(Protocol):
    """A parsed file."""

    @property
    def module(self) -> Scope:
        """Returns the names of the file."""
        ...

    @property
    def changes(self) -> Changes:
        """Returns the changes of their values."""
        ...

    def read(self, node: Node) -> Expression:
        """Returns the expression of a node. An ``Expression`` is returned unchanged."""
        ...
