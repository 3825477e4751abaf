"""Finds the names that a TypeScript or JavaScript file, a class or a function binds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.readers.code.expressions import Binding, Lines, Name, Scope

if TYPE_CHECKING:
    from tree_sitter import Node as Tree

FUNCTIONS = {
    "arrow_function", "function_declaration", "function_expression", "generator_function",
    "generator_function_declaration", "method_definition",
}  # fmt: skip
_DEFINITIONS = {
    "abstract_class_declaration", "class_declaration", "enum_declaration", "function_declaration",
    "generator_function_declaration", "internal_module", "module",
}  # fmt: skip
WRAPPERS = {"as_expression", "satisfies_expression", "parenthesized_expression", "non_null_expression"}
_PATTERN_NAMES = {"identifier", "shorthand_property_identifier_pattern"}
_TYPE = {"type_annotation", "type_arguments", "type_parameters"}


def text_of(node: Tree | None) -> str:
    """Returns the source of a node."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def lines_of(node: Tree) -> Lines:
    """Returns the first and the last line of a node."""
    return node.start_point.row + 1, node.end_point.row + 1


def children_of(node: Tree) -> list[Tree]:
    """Returns the named children, without comments."""
    return [child for child in node.named_children if child.type != "comment"]


def scope_of(body: Tree) -> Scope:
    """Returns the names that the statements of a module, a namespace or a block bind."""
    scope = Scope()
    for statement in children_of(body):
        for name, binding in _bindings(statement):
            scope.bindings[name].append(binding)
    return scope


def _bindings(statement: Tree) -> Iterator[tuple[str, Binding]]:
    kind, line = statement.type, statement.start_point.row + 1
    if kind in ("lexical_declaration", "variable_declaration"):
        for declarator in children_of(statement):
            yield from _declared(declarator)
    elif kind in _DEFINITIONS:
        yield text_of(statement.child_by_field_name("name")), Binding(line, statement)
    elif kind == "import_statement":
        yield from ((name, Binding(line, None, origin)) for name, origin in _imported(statement))
    elif kind == "export_statement":
        yield from _exported(statement, line)
    elif (
        kind == "expression_statement" and (inner := children_of(statement))[:1] and inner[0].type == "internal_module"
    ):
        yield from _bindings(inner[0])
    else:
        yield from ((name, Binding(line, None)) for node in own_nodes(statement) for name in _hoisted(node))


def _hoisted(node: Tree) -> Iterator[str]:
    """Yields the names that ``var`` declares anywhere inside a statement."""
    if node.type == "variable_declaration":
        yield from (name for declarator in children_of(node) for name, _ in _declared(declarator))
    left = node.child_by_field_name("left")
    if left is not None and text_of(node.child_by_field_name("kind")) == "var":
        yield from pattern_names(left)


def _declared(declarator: Tree) -> Iterator[tuple[str, Binding]]:
    name, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
    line = declarator.start_point.row + 1
    if name is not None and name.type == "identifier":
        yield text_of(name), Binding(line, value)
    elif name is not None:
        yield from ((one, Binding(line, None)) for one in pattern_names(name))


def _imported(statement: Tree) -> Iterator[tuple[str, str]]:
    """Yields the names that an import binds, each with its origin."""
    module = text_of(statement.child_by_field_name("source")).strip("\"'")
    for clause in children_of(statement):
        for part in children_of(clause) if clause.type == "import_clause" else ():
            if part.type == "identifier":
                yield text_of(part), f"{module}.default"
            elif part.type == "namespace_import":
                yield text_of(children_of(part)[-1]), module
            for one in children_of(part) if part.type == "named_imports" else ():
                name = text_of(one.child_by_field_name("name"))
                yield text_of(one.child_by_field_name("alias")) or name, f"{module}.{name}"


def _exported(statement: Tree, line: int) -> Iterator[tuple[str, Binding]]:
    default = any(child.type == "default" for child in statement.children)
    declaration = statement.child_by_field_name("declaration")
    value = declaration if default and declaration is not None else statement.child_by_field_name("value")
    if declaration is not None:
        yield from (pair for pair in _bindings(declaration) if pair[0])
    if default and value is not None:
        yield "default", Binding(line, value)
    module = text_of(statement.child_by_field_name("source")).strip("\"'")
    for clause in children_of(statement):
        for one in children_of(clause) if clause.type == "export_clause" else ():
            name = text_of(one.child_by_field_name("name"))
            alias = text_of(one.child_by_field_name("alias")) or name
            if module:
                yield alias, Binding(line, None, f"{module}.{name}")
            elif alias != name:
                yield alias, Binding(line, Name(lines_of(one), (name,)))


def own_nodes(*nodes: Tree) -> Iterator[Tree]:
    """Yields nodes and their descendants, without the content of functions."""
    waiting = list(nodes)
    while waiting:
        found = waiting.pop()
        yield found
        if found.type not in FUNCTIONS:
            waiting += found.named_children


def pattern_names(pattern: Tree) -> Iterator[str]:
    """Yields the names that a pattern binds: ``{a, b: c, d = 1}``, ``[a, b]``."""
    waiting = [pattern]
    while waiting:
        node = waiting.pop()
        if node.type in _PATTERN_NAMES:
            yield text_of(node)
        elif node.type in ("assignment_pattern", "object_assignment_pattern"):
            waiting += [left for left in [node.child_by_field_name("left")] if left is not None]
        elif node.type == "pair_pattern":
            waiting += [value for value in [node.child_by_field_name("value")] if value is not None]
        elif node.type not in _TYPE and node.type not in ("member_expression", "subscript_expression"):
            waiting += children_of(node)


def parameters_of(function: Tree) -> frozenset[str]:
    """Returns the names of a function's parameters."""
    one, several = function.child_by_field_name("parameter"), function.child_by_field_name("parameters")
    if several is None:
        return frozenset([text_of(one)] if one is not None else [])
    patterns = [each.child_by_field_name("pattern") for each in children_of(several)]
    return frozenset(name for pattern in patterns if pattern is not None for name in pattern_names(pattern))


def defaults_of(function: Tree) -> tuple[tuple[str, str], ...]:
    """Returns the parameters that have a default, each with its code."""
    given = function.child_by_field_name("parameters")
    found: list[tuple[str, str]] = []
    for node in own_nodes(given) if given is not None else ():
        name = node.child_by_field_name("pattern") or node.child_by_field_name("left")
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
        if name is not None and value is not None:
            found.append((text_of(name), text_of(value)))
    return tuple(found)


def locals_of(function: Tree) -> frozenset[str]:
    """Returns the names that a function binds."""
    found = set(parameters_of(function))
    body = function.child_by_field_name("body")
    if body is None or body.type != "statement_block":
        return frozenset(found)
    # What a block inside declares is its own, and doesn't hide the file's names around it.
    found.update(name for statement in children_of(body) for name, _ in _bindings(statement))
    return frozenset(found)


def property_of(node: Tree) -> str | None:
    """Returns the name or the text of a look-up, or ``None`` if it is computed."""
    if node.type == "member_expression":
        name = text_of(node.child_by_field_name("property"))
        return None if "\\" in name else name
    index = node.child_by_field_name("index")
    if index is None or index.type != "string" or any(child.type == "escape_sequence" for child in index.children):
        return None
    return text_of(index)[1:-1]
