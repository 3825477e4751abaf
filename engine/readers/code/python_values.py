"""Tells which names an expression or a target of a Python file means."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

from engine.readers.code.aliases import MAX_STEPS, Held, Kind, Step, Values
from engine.readers.code.python_scopes import Function, bound_by, key_of, own_nodes

_ITSELF = {"__class__", "__dict__"}
THE_SAME = {"next", "type", "vars"}
"""Functions that give their argument, or what holds its attributes."""
COPYING = {"dict", "enumerate", "filter", "frozenset", "iter", "list", "reversed", "set", "sorted", "tuple", "zip"}
"""Functions that give a new container with the parts of their arguments."""
_SUPER = Held((0, "super()"))


class PythonValues(Values):
    """The names of a Python file and what they may hold."""

    def __init__(self, tree: ast.Module) -> None:
        super().__init__()
        nodes = list(ast.walk(tree))
        classes = [each for each in nodes if isinstance(each, ast.ClassDef)]
        self.classes = {each.name for each in classes}
        self.functions: defaultdict[str, list[Function]] = defaultdict(list)
        for each in nodes:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[each.name].append(each)
        self.defined = self.classes | self.functions.keys()
        """Names of the file's functions and classes."""
        self.attributes = {name for one in classes for each in own_nodes(*one.body) for name in bound_by(each)}
        self.selves = {_SUPER, *_first_parameters(classes)}
        """The first parameters of methods."""

    def held(self, *nodes: ast.AST, depth: int = 0) -> list[Held]:
        """Returns the names whose values an expression may give, or give a part of. Raises RecursionError."""
        return [held for node in nodes for held in self._one(node, depth)]

    def _one(self, node: ast.AST, depth: int) -> list[Held]:
        steps: list[Step] = []
        while (inner := _step(node)) is not None:
            node = inner[0]
            steps += inner[1:]
        if depth + len(steps) > MAX_STEPS:
            raise RecursionError
        found = self._given_back(node, depth + 1) if isinstance(node, ast.Call) else [*self._base(node, depth + 1)]
        return self.stepped(found, steps)

    def _base(self, node: ast.AST, depth: int) -> Iterator[Held]:
        match node:
            case ast.Name(id=name):
                yield from map(Held, self.keys(name))
            case ast.IfExp(body=first, orelse=second):
                yield from self.held(first, second, depth=depth)
            case ast.BoolOp(values=values):
                yield from self.held(*values, depth=depth)
            case ast.NamedExpr(value=value) | ast.Lambda(body=value):
                yield from self.held(value, depth=depth)
            case ast.BinOp():
                operands = []
                while isinstance(node, ast.BinOp):
                    operands.append(node.right)
                    node = node.left
                yield from (held.copied() for held in self.held(node, *operands, depth=depth))
            case _:
                yield from self._container(node, depth)

    def _container(self, node: ast.AST, depth: int) -> Iterator[Held]:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                for item in items:
                    spread = isinstance(item, ast.Starred)
                    yield from (one.copied() if spread else one.wrapped() for one in self.held(item, depth=depth))
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    yield from (one.wrapped() if key else one.copied() for one in self.held(value, depth=depth))
            case ast.ListComp(elt=item) | ast.SetComp(elt=item) | ast.GeneratorExp(elt=item) | ast.DictComp(value=item):
                yield from (one.wrapped() for one in self.held(item, depth=depth))

    def _given_back(self, call: ast.Call, depth: int) -> list[Held]:
        """Returns the names whose values a function may give back."""
        name = call.func.id if isinstance(call.func, ast.Name) and call.func.id not in self.defined else ""
        if name == "super":
            return [_SUPER]
        if name in THE_SAME:
            return self.stepped(self.held(*call.args, depth=depth), [Step(None, "class")])
        if name in COPYING:
            named = self.held(*(one.value for one in call.keywords), depth=depth)
            return [
                *(one.copied() for one in self.held(*call.args, depth=depth)),
                *(one.wrapped() for one in named),
            ]
        if name == "getattr":
            looked_up = [one.looked_up(None) for one in self.held(*call.args[:1], depth=depth)]
            return looked_up + self.held(*call.args[2:], depth=depth)
        found = self.held(call.func, depth=depth)
        new = isinstance(call.func, ast.Name) and call.func.id in self.classes
        return [one._replace(kind=Kind.INSTANCE) if new and one.kind is Kind.SAME else one for one in found]

    def bind(self, target: ast.AST, sources: list[Held]) -> None:
        """Notes that a target of an assignment may hold a value."""
        match target:
            case ast.Name(id=name):
                self.bind_keys(self.keys(name), sources)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                for item in items:
                    self.bind(item, [held.looked_up(None) for held in sources])
            case ast.Starred(value=value):
                self.bind(value, [held.copied() for held in sources])
            case ast.Attribute(attr=attr):
                self.aliases.bind((0, f".{attr}"), sources)
            case ast.Subscript(value=value):
                self.put(value, sources)

    def give_to(self, name: str, arguments: Sequence[tuple[str | None, list[Held]]]) -> None:
        """Notes that the parameters of the file's functions of that name may hold arguments, each with its keyword.

        Where an object comes before the arguments isn't known, so each may be one parameter further on. An empty
        keyword stands for arguments of unknown number.
        """
        for function in self.functions[name]:
            given = function.args
            ordinary = [one.arg for one in (*given.posonlyargs, *given.args)]
            known = {*ordinary, *(one.arg for one in given.kwonlyargs)}
            others = [one.arg for one in (given.vararg, given.kwarg) if one]
            for number, (keyword, sources) in enumerate(arguments):
                wanted = known if keyword == "" else [keyword] if keyword else ordinary[number : number + 2]
                for each in known.intersection(wanted):
                    self.aliases.bind((id(function), each), sources)
                for each in others:
                    self.aliases.bind((id(function), each), [one.wrapped() for one in sources])

    def put(self, container: ast.AST, sources: list[Held]) -> None:
        """Notes that a container may hold a value."""
        self.bind_keys([held.key for held in self.held(container)], [held.wrapped() for held in sources])


def _first_parameters(classes: Sequence[ast.ClassDef]) -> Iterator[Held]:
    for method in (each for one in classes for each in one.body):
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            ordinary = [*method.args.posonlyargs, *method.args.args]
            yield from (Held((id(method), one.arg)) for one in ordinary[:1])


def _step(node: ast.AST) -> tuple[ast.AST] | tuple[ast.AST, Step] | None:
    """Returns the value in which something is looked up, and the look-up."""
    match node:
        case ast.Attribute(value=inner, attr=attr):
            return inner, Step(None, "class") if attr in _ITSELF else Step(attr)
        case ast.Subscript(value=inner, slice=ast.Slice()):
            return inner, Step(None, "copy")
        case ast.Subscript(value=inner, slice=key):
            return inner, Step(key_of(key))
        case ast.Call(func=ast.Attribute(value=inner, attr=method)):
            return inner, Step(method, "copy" if method == "copy" else "method")
        case ast.Starred(value=inner) | ast.Await(value=inner):
            return (inner,)
    return None
