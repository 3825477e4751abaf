"""Finds what a JavaScript file exports as CommonJS does: ``exports.name = …``, ``module.exports = {name: …}``.

Every other use of ``exports`` that may set a name makes all of the file's names unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import dirname
from typing import TYPE_CHECKING, NamedTuple

from engine.readers.bounded import inside
from engine.readers.code.expressions import Binding, Changes
from engine.readers.code.typescript_scopes import FUNCTIONS, WRAPPERS, children_of, locals_of, property_of, text_of
from engine.readers.code.typescript_values import MEMBERS, READING, arguments_of, dotted, unwrapped

if TYPE_CHECKING:
    from tree_sitter import Node as Tree

_ONE = {"Object.defineProperty", "Reflect.defineProperty", "Reflect.set"}
"""Functions that set one name of their first argument."""
_SEVERAL = {"Object.assign", "Object.defineProperties"}
_SET = {"assignment_expression", "augmented_assignment_expression", "update_expression", "unary_expression"}
_ONLY_READ = {
    "binary_expression", "expression_statement", "formal_parameters", "if_statement", "required_parameter",
    "spread_element", "unary_expression",
}  # fmt: skip
_MARK = "__esModule"
"""What compilers set, beside the exports."""
_SUFFIX = re.compile(r"(?:/index)?(?:\.[cm]?[jt]sx?)?$")


class Exports(NamedTuple):
    """What a file exports."""

    names: list[tuple[str, Binding]]
    unknown: int | None
    """A line that may set any name."""


def exports_of(root: Tree, path: str, changes: Changes) -> Exports:
    """Returns the exports of the file at ``path``, without those that are the constant of the same name."""
    found = Exports([], _sets_itself(root, path, changes))
    for node, deep in _references(root):
        given = _given(node)
        if given is None:
            found = found._replace(unknown=found.unknown or _line(node))
        for name, value in given or ():
            if deep or text_of(value) != name:
                found.names.append((name, Binding(_line(node), value if _is_statement(node) else None)))
    return found


def _references(root: Tree) -> Iterator[tuple[Tree, bool]]:
    """Yields every mention of the exports, and whether a function is around it."""
    waiting: list[tuple[Tree, frozenset[str], bool]] = [(root, frozenset(), False)]
    while waiting:
        node, hidden, deep = waiting.pop()
        if node.type in FUNCTIONS:
            hidden, deep = hidden | locals_of(node), True
        of_module = node.type in MEMBERS and property_of(node) == "exports"
        if of_module and text_of(node.child_by_field_name("object")) == "module":
            if "module" not in hidden:
                yield node, deep
            continue
        bare = node.type in ("identifier", "shorthand_property_identifier") and text_of(node) == "exports"
        if (bare and "exports" not in hidden) or (node.type == "this" and _is_the_files(node)):
            yield node, deep
        waiting += [(child, hidden, deep) for child in reversed(node.named_children)]


def _is_the_files(this: Tree) -> bool:
    """Returns whether ``this`` is that of the file, in ``this.name = …``."""
    member = this.parent
    return member is not None and member.type in MEMBERS and member.parent is not None and _is_statement(this)


def _given(node: Tree) -> Sequence[tuple[str, Tree | None]] | None:
    """Returns the names that a mention sets, with their values; ``None``: it may set any."""
    node = _outermost(node)
    around = node.parent
    if around is None or (node.type != "this" and _is_declared(node, around)):
        return ()
    if around.type in MEMBERS and around.child_by_field_name("object") == node:
        return _member(_outermost(around))
    if around.type == "assignment_expression":
        if around.child_by_field_name("left") == node:
            return _fields_of(unwrapped(around.child_by_field_name("right")))
        left = text_of(around.child_by_field_name("left"))
        return () if left.startswith(("exports", "module.exports")) else None
    if around.type == "arguments" and around.parent is not None:
        return _call(around.parent, node)
    return () if around.type in _ONLY_READ else None


def _is_declared(node: Tree, around: Tree) -> bool:
    return around.type == "variable_declarator" and around.child_by_field_name("name") == node


def _member(member: Tree) -> Sequence[tuple[str, Tree | None]] | None:
    """Returns what a look-up in the exports sets: itself, or something in it."""
    name, around = property_of(member), member.parent
    if around is None or around.type.endswith("pattern"):
        return None
    changed = around.type in _SET and around.child_by_field_name("right") != member
    if around.type == "unary_expression":
        changed = text_of(around.children[0]) == "delete"
    within = around.type in MEMBERS and around.child_by_field_name("object") == member
    above = around.parent
    if within and above is not None:
        changed = above.type in (*_SET, "call_expression") and above.child_by_field_name("right") != around
    if around.type == "for_in_statement":
        changed = around.child_by_field_name("left") == member
    if not changed:
        return ()
    plain = around.type == "assignment_expression" and not within
    return None if name is None else [(name, around.child_by_field_name("right") if plain else None)]


def _call(call: Tree, node: Tree) -> Sequence[tuple[str, Tree | None]] | None:
    """Returns the names that a call sets that gets the exports."""
    function, arguments = call.child_by_field_name("function"), arguments_of(call)
    name = dotted(function) if function is not None else ""
    if arguments[:1] == [node] and name in _ONE:
        return _defined(arguments[1:])
    if arguments[:1] != [node] or name not in _SEVERAL:
        return () if name in READING else None
    if any(each.type != "object" or not _is_plain(each) for each in arguments[1:]):
        return None
    fields = [field for each in arguments[1:] for field in _fields(each)]
    return fields if name == "Object.assign" else [(name, None) for name, _ in fields]


def _defined(arguments: Sequence[Tree]) -> Sequence[tuple[str, None]] | None:
    """Returns the name that is the first of the arguments; none for what only compilers need."""
    key = text_of(arguments[0]) if arguments and arguments[0].type == "string" else "\\"
    if "\\" in key:
        return None
    return () if key[1:-1] == _MARK else [(key[1:-1], None)]


def _is_plain(given: Tree) -> bool:
    keys = [each.child_by_field_name("key") or each.child_by_field_name("name") or each for each in children_of(given)]
    return not any(key.type in ("spread_element", "computed_property_name") for key in keys)


def _fields_of(value: Tree | None) -> Sequence[tuple[str, Tree | None]]:
    """Returns what ``module.exports`` gets from an object, or from the objects that a call is given."""
    if value is None:
        return ()
    if value.type == "object":
        return _fields(value)
    given = arguments_of(value) if value.type == "call_expression" else []
    fields = [field for each in given if each.type == "object" for field in _fields(each)]
    return [(name, None) for name, own in fields if text_of(own) != name]


def _fields(given: Tree) -> list[tuple[str, Tree | None]]:
    found = []
    for field in children_of(given):
        key = field.child_by_field_name("key") or field.child_by_field_name("name")
        if name := text_of(key).strip("\"'"):
            found.append((name, field.child_by_field_name("value")))
    return found


def _outermost(node: Tree) -> Tree:
    """Returns the node with the parentheses and types around it."""
    while node.parent is not None and node.parent.type in WRAPPERS:
        node = node.parent
    return node


def _is_statement(node: Tree) -> bool:
    """Returns whether a mention is in a statement of the file itself, under no condition."""
    for _ in range(4):
        if node.parent is None:
            return False
        node = node.parent
        if node.type == "expression_statement":
            return node.parent is not None and node.parent.type == "program"
    return False


def _line(node: Tree) -> int:
    return node.start_point.row + 1


def _sets_itself(root: Tree, path: str, changes: Changes) -> int | None:
    """Returns a line that changes what ``require`` gives, if the file requires itself."""
    changed = changes.of.get("require")
    if not changed:
        return None
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.named_children
        if node.type == "call_expression" and text_of(node.child_by_field_name("function")) == "require":
            named = [text_of(each)[1:-1] for each in arguments_of(node)]
            if any(_SUFFIX.sub("", inside(dirname(path), one) or "") == _SUFFIX.sub("", path) for one in named):
                return changed[0].line
    return None
