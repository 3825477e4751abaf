"""Finds the value of a name in a file of code. It is known only if exactly one place sets it and nothing changes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.readers.bounded import Source, shown
from engine.readers.code.expressions import (
    Binding,
    Change,
    Class,
    Code,
    Expression,
    Lines,
    Name,
    Node,
    Scope,
    Table,
    Unread,
)
from engine.readers.code.pieces import MissingConstantError

HINT = "write the text out as one constant, or keep the prompt in a file of its own"
MAX_ALIASES = 20
"""Most names in a chain of aliases."""


class Found(NamedTuple):
    """A value, and the names that are visible where it is written."""

    value: Expression
    scopes: tuple[Scope, ...]
    """Scopes, innermost first. The module's is the last."""
    parameters: frozenset[str] = frozenset()


class Names:
    """The names of one file."""

    def __init__(self, source: Source, code: Code) -> None:
        self._source = source
        self._code = code
        self.used: dict[Lines, None] = {}
        """Lines of the values that were looked up, in order."""
        self._aliased = self._by_other_names()

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
            if isinstance(value, Name) and aliases < MAX_ALIASES:
                return self.find([*value.steps, *steps[number:]], found.scopes, aliases + 1)
            if isinstance(value, Class):
                inner = (value.scope, *(found.scopes if value.encloses else found.scopes[-1:]))
                if value.inherits and not value.scope.bindings.get(step):
                    raise self.error(value, f"{shown(name)} may come from the base class {shown(value.inherits)}")
                found = self._bound(value.scope, steps[number:], name, inner)
                found = found if value.visible else found._replace(scopes=found.scopes[-1:])
            elif isinstance(value, Table):
                found = found._replace(value=self._read(self._entry(value, step, name)))
            elif isinstance(value, Unread):
                raise self.error(value, value.what, value.hint or HINT)
            else:
                what = f"{shown('.'.join(steps[:number]))} has no parts, so there is no {shown(step)} in it"
                raise self.error(value, what)
        self.used.setdefault(found.value.lines)
        return found

    def _read(self, node: Node) -> Expression:
        return self._code.read(node)

    def _bound(self, scope: Scope, steps: Sequence[str], name: str, scopes: tuple[Scope, ...]) -> Found:
        """Returns the one value that a scope binds to the first step."""
        step, part = steps[0], steps[1] if len(steps) > 1 else None
        bindings = scope.bindings.get(step, [])
        binding = self._only(bindings, scope, step, name)
        changes = self._code.changes
        if scope is self._code.module:
            others = [Change(self._aliased[step], None)] if step in self._aliased else []
            for change in (*changes.of.get(step, ()), *others):
                if change.part is None or part in (None, change.part):
                    raise self.error(change.line, f"{shown(step)} is changed here, so its value can't be told")
        elif step in changes.of_itself:
            raise self.error(changes.of_itself[step], f"{shown(step)} is set again here, so its value can't be told")
        if binding.node is None:
            raise self._unknown(binding, step)
        return Found(self._read(binding.node), scopes)

    def _by_other_names(self) -> dict[str, int]:
        """Returns the module's names whose values are changed by another name, each with the line."""
        found: dict[str, int] = {}
        for name, changes in self._code.changes.of.items():
            other = name
            for _ in range(MAX_ALIASES):
                nodes = [each.node for each in self._code.module.bindings.get(other, ()) if each.node is not None]
                value = self._read(nodes[0]) if len(nodes) == 1 else None
                if not isinstance(value, Name):
                    break
                other = value.steps[0]
                found.setdefault(other, changes[0].line)
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
