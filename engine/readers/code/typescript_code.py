"""String constants of TypeScript and JavaScript files, from tree-sitter's syntax tree: ``src/prompts.ts#triage``."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.readers.bounded import Source, shown
from engine.readers.code.commonjs import exports_of
from engine.readers.code.expressions import (
    Binding,
    Call,
    Class,
    Expression,
    Function,
    Items,
    Join,
    Lines,
    Name,
    Node,
    Number,
    Scope,
    Sum,
    Table,
    Template,
    Text,
    Unread,
)
from engine.readers.code.pieces import Written, check_size
from engine.readers.code.reading import members_of_constant, messages_of_constant
from engine.readers.code.typescript_changes import changes_of
from engine.readers.code.typescript_scopes import (
    FUNCTIONS,
    WRAPPERS,
    children_of,
    defaults_of,
    lines_of,
    parameters_of,
    property_of,
    scope_of,
    text_of,
)

if TYPE_CHECKING:
    from tree_sitter import Language, Tree
    from tree_sitter import Node as TreeNode

TYPESCRIPT_SUFFIXES = (".ts", ".mts", ".cts")
SCRIPT_SUFFIXES = (*TYPESCRIPT_SUFFIXES, ".tsx", ".js", ".jsx", ".mjs", ".cjs")
_ESCAPE = re.compile(
    r"\\(?:u\{(?P<code>[0-9a-fA-F]{1,6})\}|u(?P<four>[0-9a-fA-F]{4})|x(?P<two>[0-9a-fA-F]{2})|(?P<sign>[^ux1-9]))",
    re.DOTALL,
)
_SIGNS = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "0": "\0",
    "\n": "",
    "\u2028": "",
    "\u2029": "",
}
_KINDS = {
    "ternary_expression": "a condition",
    "binary_expression": "an operator other than +",
    "await_expression": "await",
    "regex": "a regular expression",
    "undefined": "nothing",
    "null": "nothing",
    "subscript_expression": "a computed key",
}


@cache
def _language(path: str) -> Language:
    import tree_sitter_typescript
    from tree_sitter import Language

    typed = path.endswith(TYPESCRIPT_SUFFIXES)
    return Language(tree_sitter_typescript.language_typescript() if typed else tree_sitter_typescript.language_tsx())


def read_typescript(source: Source, key: str) -> tuple[Written, ...]:
    """Returns the messages of the constant ``key``: ``name``, ``object.key``, ``Class.name`` or ``default``.

    Raises MissingConstantError where the file has nothing of that name, SourceError with the line for what isn't read.
    """
    return messages_of_constant(source, _parsed(source.path, source.text), key)


def typescript_members(source: Source, key: str) -> tuple[str, ...]:
    """Returns the names of what a class or a map holds: ``Class.NAME``. Raises SourceError for broken code."""
    return members_of_constant(source, _parsed(source.path, source.text), key)


@lru_cache(maxsize=2)
def _parsed(path: str, text: str) -> TypeScriptCode:
    """Returns a file's code. Both sides of a pull request are kept, for all the prompts that are in one file."""
    from tree_sitter import Parser

    source = Source(path, text)
    check_size(source)
    tree = Parser(_language(path)).parse(text.encode())
    if tree.root_node.has_error:
        raise source.error("not valid code", _broken_line(tree), hint="fix the syntax")
    try:
        return TypeScriptCode(tree, path)
    except RecursionError:
        raise source.error("the code is nested too deeply", 1, hint="move the prompt into a smaller file") from None


def _broken_line(tree: Tree) -> int:
    node = tree.root_node
    while not (node.is_error or node.is_missing):
        broken = next((child for child in node.children if child.has_error or child.is_missing), None)
        if broken is None:
            break
        node = broken
    return node.start_point.row + 1


class TypeScriptCode:
    """A TypeScript or JavaScript file."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.tree = tree
        self.module = scope_of(tree.root_node)
        self.changes = changes_of(tree.root_node)
        exported = exports_of(tree.root_node, path, self.changes)
        for name, binding in exported.names:
            self.module.bindings[name].append(binding)
        self.changes.of_any = self.changes.of_any or exported.unknown

    def read(self, node: Node) -> Expression:
        """Returns the expression of a node."""
        if isinstance(node, Expression):
            return node
        from tree_sitter import Node as SyntaxNode

        assert isinstance(node, SyntaxNode)
        lines = lines_of(node)
        while (inner := _inside(node)) is not None:
            node = inner
        found = _text(node, lines) or _several(node, lines)
        return found or Unread(lines, f"{_KINDS.get(node.type, f'this ({node.type})')} is not read")

    def written(self, node: Node) -> str:
        """Returns the code of a node."""
        from tree_sitter import Node as SyntaxNode

        return text_of(node) if isinstance(node, SyntaxNode) else str(node)


def _inside(node: TreeNode) -> TreeNode | None:
    """Returns the node inside a type, parentheses or ``Object.freeze``."""
    if node.type in WRAPPERS:
        return next(iter(children_of(node)), None)
    if node.type == "type_assertion":
        return children_of(node)[-1]
    if node.type == "call_expression" and text_of(node.child_by_field_name("function")) == "Object.freeze":
        given = node.child_by_field_name("arguments")
        return next(iter(children_of(given)), None) if given is not None else None
    return None


def _text(node: TreeNode, lines: Lines) -> Expression | None:
    """Returns the expression of a node that may be a text, or a part of one."""
    if node.type in ("string", "template_string"):
        return _template(node, lines)
    if node.type == "number" and re.fullmatch(r"0|[1-9]\d{0,14}", text_of(node)):
        return Number(lines, text_of(node))
    if node.type == "binary_expression" and text_of(node.child_by_field_name("operator")) == "+":
        return Sum(lines, tuple(_operands(node)))
    if (steps := _steps(node)) is not None:
        return Name(lines, steps)
    return _call(node, lines) if node.type in ("call_expression", "new_expression") else None


def _template(node: TreeNode, lines: Lines, *, raw: bool = False) -> Expression:
    """Returns a string or a template literal. ``raw`` keeps its escapes as written."""
    parts: list[str | Node] = []
    at, written = 1, node.text or b""
    for child in node.children:
        start, end = child.start_byte - node.start_byte, child.end_byte - node.start_byte
        if child.type == "template_substitution":
            parts += [written[at:start].decode(), next(iter(children_of(child)), Unread(lines, "an empty hole"))]
            at = end
        elif child.type == "escape_sequence" and not raw:
            escape = _unescaped(written[start:end].decode())
            if escape is None:
                return Unread(lines_of(child), f"the escape {shown(written[start:end].decode())} is not read")
            parts += [written[at:start].decode(), escape]
            at = end
    parts.append(written[at:-1].decode())
    if all(isinstance(part, str) for part in parts):
        return Text(lines, _with_pairs("".join(part for part in parts if isinstance(part, str))))
    return Template(lines, tuple(_with_pairs(part) if isinstance(part, str) else part for part in parts))


def _unescaped(escape: str) -> str | None:
    found = _ESCAPE.fullmatch(escape)
    if found is None:
        return None
    if found["sign"] is not None:
        return _SIGNS.get(found["sign"], found["sign"])
    code = int(found["code"] or found["four"] or found["two"], 16)
    return chr(code) if code <= 0x10FFFF else None


def _with_pairs(text: str) -> str:
    """Returns a text with pairs of escapes joined into the character that they encode."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _call(node: TreeNode, lines: Lines) -> Expression:
    function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    given = node.child_by_field_name("arguments")
    if function is None:
        return Unread(lines, "this call is not read")
    receiver = function.child_by_field_name("object") if function.type == "member_expression" else None
    steps, method = _steps(function) or (), text_of(function.child_by_field_name("property"))
    code = shown(".".join(steps) or f"….{method}".rstrip("."), 40)
    if given is not None and given.type == "template_string":
        return Call(lines, code, steps, (_template(given, lines, raw=True),), receiver=receiver, tag=True)
    arguments = children_of(given) if given is not None else []
    if receiver is not None and method == "join" and len(arguments) <= 1:
        return Join(lines, next(iter(arguments), Text(lines, ",")), receiver)
    options = _several(arguments[-1], lines) if arguments else None
    if isinstance(options, Table):
        return Call(lines, code, steps, tuple(arguments[:-1]), options.entries, receiver)
    return Call(lines, code, steps, tuple(arguments), receiver=receiver)


def _several(node: TreeNode, lines: Lines) -> Expression | None:
    """Returns the expression of a node that holds values, or returns one."""
    if node.type == "object":
        return Table(lines, tuple(map(_entry, children_of(node))))
    if node.type == "array":
        signs = [child.type for child in node.children if child.type != "comment"]
        if any(pair in (("[", ","), (",", ",")) for pair in pairwise(signs)):
            return Unread(lines, "a list with a gap is not read")
        return Items(lines, tuple(children_of(node)))
    if node.type in FUNCTIONS:
        return _function(node, lines)
    if node.type in ("class_declaration", "abstract_class_declaration", "class"):
        return _class(node, lines)
    name, body = text_of(node.child_by_field_name("name")), node.child_by_field_name("body")
    scope_in = {"enum_declaration": _enum_scope, "internal_module": scope_of, "module": scope_of}.get(node.type)
    return Class(lines, name, scope_in(body), visible=True, encloses=True) if scope_in and body is not None else None


def _entry(node: TreeNode) -> tuple[str | None, Node]:
    if node.type == "shorthand_property_identifier":
        return text_of(node), Name(lines_of(node), (text_of(node),))
    if node.type == "method_definition":
        return _key(node.child_by_field_name("name")), node
    if node.type != "pair":
        return None, Unread(lines_of(node), "a spread object is not read")
    return _key(node.child_by_field_name("key")), node.child_by_field_name("value") or node


def _key(node: TreeNode | None) -> str | None:
    if node is None or node.type == "computed_property_name":
        return None
    if node.type != "string":
        name = text_of(node)
        return None if "\\" in name or (node.type == "number" and not name.isdecimal()) else name
    text = _template(node, lines_of(node))
    return text.text if isinstance(text, Text) else None


def _function(node: TreeNode, lines: Lines) -> Expression:
    name, body = text_of(node.child_by_field_name("name")) or "the function", node.child_by_field_name("body")
    if body is not None and body.type == "statement_block":
        statements = children_of(body)
        returned = (
            children_of(statements[0]) if len(statements) == 1 and statements[0].type == "return_statement" else []
        )
        body = returned[0] if returned else None
    if body is None or node.type.startswith("generator"):
        return Unread(lines, f"{shown(name)} does more than return one text", "return the text in one expression")
    return Function(lines, name, parameters_of(node), body, defaults_of(node))


def _class(node: TreeNode, lines: Lines) -> Expression:
    name, body = shown(text_of(node.child_by_field_name("name"))), node.child_by_field_name("body")
    if body is None or any(child.type == "decorator" for child in node.children):
        return Unread(lines, f"a decorator may change the class {name}")
    scope = Scope()
    for member in children_of(body):
        field = member.child_by_field_name("name")
        if field is None or member.type not in ("public_field_definition", "method_definition"):
            continue
        decorated = any(child.type == "decorator" for child in member.children)
        value = member if member.type == "method_definition" else member.child_by_field_name("value")
        binding = Binding(member.start_point.row + 1, None if decorated else value)
        scope.bindings[_key(field) or ""].append(binding)
    heritage = next((child for child in children_of(node) if child.type == "class_heritage"), None)
    return Class(lines, name, scope, visible=False, inherits=shown(text_of(heritage)) if heritage is not None else "")


def _enum_scope(body: TreeNode) -> Scope:
    scope = Scope()
    for member in children_of(body):
        name = member.child_by_field_name("name") if member.type == "enum_assignment" else member
        value = member.child_by_field_name("value") if member.type == "enum_assignment" else None
        scope.bindings[_key(name) or ""].append(Binding(member.start_point.row + 1, value))
    return scope


def _steps(node: TreeNode) -> tuple[str, ...] | None:
    """Returns the steps of ``a.b["c"]``; ``None`` for anything else."""
    steps: list[str] = []
    while node.type in ("member_expression", "subscript_expression"):
        step, inner = property_of(node), node.child_by_field_name("object")
        if step is None or inner is None:
            return None
        steps.append(step)
        node = inner
    return (text_of(node), *reversed(steps)) if node.type == "identifier" else None


def _operands(node: TreeNode) -> list[TreeNode]:
    operands: list[TreeNode] = []
    while node.type == "binary_expression" and text_of(node.child_by_field_name("operator")) == "+":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            break
        operands.append(right)
        node = left
    return [node, *reversed(operands)]
