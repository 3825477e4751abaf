"""String constants of Python files, from Python's own syntax tree: ``src/prompts.py#TRIAGE_PROMPT``."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache
from pathlib import PurePosixPath

from engine.readers.bounded import Source, shown
from engine.readers.code.expressions import (
    Call,
    Class,
    Expression,
    Items,
    Join,
    Lines,
    Name,
    Node,
    Number,
    Sum,
    Table,
    Template,
    Text,
    Unread,
)
from engine.readers.code.expressions import Function as FunctionExpression
from engine.readers.code.pieces import Written, check_size
from engine.readers.code.python_changes import changes_of
from engine.readers.code.python_scopes import defaults_of, key_of, parameters_of, scope_of
from engine.readers.code.reading import members_of_constant, messages_of_constant

_TEXT_BASES = {"object", "str", "StrEnum", "ABC", "Protocol"}
"""Bases of classes whose attributes show as their values."""
_PLAIN_BASES = {*_TEXT_BASES, "Enum", "NamedTuple", "BaseModel", "TypedDict"}
_PLAIN_DECORATORS = {"dataclass", "dataclasses.dataclass", "enum.unique", "unique", "final", "typing.final"}
_ENCODING = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_UTF8 = ("utf-8", "utf8", "ascii", "us-ascii")
_LIKE_ASCII = ("iso-8859-", "latin-", "latin1", "cp125", "windows-125")
"""Encodings in which text of ASCII alone is the same."""
_SAME_FUNCTION = {"staticmethod", "classmethod"}


def read_python(source: Source, key: str) -> tuple[Written, ...]:
    """Returns the messages of the constant ``key``: ``NAME``, ``Class.NAME``, or ``NAME.key`` for an entry of a dict.

    Raises MissingConstantError where the file has nothing of that name, SourceError with the line for what isn't read.
    """
    return messages_of_constant(source, _parsed(source.path, source.text), key)


def python_members(source: Source, key: str) -> tuple[str, ...]:
    """Returns the names of what a class or a map holds: ``Class.NAME``. Raises SourceError as ``read_python`` does."""
    return members_of_constant(source, _parsed(source.path, source.text), key)


@lru_cache(maxsize=2)
def _parsed(path: str, text: str) -> PythonCode:
    """Returns a file's code. Both sides of a pull request are kept, for all the prompts that are in one file."""
    source = Source(path, text)
    check_size(source)
    _check_encoding(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes, in a file that isn't ours
            return PythonCode(ast.parse(text), _module_name(path))
    except SyntaxError as error:
        what = f"not valid Python: {shown(error.msg or 'syntax error', 120)}"
        raise source.error(what, error.lineno or 1, hint="fix the syntax") from None
    except (RecursionError, MemoryError, ValueError):
        raise source.error("the code is nested too deeply", 1, hint="move the prompt into a smaller file") from None


def _module_name(path: str) -> str:
    """Returns the last part of the name under which a file is imported."""
    at = PurePosixPath(path)
    return at.parent.name if at.stem == "__init__" else at.stem


def _check_encoding(source: Source) -> None:
    """Raises SourceError where Python decodes the file as something else than UTF-8."""
    # A lone carriage return ends a line too.
    for number, line in enumerate(re.split("[\r\n]", source.text, maxsplit=2)[:2], 1):
        said = _ENCODING.match(line)
        name = said[1].lower().replace("_", "-") if said else "utf-8"
        if said and not name.startswith(_UTF8) and not (name.startswith(_LIKE_ASCII) and source.text.isascii()):
            raise source.error(f"the encoding {shown(said[1])} is not read", number, hint="save the file as UTF-8")


class PythonCode:
    """A Python file."""

    def __init__(self, tree: ast.Module, name: str) -> None:
        self.module = scope_of(tree.body)
        self.changes = changes_of(tree)
        imported = {each: found[0].origin for each, found in self.module.bindings.items() if found[0].origin}
        set_by_itself = [
            change.line
            for each, origin in imported.items()
            for change in self.changes.of.get(each, ())
            # Its own module: import prompts, import src.prompts, sys.modules["src.prompts"].
            if any(step and step.rpartition(".")[2] == name for step in (origin, *change.path))
        ]
        self.changes.of_any = next(iter(set_by_itself), self.changes.of_any)
        if self.changes.of_any is None and _imports_itself(tree, name):
            called = ("__import__", *(each for each, origin in imported.items() if origin.startswith("importlib")))
            changed = (change.line for each in called for change in self.changes.of.get(each, ()))
            self.changes.of_any = next(changed, None)

    def read(self, node: Node) -> Expression:
        """Returns the expression of a node."""
        if isinstance(node, Expression):
            return node
        assert isinstance(node, ast.AST)
        lines = _lines(node)
        found = _text(node, lines) or _several(node, lines)
        return found or Unread(lines, f"{_kind(node)} is not read")

    def written(self, node: Node) -> str:
        """Returns a text that differs where the code of a node does."""
        return ast.dump(node) if isinstance(node, ast.AST) else str(node)


def _imports_itself(tree: ast.Module, name: str) -> bool:
    """Returns whether a call may import the file by its name: ``import_module("src.prompts")``, or a computed one."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    named = [node.args[0] for node in calls if isinstance(node.args[0], ast.Constant | ast.Name | ast.JoinedStr)]
    texts = [each.value if isinstance(each, ast.Constant) else None for each in named]
    return any(text is None or (isinstance(text, str) and text.rpartition(".")[2] == name) for text in texts)


def _text(node: ast.AST, lines: Lines) -> Expression | None:
    """Returns the expression of a node that may be a text, or a part of one."""
    found: Expression | None = None
    match node:
        case ast.Constant(value=str(text)):
            found = Text(lines, text)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            found = Number(lines, str(number))
        case ast.JoinedStr(values=values):
            found = Template(lines, tuple(map(_part, values)))
        case ast.BinOp(op=ast.Add()):
            found = Sum(lines, tuple(_operands(node)))
        case ast.Name() | ast.Attribute() | ast.Subscript() if (steps := _steps(node)) is not None:
            found = Name(lines, steps)
        case ast.Call():
            found = _call(node, lines)
    return found


def _several(node: ast.AST, lines: Lines) -> Expression | None:
    """Returns the expression of a node that holds values, or returns one."""
    found: Expression | None = None
    match node:
        case ast.Dict(keys=keys, values=values):
            found = Table(lines, tuple(zip(map(key_of, keys), values, strict=True)))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            found = Items(lines, tuple(items))
        case ast.Lambda(body=body):
            found = FunctionExpression(lines, "lambda", parameters_of(node), body, _defaults(node))
        case ast.FunctionDef():
            found = _function(node, lines)
        case ast.ClassDef():
            found = _class(node, lines)
    return found


def _lines(node: ast.AST) -> Lines:
    first = getattr(node, "lineno", 1)
    return first, getattr(node, "end_lineno", None) or first


def _part(value: ast.expr) -> str | Node:
    """Returns a part of an f-string: a text, or the value of a hole."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=inner, format_spec=None, conversion=-1 | 115):
            return inner
        case ast.FormattedValue(value=inner):
            return Unread(_lines(value), f"the hole {{{_code(inner)}}} has a format")
    return value


def _call(node: ast.Call, lines: Lines) -> Expression:
    func, keywords = node.func, tuple((one.arg, one.value) for one in node.keywords)
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[]):
            return Table(lines, keywords)
        case ast.Call(func=ast.Attribute(value=separator, attr="join"), args=[items], keywords=[]):
            return Join(lines, separator, items)
    receiver = func.value if isinstance(func, ast.Attribute) else None
    code = _code(func) if _steps(func) else f"….{func.attr}" if isinstance(func, ast.Attribute) else "…"
    return Call(lines, code, _steps(func) or (), tuple(node.args), keywords, receiver)


def _function(node: ast.FunctionDef, lines: Lines) -> Expression:
    if any(_code(one) not in _SAME_FUNCTION for one in node.decorator_list):
        return Unread(lines, f"a decorator may change what {shown(node.name)} returns")
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    match body:
        case [ast.Return(value=ast.expr() as value)]:
            return FunctionExpression(lines, node.name, parameters_of(node), value, _defaults(node))
    what = f"{shown(node.name)} does more than return one text"
    return Unread(lines, what, "return the text in one expression")


def _defaults(node: ast.FunctionDef | ast.Lambda) -> tuple[tuple[str, str], ...]:
    """Returns the parameters that have a default, each with its code."""
    return tuple((name, ast.dump(value)) for name, value in defaults_of(node))


def _class(node: ast.ClassDef, lines: Lines) -> Expression:
    for decorator in node.decorator_list:
        if _code(decorator.func if isinstance(decorator, ast.Call) else decorator) not in _PLAIN_DECORATORS:
            return Unread(lines, f"a decorator may change the class {shown(node.name)}")
    if node.keywords:
        return Unread(lines, f"a metaclass may change the class {shown(node.name)}")
    bases = [_code(base) for base in node.bases]
    names = {base.rpartition(".")[2] for base in bases}
    foreign = next((base for base in bases if base.rpartition(".")[2] not in _PLAIN_BASES), "")
    scope = scope_of(node.body)
    if names & {"Enum", "StrEnum"} and "__new__" in scope.bindings:
        return Unread(lines, f"__new__ may change the members of {shown(node.name)}")
    return Class(lines, node.name, scope, visible=True, inherits=foreign, shows_values=names <= _TEXT_BASES)


def _code(node: ast.expr) -> str:
    """Returns the source of a node, for a message or a comparison."""
    return shown(".".join(_steps(node) or ()) or "…", 40)


def _steps(node: ast.expr) -> tuple[str, ...] | None:
    """Returns the steps of ``A.b["c"]``; ``None`` for anything else."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        step = node.attr if isinstance(node, ast.Attribute) else key_of(node.slice)
        if step is None:
            return None
        steps.append(step)
        node = node.value
    return (node.id, *reversed(steps)) if isinstance(node, ast.Name) else None


def _operands(node: ast.expr) -> list[ast.expr]:
    operands: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        operands.append(node.right)
        node = node.left
    return [node, *reversed(operands)]


_KINDS: dict[type[ast.AST], str] = {
    ast.IfExp: "a condition",
    ast.BinOp: "an operator other than +",
    ast.BoolOp: "and/or",
    ast.Await: "await",
    ast.Subscript: "a computed key",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
}


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return "nothing" if node.value is None else "bytes" if isinstance(node.value, bytes) else "this value"
    return _KINDS.get(type(node), f"this expression ({type(node).__name__})")
