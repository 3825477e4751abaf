"""Finds the places where a TypeScript or JavaScript file changes its own values, or hands them to code that may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.readers.code.aliases import Held
from engine.readers.code.expressions import Change, Changes, How
from engine.readers.code.typescript_scopes import (
    FUNCTIONS,
    children_of,
    locals_of,
    parameters_of,
    pattern_names,
    property_of,
    scope_of,
    text_of,
)
from engine.readers.code.typescript_values import (
    MEMBERS,
    READING,
    RESULT,
    SETTING,
    TypeScriptValues,
    arguments_of,
    called,
    dotted,
    members_of,
    unwrapped,
)

if TYPE_CHECKING:
    from tree_sitter import Node as Tree

_MUTATING = {"copyWithin", "fill", "pop", "push", "reverse", "shift", "sort", "splice", "unshift"}
_ANY_ATTRIBUTE = {"__proto__", "getPrototypeOf"}
"""Properties that lead to other objects than the one that is written."""
_READING_METHODS = {
    "at", "debug", "entries", "error", "every", "filter", "find", "findIndex", "flatMap", "forEach", "fromMessages",
    "fromTemplate", "get", "has", "includes", "indexOf", "info", "join", "keys", "log", "map", "reduce", "slice",
    "some", "stringify", "toString", "trim", "values", "warn",
}  # fmt: skip
_ASKING = {
    "batch", "chat", "complete", "create", "generate", "generateContent", "invoke", "parse", "sendMessage", "stream",
}  # fmt: skip
"""Methods that send what they get to a model."""
_SENT = {"contents", "history", "input", "instructions", "messages", "prompt", "system", "systemInstruction"}
"""Arguments that are sent to a model."""


def changes_of(root: Tree) -> Changes:
    """Returns the changes of the file's own names and of their values."""
    return _Changing(root).finish()


class _Changing(TypeScriptValues):
    """The search for changes in one file."""

    def __init__(self, root: Tree) -> None:
        super().__init__()
        self.functions: list[int] = []
        self.defined: set[str] = set()
        """Names of the file's functions and classes."""
        self._collect(root)
        self._walk(root)

    def _collect(self, root: Tree) -> None:
        waiting = [root]
        while waiting:
            node = waiting.pop()
            waiting += node.named_children
            name = text_of(node.child_by_field_name("name"))
            value = node.child_by_field_name("value")
            if node.type in FUNCTIONS or "class" in node.type or (value is not None and value.type in FUNCTIONS):
                self.defined.add(name)
            body = node.child_by_field_name("body")
            if node.type in ("internal_module", "module") and body is not None:
                self.attributes.update(scope_of(body).bindings)

    def _walk(self, root: Tree) -> None:
        waiting: list[Tree | Callable[[], None]] = [root]
        while waiting:
            node = waiting.pop()
            if callable(node):
                node()
                continue
            if node.type in FUNCTIONS:
                waiting.append(self._enter(node))
            self._look(node)
            waiting += node.named_children

    def _enter(self, function: Tree) -> Callable[[], None]:
        """Goes into a function. Returns the way out."""
        name, body = text_of(function.child_by_field_name("name")), function.child_by_field_name("body")
        keys = [(0, f".{name}")] if function.type == "method_definition" else self.keys(name) if name else []
        self.bind_keys(keys, [Held((function.id, RESULT))])
        names = locals_of(function)
        self.functions.append(function.id)
        self.owners.enter(function.id, names)
        if body is not None and body.type != "statement_block":
            self.bind_keys([(function.id, RESULT)], self.held(body))

        def leave() -> None:
            self.functions.pop()
            self.owners.leave(names)

        return leave

    def _look(self, node: Tree) -> None:
        """Notes what a node itself binds and changes."""
        line = node.start_point.row + 1
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        match node.type:
            case "assignment_expression" | "augmented_assignment_expression":
                self._assign(left, line, self.held(right))
            case "update_expression":
                self._assign(node.child_by_field_name("argument"), line, [])
            case "unary_expression" if node.children[0].type == "delete":
                self._assign(node.child_by_field_name("argument"), line, [])
            case "for_in_statement":
                elements = [held.looked_up(None) for held in self.held(right)]
                if node.child_by_field_name("kind") is None:
                    self._assign(left, line, elements)
                else:
                    self.bind(left, elements)
            case "call_expression" | "new_expression":
                self._call(node, line)
            case "member_expression" | "subscript_expression" if property_of(node) in _ANY_ATTRIBUTE:
                self.changes.of_any = line
            case _:
                self._bindings(node)

    def _bindings(self, node: Tree) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        match node.type:
            case "variable_declarator":
                self.bind(name, self.held(value))
            case "required_parameter" | "optional_parameter":
                self.bind(node.child_by_field_name("pattern"), self.held(value))
            case "public_field_definition":
                self.aliases.bind((0, f".{text_of(name)}"), self.held(value))
            case "class_heritage":
                parent = node.parent.child_by_field_name("name") if node.parent is not None else None
                bases = [held.copied() for each in _bases(node) for held in self.held(each)]
                self.bind_keys(self.keys(text_of(parent)), bases)
            case "return_statement" | "yield_expression" if self.functions:
                sources = [held for each in children_of(node) for held in self.held(each)]
                sources = [held.wrapped() for held in sources] if node.type == "yield_expression" else sources
                self.bind_keys([(self.functions[-1], RESULT)], sources)

    def _assign(self, target: Tree | None, line: int, sources: list[Held]) -> None:
        """Notes that a name is set again, or the part of a value that is set."""
        target = unwrapped(target)
        if target is None:
            return
        self.bind(target, sources)
        if target.type in MEMBERS:
            self._change(target.child_by_field_name("object"), Change(line, property_of(target)))
            return
        for name in [text_of(target)] if target.type == "identifier" else pattern_names(target):
            if "\\" in name:
                self.changes.of_any = line
            for owner, own in self.keys(name):
                if owner == 0:
                    self.changes.set(own, line)
        for member in members_of(target):
            self._change(member.child_by_field_name("object"), Change(line, property_of(member)))

    def _change(self, target: Tree | None, change: Change) -> None:
        sources = self.held(target)
        if Held((0, "this")) in sources and change.part is not None:
            self.changes.set(f".{change.part}", change.line)
        self.aliases.change(sources, change)

    def _call(self, node: Tree, line: int) -> None:
        function = called(node)
        if function is None:
            return
        arguments = arguments_of(node)
        self._callbacks(function, arguments)
        name = property_of(function) if function.type in MEMBERS else text_of(function)
        if name == "eval":
            self.changes.of_any = line
        if dotted(function) in SETTING and arguments:
            self._change(arguments[0], Change(line))
            sources = [held.copied() for each in arguments[1:] for held in self.held(each)]
            self.bind_keys([held.key for held in self.held(arguments[0])], sources)
        elif name in _MUTATING and function.type in MEMBERS:
            self._change(function.child_by_field_name("object"), Change(line))
            for each in arguments:
                self.put(function.child_by_field_name("object"), self.held(each))
        else:
            self._passed(function, name or "", arguments, line)

    def _passed(self, function: Tree, name: str, arguments: Sequence[Tree], line: int) -> None:
        """Notes that a call gets values, unless it only reads them or sends them to a model."""
        here = not self.defined.isdisjoint((name, *map(text_of, arguments)))
        harmless = name in _READING_METHODS | _ASKING if function.type in MEMBERS else False
        if not here and (harmless or dotted(function) in READING):
            return
        given = [*arguments]
        if not here:
            given = [field for each in arguments for field in (_unsent(each) if each.type == "object" else [each])]
        for each in given:
            spread = each.type == "spread_element"
            held = self.held(each.child_by_field_name("value") or each)
            sources = [one.copied() if spread else one for one in held]
            self.aliases.change(sources, Change(line, how=How.PASSED))

    def _callbacks(self, function: Tree, arguments: Sequence[Tree]) -> None:
        """Binds what a call may give to the functions among its arguments."""
        functions = [each for each in arguments if each.type in FUNCTIONS]
        if not functions:
            return
        given = [each for each in arguments if each.type not in FUNCTIONS]
        given += [each for each in [function.child_by_field_name("object")] if each is not None]
        sources = [held for each in given for held in self.held(each)]
        self.give(function.id, sources, [(each.id, name) for each in functions for name in parameters_of(each)])


def _unsent(options: Tree) -> list[Tree]:
    """Returns the fields of an object that no model gets as they are."""
    return [each for each in children_of(options) if text_of(each.child_by_field_name("key") or each) not in _SENT]


def _bases(heritage: Tree) -> list[Tree]:
    clauses = children_of(heritage)
    return [each for clause in clauses for each in (children_of(clause) if "clause" in clause.type else [clause])]
