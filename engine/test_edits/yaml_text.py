"""Edits of YAML: one more line in a block, or one more key between braces. Comments and other quotes stay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from engine.render.encode import visible
from engine.test_edits import NoEditError

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, SequenceNode

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 _./-]*[A-Za-z0-9])?")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
"""Words that some YAML readers don't read as text."""


def set_in_item(text: str, position: int, key: str, value: JsonValue, parent: str | None = None) -> str:
    """Returns the YAML with a value of the case at ``position``. ``parent`` is the key of the list.

    Raises NoEditError for a value that is there and has several lines.
    """
    return set_in_map(text, _map(_cases(text, parent).value[position]), key, value)


def set_in_map(text: str, row: MappingNode, key: str, value: JsonValue) -> str:
    """Returns the YAML with a value in a map that has at least one key.

    Raises NoEditError for a value that is there and has several lines.
    """
    written = flow(value)
    lines = text.split("\n")
    for name, old in row.value:
        if name.value == key:
            start, end = old.start_mark, old.end_mark
            if start.line != end.line:
                raise NoEditError(f"its {key} has several lines")
            line = lines[start.line]
            lines[start.line] = f"{line[: start.column]}{written}{line[end.column :]}"
            return "\n".join(lines)
    if row.flow_style:
        end = row.value[-1][1].end_mark
        line = lines[end.line]
        lines[end.line] = f"{line[: end.column]}, {scalar(key)}: {written}{line[end.column :]}"
        return "\n".join(lines)
    return "\n".join(_with_line(lines, row, f"{scalar(key)}: {written}"))


def _with_line(lines: list[str], row: MappingNode, member: str) -> list[str]:
    """Adds the key after the last value that ends on one line; else before the case's first key."""
    indent = row.value[0][0].start_mark.column
    for name, value in reversed(row.value):
        if _is_short(name, value):
            at = value.end_mark.line + 1
            return [*lines[:at], f"{' ' * indent}{member}", *lines[at:]]
    first = row.value[0][0].start_mark
    line = lines[first.line]
    return [
        *lines[: first.line],
        f"{line[: first.column]}{member}",
        f"{' ' * indent}{line[first.column :]}",
        *lines[first.line + 1 :],
    ]


def _is_short(name: Node, value: Node) -> bool:
    import yaml

    is_block = (isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")) or (
        isinstance(value, yaml.CollectionNode) and not value.flow_style
    )
    return not is_block and name.start_mark.line == value.end_mark.line


def add_item(text: str, row: Mapping[str, JsonValue], key: str | None = None) -> str:
    """Returns the YAML with one more item at the end of its list."""
    cases = _cases(text, key)
    if cases.flow_style or not cases.value:
        raise NoEditError("its list is empty or is written between brackets")
    lines = text.split("\n")
    last = _map(cases.value[-1])
    end = last_line(cases, lines)
    dash = " " * cases.start_mark.column + "- "
    if last.flow_style:
        written = [f"{dash}{flow(dict(row))}"]
    else:
        blocks = {name.value for name, value in last.value if hasattr(value, "flow_style") and not value.flow_style}
        members = [line for name, value in row.items() for line in _block(name, value, blocks)]
        written = [(dash if index == 0 else " " * len(dash)) + line for index, line in enumerate(members)]
    start = cases.value[-1].start_mark.line
    apart = len(cases.value) > 1 and not lines[start - 1].strip()
    return "\n".join([*lines[: end + 1], *([""] if apart else []), *written, *(lines[end + 1 :] or [""])])


def _block(name: str, value: JsonValue, blocks: set[str]) -> list[str]:
    """Returns ``name: value`` as lines. Maps and lists open as a block if the neighbor's do."""
    if name in blocks and isinstance(value, dict) and value:
        return [f"{scalar(name)}:", *(f"  {scalar(key)}: {flow(inner)}" for key, inner in value.items())]
    if name in blocks and isinstance(value, list) and value:
        return [f"{scalar(name)}:", *(f"  - {flow(inner)}" for inner in value)]
    return [f"{scalar(name)}: {flow(value)}"]


def flow(value: JsonValue) -> str:
    """Returns a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: str | float | bool | None) -> str:
    """Returns a value as every YAML reader reads it. Text is bare only if no reader takes it for anything else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if visible(c) == c else f"\\U{ord(c):08X}" for c in text)


def composed(text: str) -> Node | None:
    """Returns the document's root. The text was read before within limits, so composing it is safe."""
    import yaml

    loader = yaml.CSafeLoader(text)
    try:
        root: Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    return root


def _cases(text: str, key: str | None) -> SequenceNode:
    """Returns the list of cases."""
    import yaml

    root = composed(text)
    if isinstance(root, yaml.MappingNode):
        wanted = (key,) if key else ("cases", "tests")
        root = next((value for name, value in root.value if name.value in wanted), None)
    if not isinstance(root, yaml.SequenceNode):
        raise NoEditError("its list of cases was not found")
    return root


def _map(case: Node) -> MappingNode:
    import yaml

    if not isinstance(case, yaml.MappingNode) or not case.value:
        raise NoEditError("the case isn't a map")
    return case


def last_line(node: Node, lines: list[str]) -> int:
    """Returns the last line (from 0) of a node. For blocks the parser only says where the next node begins."""
    import yaml

    while True:
        inner = None
        if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
            inner = node.value[-1][1]
        elif isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
            inner = node.value[-1]
        if inner is None:
            break
        node = inner
    line: int = node.end_mark.line
    ends_file = line == len(lines) - 1 and node.end_mark.column == len(lines[line]) > 0
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and not ends_file:
        line -= 1
        while line > node.start_mark.line and not lines[line].strip():
            line -= 1
    return line
