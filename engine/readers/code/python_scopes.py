"""Finds the names that a Python file, a class or a function binds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.readers.code.expressions import Binding, Scope

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Hidden = Function | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
"""Nodes with names of their own."""


def scope_of(body: Sequence[ast.stmt]) -> Scope:
    """Returns the names that the statements of a module or a class bind."""
    scope = Scope()
    for statement in body:
        for name, binding in _bindings(statement):
            scope.bindings[name].append(binding)
        imports = [node for node in own_nodes(statement) if isinstance(node, ast.ImportFrom)]
        scope.stars += [node.lineno for node in imports if node.names[0].name == "*"]
    return scope


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
    match statement:
        case ast.FunctionDef() | ast.ClassDef():
            yield statement.name, Binding(statement.lineno, statement)
            for part in _outside(statement):
                yield from _computed(part)
        case ast.Import() | ast.ImportFrom():
            for name, origin in _imported(statement):
                yield name, Binding(statement.lineno, None, origin)
        case ast.Assign(targets=targets, value=value) if all(isinstance(one, ast.Name) for one in targets):
            for target in targets:
                assert isinstance(target, ast.Name)
                yield target.id, Binding(statement.lineno, value)
            yield from _computed(value)
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            if value is not None:
                yield name, Binding(statement.lineno, value)
                yield from _computed(value)
        case _:
            yield from _computed(statement)


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yields the names that an import binds, each with its origin."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, f"{'.' * statement.level}{statement.module or ''}.{alias.name}"
        else:
            first = alias.name.partition(".")[0]
            yield alias.asname or first, alias.name if alias.asname else first


def _computed(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    """Yields names that are bound inside, under a condition or to an unknown value."""
    for inner in own_nodes(node):
        for name in bound_by(inner):
            yield name, Binding(getattr(inner, "lineno", 1), None)


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yields the names that a node itself binds."""
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            yield from (name for name, _ in _imported(node))
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name


def own_nodes(*nodes: ast.AST) -> Iterator[ast.AST]:
    """Yields nodes and their descendants, without those that have names of their own."""
    waiting = list(nodes)
    while waiting:
        found = waiting.pop()
        yield found
        waiting += _outside(found) if isinstance(found, _Hidden) else ast.iter_child_nodes(found)


def _outside(node: _Hidden) -> list[ast.AST]:
    """Returns the parts of a node with names of its own that bind names around it."""
    match node:
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [*node.decorator_list, *(value for _, value in defaults_of(node))]
        case ast.Lambda():
            return [value for _, value in defaults_of(node)]
    return [inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]


def defaults_of(function: Function) -> list[tuple[str, ast.expr]]:
    """Returns the parameters that have a default, each with it."""
    given = function.args
    ordinary = [*given.posonlyargs, *given.args]
    pairs = [*zip(ordinary[len(ordinary) - len(given.defaults) :], given.defaults, strict=True)]
    pairs += [(name, value) for name, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value]
    return [(name.arg, value) for name, value in pairs]


def locals_of(function: Function) -> frozenset[str]:
    """Returns the names that a function binds, including those that it declares global."""
    bound = (name for node in own_nodes(*body_of(function)) for name in bound_by(node))
    return parameters_of(function).union(bound)


def body_of(function: Function) -> Sequence[ast.AST]:
    """Returns what a function consists of."""
    return (function.body,) if isinstance(function, ast.Lambda) else function.body


def parameters_of(function: Function) -> frozenset[str]:
    """Returns the names of a function's parameters."""
    given = function.args
    ordinary = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return frozenset(one.arg for one in (*ordinary, *filter(None, (given.vararg, given.kwarg))))


def key_of(key: ast.expr | None) -> str | None:
    """Returns a key that is a literal text, or ``None`` if it is computed or a dict is spread."""
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
