"""Tells which names a change of a value reaches: by other names, through containers, attributes and functions.

The order of the code and its branches don't count, so a change may seem to reach more than it does, but never less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Literal, NamedTuple

from engine.readers.code.expressions import Change, Changes, How, Owners, Path

Key = tuple[int, str]
"""A name, and the function that owns it. 0: the file. A name after a dot is an attribute of any object."""
MAX_PARTS = 8
"""With changes of more parts than this, any part of a value may be changed."""
MAX_PATH = 5
"""With more look-ups than this, anything in the value that they lead to may be meant."""
MAX_STEPS = 40
"""Most look-ups and levels of one expression."""


class Kind(Enum):
    """The way in which a value comes from a source: the value of a name, or what is in a part of it."""

    SAME = 0
    HOLDS = 1
    """The value is a new container with the source in it."""
    WITHIN = 2
    """The value is the source, or comes from a container with it."""
    COPY = 3
    """The value is a new container with the parts of the source."""
    INSTANCE = 4
    """The value is an object of the source, a class."""


class Held(NamedTuple):
    """A source of a value."""

    key: Key
    kind: Kind = Kind.SAME
    path: Path = ()
    """The parts of the name's value that lead to the source."""

    def looked_up(self, part: str | None) -> Held:
        """Returns the source of what is in a part of the value."""
        if self.kind in (Kind.HOLDS, Kind.WITHIN):
            return self._replace(kind=Kind.WITHIN)
        return Held(self.key, path=_path(*self.path, part))

    def copied(self) -> Held:
        """Returns the source of a new container with the parts of the value."""
        return self._replace(kind=Kind.COPY) if self.kind is Kind.SAME else self

    def wrapped(self) -> Held:
        """Returns the source of a new container with the value in it."""
        return self if self.kind is Kind.INSTANCE else self._replace(kind=Kind.HOLDS)

    def reached(self, change: Change) -> Change | None:
        """Returns what a change of the value does to the name's value; ``None``: nothing."""
        if self.kind is Kind.INSTANCE and (change.how is How.PASSED or not change.path):
            return None
        if self.kind in (Kind.HOLDS, Kind.COPY) and not change.path and change.how is not How.PASSED:
            return None
        if self.kind in (Kind.HOLDS, Kind.WITHIN):
            return change._replace(path=self.path, part=None)
        inner = change.path or ((None,) if self.kind is Kind.COPY else ())
        return change._replace(path=_path(*self.path, *inner))


def _path(*steps: str | None) -> Path:
    """Returns a path that is short enough. Unknown steps after each other are one, of any depth."""
    pairs = zip(steps, ("", *steps), strict=False)
    return tuple(step for step, before in pairs if step is not None or before is not None)[:MAX_PATH]


class Aliases:
    """The values that the names of a file may hold, and the changes of them."""

    def __init__(self) -> None:
        self._held: defaultdict[Key, dict[Held, None]] = defaultdict(dict)
        self._seen: defaultdict[Key, dict[tuple[Path, str | None, How], Change]] = defaultdict(dict)
        self._waiting: list[tuple[Key, Change]] = []

    def bind(self, key: Key, sources: Iterable[Held]) -> None:
        """Notes that a name may hold a value."""
        self._held[key].update(dict.fromkeys(sources))

    def change(self, sources: Iterable[Held], change: Change) -> None:
        """Notes a change of a value."""
        for held in sources:
            if (reached := held.reached(change)) is not None:
                self._waiting.append((held.key, reached))

    def of_the_file(self) -> dict[str, list[Change]]:
        """Returns the changes of the values that the file's own names and attributes hold."""
        while self._waiting:
            key, change = self._waiting.pop()
            seen = self._seen[key]
            if len(seen) > MAX_PARTS:
                change = change._replace(path=(), part=None)
            if seen.setdefault((change.path, change.part, change.how), change) is change:
                self.change(self._held.get(key, ()), change)
        return {name: list(found.values()) for (owner, name), found in self._seen.items() if owner == 0}


class Step(NamedTuple):
    """A look-up in a value."""

    name: str | None
    """The attribute or key; ``None``: unknown."""
    kind: Literal["part", "method", "copy", "class"] = "part"


class Values:
    """The names of a file, the values that they may hold, and the changes of them."""

    def __init__(self) -> None:
        self.changes = Changes()
        self.owners = Owners()
        self.aliases = Aliases()
        self.attributes: set[str] = set()
        """Names that are bound in the bodies of classes or namespaces, where they mean an attribute."""

    def keys(self, name: str) -> list[Key]:
        """Returns what a name may mean at this place."""
        own = (self.owners.of(name), name)
        return [own, (0, f".{name}")] if name in self.attributes else [own]

    def bind_keys(self, keys: Iterable[Key], sources: Sequence[Held]) -> None:
        """Notes that names may hold a value."""
        for key in keys:
            self.aliases.bind(key, (held for held in sources if held.key != key))

    def give(self, call: int, sources: Sequence[Held], parameters: Iterable[Key]) -> None:
        """Notes that parameters of functions may hold what a call is given, or parts of it."""
        given = (call, "given")
        self.aliases.bind(given, [*sources, *(held.looked_up(None) for held in sources)])
        for key in parameters:
            self.aliases.bind(key, [Held(given)])

    def stepped(self, found: list[Held], steps: Sequence[Step]) -> list[Held]:
        """Returns the sources of what the steps, the last one first, lead to."""
        for step in reversed(steps):
            attribute = [Held((0, f".{step.name}"))] if step.name is not None else []
            if step.kind == "class":
                found = [held._replace(kind=Kind.SAME) if held.kind is Kind.INSTANCE else held for held in found]
            elif step.kind == "copy":
                found = [*attribute, *(held.copied() for held in found)]
            else:
                part = step.name if step.kind == "part" else None
                found = [*attribute, *(held.looked_up(part) for held in found)]
        return found

    def finish(self) -> Changes:
        """Returns all changes of the file's own names."""
        for name, found in self.aliases.of_the_file().items():
            self.changes.of[name] += found
        return self.changes
