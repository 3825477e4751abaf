"""The common part of the languages' syntax trees: values, the names that hold them, and changes of them.

A language converts its nodes into these one level at a time. ``Code.read`` is called only for what a prompt needs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum
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


class How(Enum):
    """The way in which a place changes a value."""

    SET = "set"
    """A name gets another value."""
    CHANGED = "changed"
    PASSED = "passed"
    """Code that isn't followed gets the value, and may change it."""


Path = tuple[str | None, ...]
"""Attributes and keys that are looked up in a value; ``None``: any, at any depth."""


class Change(NamedTuple):
    """A place that changes a value after it is bound."""

    line: int
    part: str | None = None
    """The attribute or key that it sets; ``None``: any."""
    path: Path = ()
    """The look-ups that lead from the name's value to the one that is changed."""
    how: How = How.CHANGED


@dataclass
class Changes:
    """The changes that a file's code makes to the values of its names."""

    of: defaultdict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    """Changes by the name of the value; those of an attribute by its name after a dot, of any attribute by a dot."""
    of_any: int | None = None
    """A line that may set any name of the module."""

    def set(self, name: str, line: int) -> None:
        """Notes that a name gets another value."""
        self.of[name].append(Change(line, how=How.SET))


class Owners:
    """The functions around a place, and the names that they have of their own."""

    def __init__(self) -> None:
        self._of: defaultdict[str, list[int]] = defaultdict(list)
        self._functions = 0

    @property
    def at_top(self) -> bool:
        """Returns whether no function is around the place."""
        return not self._functions

    def enter(self, function: int, names: frozenset[str]) -> None:
        """Goes into a function that has these names."""
        self._functions += 1
        for name in names:
            self._of[name].append(function)

    def leave(self, names: frozenset[str]) -> None:
        """Comes out of the function that has these names."""
        self._functions -= 1
        for name in names:
            self._of[name].pop()

    def of(self, name: str) -> int:
        """Returns the innermost function that has the name; 0: the file."""
        return next(reversed(self._of.get(name, ())), 0)


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
    shows_values: bool = True
    """Whether an attribute in a text shows as its value. A member of an enumeration shows as its name."""


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

    def written(self, node: Node) -> str:
        """Returns the code of a node, or another text that differs where the code does."""
        ...
