"""Tells which names an expression or a target of a TypeScript or JavaScript file means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.readers.code.aliases import MAX_STEPS, Held, Kind, Step, Values
from engine.readers.code.typescript_scopes import FUNCTIONS, WRAPPERS, children_of, pattern_names, property_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node as Tree

SETTING = {
    "Object.assign", "Object.defineProperties", "Object.defineProperty", "Object.setPrototypeOf",
    "Reflect.defineProperty", "Reflect.deleteProperty", "Reflect.set",
}  # fmt: skip
"""Functions that change their first argument."""
COPYING = {"Array.from", "Object.entries", "Object.fromEntries", "Object.values"}
READING = {
    "Array.isArray", "Boolean", "Number", "Object.freeze", "Object.isFrozen", "Object.keys", "Object.seal", "String",
    "structuredClone",
} | COPYING  # fmt: skip
"""Functions that change nothing."""
_COPYING_METHODS = {"filter", "slice", "toReversed", "toSorted"}
RESULT = "return"
"""The name for what a function returns."""
MEMBERS = ("member_expression", "subscript_expression")
CALLS = ("call_expression", "new_expression")
_TRANSPARENT = {*WRAPPERS, "await_expression", "spread_element"}


class TypeScriptValues(Values):
    """The names of a TypeScript or JavaScript file and what they may hold."""

    def held(self, node: Tree | None, depth: int = 0) -> list[Held]:
        """Returns the names whose values an expression may give, or give a part of. Raises RecursionError."""
        steps: list[Step] = []
        while node is not None and (inner := _step(node)) is not None:
            node = inner[0]
            steps += inner[1:]
        if depth + len(steps) > MAX_STEPS:
            raise RecursionError
        return self.stepped([*self._base(node, depth + 1)] if node is not None else [], steps)

    def _base(self, node: Tree, depth: int) -> Iterator[Held]:
        kind = node.type
        if kind in ("identifier", "shorthand_property_identifier"):
            yield from map(Held, self.keys(text_of(node)))
        elif kind == "this":
            yield Held((0, "this"))
        elif kind in CALLS:
            yield from self._given_back(node, depth)
        elif kind in FUNCTIONS:
            yield Held((node.id, RESULT))
        elif kind in ("object", "array"):
            for child in children_of(node):
                spread = child.type == "spread_element"
                found = self.held(child.child_by_field_name("value") or child, depth)
                yield from (each.copied() if spread else each.wrapped() for each in found)
        else:
            for field in _choices(node):
                yield from self.held(node.child_by_field_name(field), depth)

    def _given_back(self, node: Tree, depth: int) -> Iterator[Held]:
        """Yields the names whose values a function may give back."""
        function = called(node)
        name = dotted(function) if function is not None else ""
        if name not in READING | SETTING:
            new = node.type == "new_expression"
            for held in self.held(function, depth):
                yield held._replace(kind=Kind.INSTANCE) if new and held.kind is Kind.SAME else held
            return
        for number, each in enumerate(arguments_of(node)):
            copied = name in COPYING or number > 0
            yield from (held.copied() if copied else held for held in self.held(each, depth))

    def bind(self, target: Tree | None, sources: list[Held]) -> None:
        """Notes that a target of an assignment, or a pattern, may hold a value."""
        target = unwrapped(target)
        if target is None:
            return
        if target.type == "identifier":
            self.bind_keys(self.keys(text_of(target)), sources)
        elif target.type in MEMBERS:
            if (step := property_of(target)) is not None:
                self.aliases.bind((0, f".{step}"), sources)
            self.put(target.child_by_field_name("object"), sources)
        else:
            inner = [held.looked_up(None) for held in sources]
            for name in pattern_names(target):
                self.bind_keys(self.keys(name), inner)
            for member in members_of(target):
                self.bind(member, inner)

    def put(self, container: Tree | None, sources: list[Held]) -> None:
        """Notes that a container may hold a value."""
        self.bind_keys([held.key for held in self.held(container)], [held.wrapped() for held in sources])


def _step(node: Tree) -> tuple[Tree | None] | tuple[Tree | None, Step] | None:
    """Returns the value in which something is looked up, and the look-up."""
    function = node.child_by_field_name("function") if node.type == "call_expression" else None
    if node.type in MEMBERS:
        name, inner = property_of(node), node.child_by_field_name("object")
        return inner, Step(None, "class") if name == "constructor" else Step(name)
    if function is not None and function.type in MEMBERS and dotted(function) not in READING | SETTING:
        method = property_of(function)
        return function.child_by_field_name("object"), Step(method, "copy" if method in _COPYING_METHODS else "method")
    if node.type in _TRANSPARENT:
        return (next(iter(children_of(node)), None),)
    if node.type in ("type_assertion", "sequence_expression"):
        return (next(reversed(children_of(node)), None),)
    return None


def _choices(node: Tree) -> tuple[str, ...]:
    """Returns the fields of a node whose values it may have."""
    if node.type == "assignment_expression":
        return ("right",)
    if node.type == "ternary_expression":
        return ("consequence", "alternative")
    chooses = node.type == "binary_expression" and text_of(node.child_by_field_name("operator")) in ("??", "||", "&&")
    return ("left", "right") if chooses else ()


def called(call: Tree) -> Tree | None:
    """Returns the function or the class that is called."""
    return call.child_by_field_name("function") or call.child_by_field_name("constructor")


def arguments_of(call: Tree) -> list[Tree]:
    """Returns the arguments of a call, or what fills the holes of a tagged template literal."""
    given = call.child_by_field_name("arguments")
    if given is None:
        return []
    if given.type != "template_string":
        return children_of(given)
    return [each for hole in given.named_children if hole.type == "template_substitution" for each in children_of(hole)]


def dotted(function: Tree) -> str:
    """Returns the name of a function with at most one look-up: ``Object.assign``, also for ``Object["assign"]``."""
    if function.type not in MEMBERS:
        return text_of(function)
    owner = unwrapped(function.child_by_field_name("object"))
    return f"{text_of(owner)}.{property_of(function)}" if owner is not None and owner.type == "identifier" else ""


def members_of(pattern: Tree) -> Iterator[Tree]:
    """Yields the attributes and keys that a pattern sets: ``{a: b.c, d: [e.f]}``."""
    waiting = [pattern]
    while waiting:
        node = waiting.pop()
        if node.type in MEMBERS:
            yield node
        else:
            waiting += children_of(node)


def unwrapped(target: Tree | None) -> Tree | None:
    """Returns a target without parentheses and types."""
    while target is not None and target.type in WRAPPERS:
        target = next(iter(children_of(target)), None)
    return target
