"""Finds the places where a Python file changes its own values, or hands them to code that may."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from engine.readers.code.aliases import Key
from engine.readers.code.expressions import Change, Changes, How
from engine.readers.code.python_scopes import (
    Function,
    body_of,
    bound_by,
    defaults_of,
    key_of,
    locals_of,
    own_nodes,
    parameters_of,
)
from engine.readers.code.python_values import COPYING, THE_SAME, PythonValues

_MUTATING = {
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
    "__delattr__", "__delitem__", "__iadd__", "__ior__", "__setattr__", "__setitem__", "delitem", "setitem",
}  # fmt: skip
_KINDS = {"dict", "list", "object", "operator", "type"}
"""Objects whose methods change their first argument."""
MAX_FUNCTIONS = 20
"""With more functions of one name, none of them is followed."""
_SETTING = {"setattr", "delattr", "__setattr__", "__delattr__"}
_ANY_NAME = {"__builtins__", "exec", "globals"}
_NAMES = {"locals", "vars"}
"""At the top of a file or a class, these give its names, to be set."""
_ANY_ATTRIBUTE = {
    "__base__", "__bases__", "__builtins__", "__code__", "__defaults__", "__globals__", "__kwdefaults__", "__mro__",
    "__subclasses__", "f_globals", "f_locals", "mro",
}  # fmt: skip
"""Attributes that lead to other objects than the one that is written."""
_READING = {
    "all", "any", "bool", "callable", "cast", "deepcopy", "dir", "format", "getattr", "hasattr", "hash", "id",
    "isinstance", "issubclass", "len", "max", "min", "pprint", "print", "repr", "str", "sum", "super",
} | COPYING | THE_SAME  # fmt: skip
"""Functions that change nothing."""
_READING_METHODS = {
    "copy", "count", "debug", "deepcopy", "dump", "dumps", "error", "exception", "format", "format_map",
    "from_messages", "from_template", "get", "index", "info", "join", "log", "pformat", "pprint", "warning",
}  # fmt: skip
_ASKING = {
    "achat", "acomplete", "acreate", "agenerate", "ainvoke", "apredict", "astream", "batch", "chat", "complete",
    "create", "generate", "generate_content", "generate_content_async", "invoke", "parse", "predict",
    "send_message", "send_message_async", "stream",
}  # fmt: skip
"""Methods that send what they get to a model."""
_SENT = {"contents", "history", "input", "instructions", "messages", "prompt", "system", "system_instruction"}
"""Arguments that are sent to a model."""


def changes_of(tree: ast.Module) -> Changes:
    """Returns the changes of the file's own names and of their values."""
    return _Changing(tree).finish()


class _Changing(PythonValues):
    """The search for changes in one file."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__(tree)
        self.results: list[list[Key]] = []
        """Names of the functions around the place, whose results are what they return."""
        self.called: set[int] = set()
        self._walk(tree)

    def _walk(self, tree: ast.Module) -> None:
        waiting: list[ast.AST | Callable[[], None]] = [tree]
        while waiting:
            node = waiting.pop()
            if not isinstance(node, ast.AST):
                node()
                continue
            self._look(node)
            if isinstance(node, Function):
                waiting += [*(value for _, value in defaults_of(node)), *getattr(node, "decorator_list", ())]
                waiting.append(self._enter(node))
                waiting += body_of(node)
                continue
            if isinstance(node, ast.ClassDef):
                self._global_names(node.body)
            waiting += ast.iter_child_nodes(node)

    def _enter(self, function: Function) -> Callable[[], None]:
        """Goes into a function. Returns the way out."""
        name = "" if isinstance(function, ast.Lambda) else function.name
        self.results.append([*self.keys(name), (0, f".{name}")] if name else [])
        names = locals_of(function) - self._global_names(body_of(function))
        self.owners.enter(id(function), names)

        def leave() -> None:
            self.results.pop()
            self.owners.leave(names)

        return leave

    def _global_names(self, body: Sequence[ast.AST]) -> frozenset[str]:
        found = [node for node in own_nodes(*body) if isinstance(node, ast.Global)]
        for node in found:
            for name in node.names:
                self.changes.set(name, node.lineno)
        return frozenset(name for node in found for name in node.names)

    def _look(self, node: ast.AST) -> None:
        """Notes what a node itself binds and changes."""
        match node:
            case ast.Call():
                self._call(node)
            case ast.Attribute() | ast.Subscript():
                self._part(node)
            case ast.Name(id=name) if name in _ANY_NAME:
                self.changes.of_any = node.lineno
            case ast.AugAssign(target=ast.Name() as target, value=value):
                self._change(target, Change(node.lineno))
                self.bind(target, [held.copied() for held in self.held(value)])
            case ast.ClassDef(name=name, bases=bases):
                for base in bases:
                    self.bind_keys(self.keys(name), [held.copied() for held in self.held(base)])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._defaults(node)
            case _:
                self._bindings(node)

    def _bindings(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.bind(target, self.held(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self.bind(target, self.held(value))
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self.bind(node.target, [held.looked_up(None) for held in self.held(node.iter)])
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self.bind(target, self.held(value))
            case ast.Match():
                self._matched(node)
            case ast.Return(value=ast.expr() as value) if self.results:
                self.bind_keys(self.results[-1], self.held(value))
            case ast.Yield(value=ast.expr() as value) | ast.YieldFrom(value=value) if self.results:
                self.bind_keys(self.results[-1], [held.wrapped() for held in self.held(value)])

    def _matched(self, node: ast.Match) -> None:
        sources = self.held(node.subject)
        sources += [held.looked_up(None) for held in sources]
        for each in (each for case in node.cases for each in ast.walk(case.pattern)):
            for name in bound_by(each):
                self.bind_keys(self.keys(name), sources)

    def _defaults(self, function: Function) -> None:
        for name, default in defaults_of(function):
            self.aliases.bind((id(function), name), self.held(default))

    def _part(self, node: ast.Attribute | ast.Subscript) -> None:
        part = node.attr if isinstance(node, ast.Attribute) else key_of(node.slice)
        if isinstance(node, ast.Subscript) and _is_own_name(node.slice):
            self.changes.of_any = node.lineno
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value, Change(node.lineno, part), by_name=True)
        elif isinstance(node, ast.Attribute):
            builtin = isinstance(node.value, ast.Name) and (node.value.id, node.attr)
            if node.attr in _ANY_ATTRIBUTE or builtin in (("sys", "modules"), *(("builtins", n) for n in _ANY_NAME)):
                self.changes.of_any = node.lineno
            elif node.attr in _MUTATING - self.attributes and id(node) not in self.called:
                self._change(node.value, Change(node.lineno))

    def _change(self, target: ast.AST, change: Change, *, by_name: bool = False) -> None:
        """Notes a change of a value. ``by_name``: what is set of an object itself is an attribute of its class."""
        sources = self.held(target)
        if by_name and not self.selves.isdisjoint(sources):
            self.changes.set(f".{change.part or ''}", change.line)
        self.aliases.change(sources, change)

    def _call(self, node: ast.Call) -> None:
        self.called.add(id(node.func))
        values = [*node.args, *(one.value for one in node.keywords)]
        self._callbacks(node, values)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=kind), attr=name), args=[value, *rest]) if (
                kind in _KINDS and name in _MUTATING
            ):
                self._set_by(name, value, rest, node)
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _MUTATING:
                self._set_by(name, value, node.args, node)
            case ast.Call(func=ast.Name(id=name), args=[value, *rest]) if name in _SETTING:
                self._set_by(name, value, rest, node)
            case ast.Call(func=ast.Name(id=name)) if self.owners.at_top and (
                name == "eval" or (name in _NAMES and not node.args)
            ):
                self.changes.of_any = node.lineno
            case _:
                self._passed(node)

    def _set_by(self, name: str, target: ast.expr, rest: Sequence[ast.expr], node: ast.Call) -> None:
        """Notes a change by a function or method: ``setattr(C, "P", "b")``, ``P.update(…)``."""
        by_name = name in _SETTING
        part = key_of(rest[0]) if by_name and rest else None
        self._change(target, Change(node.lineno, part), by_name=by_name)
        for value in [*rest, *(one.value for one in node.keywords)]:
            self.put(target, self.held(value))

    def _passed(self, node: ast.Call) -> None:
        """Notes that a call gets values, unless it only reads them or sends them to a model."""
        func, method = node.func, isinstance(node.func, ast.Attribute)
        name = _last(func)
        here = not self.defined.isdisjoint((name, *map(_last, node.args)))
        if not here and name in (_READING_METHODS | _ASKING if method else _READING):
            return
        given = [
            (key, [one.copied() if key == "" else one for one in self.held(value)]) for key, value in _arguments(node)
        ]
        given = [(key, held) for key, held in given if here or key not in _SENT]
        if name not in self.classes and 0 < len(self.functions.get(name, ())) < MAX_FUNCTIONS:
            self.give_to(name, given)
            return
        for _, sources in given:
            self.aliases.change(sources, Change(node.lineno, how=How.PASSED))
        if name in ("__import__", "import_module") and any(map(_is_own_name, node.args)):
            self.changes.of_any = node.lineno

    def _callbacks(self, node: ast.Call, values: Sequence[ast.expr]) -> None:
        """Binds what a call may give to the functions among its arguments."""
        functions = [each for each in values if isinstance(each, ast.Lambda)]
        if not functions:
            return
        given = [each for each in values if not isinstance(each, ast.Lambda)]
        given += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        names = [(id(function), name) for function in functions for name in parameters_of(function)]
        self.give(id(node), self.held(*given), names)


def _is_own_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("__name__", "__package__")


def _arguments(call: ast.Call) -> list[tuple[str | None, ast.expr]]:
    """Returns the arguments of a call, each with its keyword; an empty one for arguments of unknown number."""
    ordinary = [("" if isinstance(value, ast.Starred) else None, value) for value in call.args]
    return ordinary + [(one.arg or "", one.value) for one in call.keywords]


def _last(node: ast.AST) -> str:
    """Returns the name of a function or a method."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
