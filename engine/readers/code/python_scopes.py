"""Finds the names that a Python file binds, and the changes of their values."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.readers.code.expressions import Binding, Change, Changes, Hidden, Scope

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Hidden = Function | ast.ClassDef | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
"""Nodes with names of their own."""
_MUTATING = {
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
    "__delattr__", "__delitem__", "__iadd__", "__ior__", "__setattr__", "__setitem__", "delitem", "setitem",
}  # fmt: skip
_KINDS = {"dict", "list", "object", "operator", "type"}
"""Objects whose methods change their first argument."""
_SETTING = {"setattr", "delattr"}
_ANY_NAME = {"globals", "exec"}
_NAMES = {"locals", "vars"}
"""At the top of a file or a class, these give its names, to be set."""


def scope_of(body: Sequence[ast.stmt]) -> Scope:
    """Returns the names that the statements of a module or a class bind."""
    scope = Scope()
    for statement in body:
        for name, binding in _bindings(statement):
            scope.bindings[name].append(binding)
        imports = [node for node in _own_nodes(statement) if isinstance(node, ast.ImportFrom)]
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
    for inner in _own_nodes(node):
        for name in _bound_by(inner):
            yield name, Binding(getattr(inner, "lineno", 1), None)


def _bound_by(node: ast.AST) -> Iterator[str]:
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


def _own_nodes(*nodes: ast.AST) -> Iterator[ast.AST]:
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
            return [*node.decorator_list, *_defaults(node)]
        case ast.Lambda():
            return [*_defaults(node)]
    return [inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)]


def _defaults(function: Function) -> list[ast.expr]:
    return [*function.args.defaults, *filter(None, function.args.kw_defaults)]


def changes_of(tree: ast.Module) -> Changes:
    """Returns the changes of the file's own names and of their values."""
    changes = Changes()
    hidden = Hidden()
    waiting: list[ast.AST | frozenset[str]] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, frozenset):
            hidden.leave(node)
            continue
        if isinstance(node, ast.ClassDef):
            _global_names(node.body, changes)
        if isinstance(node, Function):
            waiting += _defaults(node)
            waiting.append(hidden.enter(_locals(node) - _global_names(_body(node), changes)))
        _look(node, hidden, changes)
        waiting += ast.iter_child_nodes(node)
    return changes


def _global_names(body: Sequence[ast.AST], changes: Changes) -> frozenset[str]:
    found = [node for node in _own_nodes(*body) if isinstance(node, ast.Global)]
    for node in found:
        for name in node.names:
            changes.of[name].append(Change(node.lineno, None))
    return frozenset(name for node in found for name in node.names)


def _look(node: ast.AST, local: Hidden, changes: Changes) -> None:
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            _note(node, node.lineno, local, changes)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=kind), attr=name), args=[value, *_]) if kind in _KINDS:
            if name in _MUTATING:
                _note(value, node.lineno, local, changes)
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _MUTATING:
            _note(value, node.lineno, local, changes)
        case ast.Call(func=ast.Name(id=name), args=[value, *_]) if name in _SETTING:
            _note(value, node.lineno, local, changes)
        case ast.Name(id=name) if name in _ANY_NAME:
            changes.of_any = node.lineno
        case ast.Attribute(value=ast.Name(id="builtins"), attr=name) if name in _ANY_NAME:
            changes.of_any = node.lineno
        case ast.Call(func=ast.Name(id=name)) if local.at_top and (
            name == "eval" or (name in _NAMES and not node.args)
        ):
            changes.of_any = node.lineno
        case ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Name(id="__name__")):
            changes.of_any = node.lineno


def _note(target: ast.expr, line: int, local: Hidden, changes: Changes) -> None:
    """Notes that a value is changed: the part of a name that is set, or what is in that part."""
    part: str | None = None
    while isinstance(target, ast.Attribute | ast.Subscript):
        part = target.attr if isinstance(target, ast.Attribute) else key_of(target.slice)
        target = target.value
    if not isinstance(target, ast.Name):
        return
    if target.id in ("self", "cls"):
        if part is not None:
            changes.of_itself.setdefault(part, line)
    elif target.id not in local:
        changes.of[target.id].append(Change(line, part))


def _locals(function: Function) -> frozenset[str]:
    """Returns the names that a function binds, including those that it declares global."""
    bound = (name for node in _own_nodes(*_body(function)) for name in _bound_by(node))
    return parameters_of(function).union(bound)


def _body(function: Function) -> Sequence[ast.AST]:
    return (function.body,) if isinstance(function, ast.Lambda) else function.body


def parameters_of(function: Function) -> frozenset[str]:
    """Returns the names of a function's parameters."""
    given = function.args
    ordinary = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return frozenset(one.arg for one in (*ordinary, *filter(None, (given.vararg, given.kwarg))))


def key_of(key: ast.expr | None) -> str | None:
    """Returns a key that is a literal text, or ``None`` if it is computed or a dict is spread."""
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
