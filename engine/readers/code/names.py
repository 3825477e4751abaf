"""Finds the value of a name in a file of code. It is known only if exactly one place sets it and nothing changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.readers.bounded import Source, shown
from engine.readers.code.expressions import (
    Binding,
    Call,
    Change,
    Class,
    Code,
    Expression,
    How,
    Items,
    Lines,
    Name,
    Node,
    Scope,
    Table,
    Unread,
)
from engine.readers.code.pieces import MissingConstantError

HINT = "write the text out as one constant, or keep the prompt in a file of its own"
MAX_LOOKED_AT = 100
"""Most values that are looked at to tell whether a change concerns one of them."""
MAX_ALIASES = 20
"""Most names in a chain of aliases."""


class Found(NamedTuple):
    """A value, and the names that are visible where it is written."""

    value: Expression
    scopes: tuple[Scope, ...]
    """Scopes, innermost first. The module's is the last."""
    parameters: frozenset[str] = frozenset()
    shows_value: bool = True
    """Whether it shows as its value in a text, which a member of an enumeration doesn't."""


class Names:
    """The names of one file."""

    def __init__(self, source: Source, code: Code) -> None:
        self._source = source
        self._code = code
        self.used: dict[Lines, None] = {}
        """Lines of the values that were looked up, in order."""
        self.around: list[tuple[Table | Class, str]] = []
        """The tables and classes in which something was looked up, and what."""

    def error(self, at: Expression | int, what: str, hint: str | None = HINT) -> Exception:
        """Returns the error for something that can't be read."""
        return self._source.error(what, at if isinstance(at, int) else at.lines[0], hint=hint)

    def find(self, steps: Sequence[str], scopes: Sequence[Scope], aliases: int = 0) -> Found:
        """Returns the value that the steps lead to. The first step is looked up in ``scopes``, each other in the value
        found.

        Raises MissingConstantError if there is none, and SourceError if it is unknown.
        """
        name = ".".join(steps)
        at = next((number for number, one in enumerate(scopes) if one.bindings.get(steps[0])), len(scopes) - 1)
        found = self._bound(scopes[at], steps, name, tuple(scopes[at:]))
        for number, step in enumerate(steps[1:], 1):
            value = found.value
            if step == "value" and not found.shows_value:
                found = found._replace(shows_value=True)
            elif isinstance(value, Name) and aliases < MAX_ALIASES:
                return self.find([*value.steps, *steps[number:]], found.scopes, aliases + 1)
            elif isinstance(value, Class):
                self.around.append((value, step))
                found = self._attribute(value, steps[number:], name, found)
            elif isinstance(value, Table):
                self.around.append((value, step))
                found = found._replace(value=self._read(self._entry(value, step, name)))
            elif isinstance(value, Unread):
                raise self.error(value, value.what, value.hint or HINT)
            else:
                what = f"{shown('.'.join(steps[:number]))} has no parts, so there is no {shown(step)} in it"
                raise self.error(value, what)
        self.used.setdefault(found.value.lines)
        return found

    def _attribute(self, owner: Class, steps: Sequence[str], name: str, found: Found) -> Found:
        """Returns the value of a class's attribute: the first of the steps."""
        if owner.inherits and not owner.scope.bindings.get(steps[0]):
            raise self.error(owner, f"{shown(name)} may come from the base class {shown(owner.inherits)}")
        around = found.scopes if owner.encloses else found.scopes[-1:]
        value = self._bound(owner.scope, steps, name, (owner.scope, *around))
        return value._replace(
            scopes=value.scopes if owner.visible else value.scopes[-1:], shows_value=owner.shows_values
        )

    def _read(self, node: Node) -> Expression:
        return self._code.read(node)

    def _bound(self, scope: Scope, steps: Sequence[str], name: str, scopes: tuple[Scope, ...]) -> Found:
        """Returns the one value that a scope binds to the first step."""
        step, part = steps[0], steps[1] if len(steps) > 1 else None
        bindings = scope.bindings.get(step, [])
        binding = self._only(bindings, scope, step, name)
        value = None if binding.node is None else self._read(binding.node)
        for key in (step,) if scope is self._code.module else (f".{step}", "."):
            for change in self._code.changes.of.get(key, ()):
                if self._concerns(change, value, part):
                    raise self._changed(change, step)
        if value is None:
            raise self._unknown(binding, step)
        return Found(value, scopes)

    def _changed(self, change: Change, step: str) -> Exception:
        if change.how is How.PASSED:
            what = f"{shown(step)} is given to other code here, which may change it"
            return self.error(change.line, what, "give it a copy, or keep the prompt in a file of its own")
        return self.error(change.line, f"{shown(step)} is changed here, so its value can't be told")

    def _concerns(self, change: Change, value: Expression | None, part: str | None) -> bool:
        """Returns whether a change may concern a part of a value, or all of it if ``part`` is ``None``."""
        if change.how is How.SET:
            return True
        first = (*change.path, change.part)[0]
        if part is not None and first not in (None, part):
            return False
        found = [value]
        for number, step in enumerate(change.path):
            looked_up = part if number == 0 and step is None else None
            found = self._inside(found, step) if looked_up is None else self._below(found, looked_up)
        return len(found) > MAX_LOOKED_AT or any(each is None or _is_changeable(each, change) for each in found)

    def _below(self, values: Sequence[Expression | None], part: str) -> list[Expression | None]:
        """Returns what is in one part of the values, and all that is in that."""
        found = self._inside(values, part)
        return [*found, *self._inside(found, None)]

    def _inside(self, values: Sequence[Expression | None], step: str | None) -> list[Expression | None]:
        """Returns what is in one part of the values, or in any of their parts at any depth."""
        found: list[Expression | None] = []
        waiting = [value for value in values if value is not None]
        while waiting and len(found) <= MAX_LOOKED_AT:
            parts = parts_of(waiting.pop())
            inner = [self._read(node) for name, node in parts if step is None or name in (None, step)]
            found += inner
            waiting += inner if step is None else []
        return found

    def _only(self, bindings: Sequence[Binding], scope: Scope, step: str, name: str) -> Binding:
        if len(bindings) > 1:
            lines = ", ".join(str(binding.line) for binding in bindings[:5])
            what = f"{shown(step)} is set more than once (lines {lines}), so its value can't be told"
            raise self.error(bindings[1].line, what, "keep one definition")
        after = [line for line in scope.stars if not bindings or line > bindings[0].line]
        if after:
            raise self.error(after[0], f"the import of * may set {shown(step)}", "import names one by one")
        unknown = self._code.changes.of_any
        if unknown is not None and scope is self._code.module:
            raise self.error(unknown, f"this code may set {shown(step)}, so its value can't be told")
        if not bindings:
            raise self._missing(name)
        return bindings[0]

    def _missing(self, name: str) -> Exception:
        where = self._source.where(1)
        return MissingConstantError(
            f"there is no {shown(name)} in this file", where=where, hint="check the name after #"
        )

    def _unknown(self, binding: Binding, step: str) -> Exception:
        if binding.origin:
            module = binding.origin.rpartition(".")[0] or binding.origin
            what = f"{shown(step)} is imported from {shown(module)}, and other files are not followed"
            return self.error(binding.line, what, "name the file that defines it, or write the text out here")
        what = f"{shown(step)} is set by a condition, a loop or an operator, so its value can't be told"
        return self.error(binding.line, what, "set it once, at the top level of the file")

    def _entry(self, table: Table, step: str, name: str) -> Node:
        hits = [number for number, (key, _) in enumerate(table.entries) if key == step]
        for key, node in table.entries[hits[0] if hits else 0 :]:
            if key is None:
                what = f"a key here is computed and may be {shown(step)}"
                raise self.error(self._read(node), what, "write the keys as texts")
        if len(hits) > 1:
            twice = self._read(table.entries[hits[1]][1])
            raise self.error(twice, f"the key {shown(step)} is there twice", "keep one of them")
        if not hits:
            raise self._missing(name)
        return table.entries[hits[0]][1]


def parts_of(value: Expression) -> Iterator[tuple[str | None, Node]]:
    """Yields what a value holds, each with its key or attribute; ``None``: it is unknown."""
    match value:
        case Table(entries=entries):
            yield from entries
        case Items(items=items):
            yield from ((None, item) for item in items)
        case Class(scope=scope):
            for name, bindings in scope.bindings.items():
                yield from ((name, binding.node) for binding in bindings if binding.node is not None)


def _is_changeable(value: Expression, change: Change) -> bool:
    """Returns whether a value itself may be changed. A name's changes are noted for the value that it means."""
    if isinstance(value, Call):
        return change.how is not How.PASSED and value.callee[:1] != () and value.callee[0][:1].isupper()
    # A class is given to frameworks as a name for its objects, and not to be changed.
    return isinstance(value, Table | Items) or (isinstance(value, Class) and change.how is not How.PASSED)
