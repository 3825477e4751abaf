"""Adds checks to a lineage of promptverdict.yaml, and dimensions to a rubric. Everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from engine.readers.config import read_config
from engine.readers.rubrics import read_rubric
from engine.test_edits import NoEditError
from engine.test_edits.yaml_text import flow, last_line, scalar
from schemas.check_config import Check
from schemas.errors import PromptVerdictError
from schemas.rubrics import Dimension

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

INDENT = 2


def check_lines(checks: Sequence[Check]) -> list[str]:
    """Returns checks as items of a YAML list, one a line."""
    return [f"- {flow(written(check))}" for check in checks]


def written(check: Check) -> dict[str, JsonValue]:
    """Returns a check as the configuration writes it: its name, then its rule."""
    values: Mapping[str, JsonValue] = check.model_dump(mode="json", exclude_none=True)
    return {"name": check.name} | {key: value for key, value in values.items() if key != "name"}


def with_checks(path: str, data: bytes, lineage: str, checks: Sequence[Check]) -> bytes:
    """Returns the configuration with more checks of a lineage, after those that it has.

    Raises NoEditError if the file can't be edited so, or if it would not say exactly that.
    """
    before = read_config(path, data)
    text = data.decode()
    if lineage not in before.lineages or "\r" in text:
        raise NoEditError("its lines can't be edited safely")
    new = "\n".join(_edited(text, lineage, checks))
    try:
        after = read_config(path, new.encode())
    except PromptVerdictError as error:
        raise NoEditError("") from error
    own = before.lineages[lineage]
    wanted = own.model_copy(update={"checks": (*own.checks, *checks)})
    if after != before.model_copy(update={"lineages": {**before.lineages, lineage: wanted}}):
        raise NoEditError("")
    return new.encode()


def with_dimensions(path: str, data: bytes, new: Mapping[str, Dimension]) -> bytes:
    """Returns the rubric with more dimensions, after those that it has. Raises NoEditError as ``with_checks`` does."""
    before, text = read_rubric(path, data), data.decode()
    if "\r" in text:
        raise NoEditError("its lines can't be edited safely")
    node = _value(_root(text), "dimensions")
    lines = text.split("\n")
    at, column = last_line(node, lines), node.value[0][0].start_mark.column
    added = [" " * column + line for name, one in new.items() for line in dimension_lines(name, one)]
    edited = "\n".join([*lines[: at + 1], *added, *(lines[at + 1 :] or [""])]).encode()
    try:
        after = read_rubric(path, edited)
    except PromptVerdictError as error:
        raise NoEditError("") from error
    if after != before.model_copy(update={"dimensions": {**before.dimensions, **new}}):
        raise NoEditError("")
    return edited


def dimension_lines(name: str, dimension: Dimension) -> list[str]:
    """Returns a dimension as a rubric writes it."""
    anchors = [f"    {grade}: {scalar(text)}" for grade, text in sorted(dimension.anchors.items(), reverse=True)]
    described = f"  description: {scalar(dimension.description)}"
    return [f"{scalar(name)}:", described, *(["  anchors:", *anchors] if anchors else [])]


def _edited(text: str, lineage: str, checks: Sequence[Check]) -> list[str]:
    lines = text.split("\n")
    own = _value(_value(_root(text), "lineages"), lineage, flow_too=True)
    known = next((value for key, value in own.value if key.value == "checks"), None)
    listed = ", ".join(flow(written(check)) for check in checks)
    if known is not None and known.flow_style:
        return _inserted(lines, known.value[-1:], f", {listed}")
    if known is None and own.flow_style:
        return _inserted(lines, [own.value[-1][1]], f", checks: [{listed}]")
    if known is None:
        at, column = last_line(own, lines), own.value[0][0].start_mark.column
        items = (f"{' ' * (column + INDENT)}{line}" for line in check_lines(checks))
        new = [f"{' ' * column}checks:", *items]
    else:
        at = last_line(known, lines)
        new = [f"{' ' * known.start_mark.column}{line}" for line in check_lines(checks)]
    return [*lines[: at + 1], *new, *(lines[at + 1 :] or [""])]


def _inserted(lines: list[str], after: Sequence[Node], text: str) -> list[str]:
    """Returns the lines with ``text`` after the last of these nodes. Raises NoEditError if there is none."""
    if not after:
        raise NoEditError("its checks are empty brackets")
    end = after[-1].end_mark
    line = lines[end.line]
    return [*lines[: end.line], f"{line[: end.column]}{text}{line[end.column :]}", *lines[end.line + 1 :]]


def _root(text: str) -> Node:
    """Returns the document. It was read before within limits, so composing it is safe."""
    import yaml

    loader = yaml.CSafeLoader(text)
    try:
        root = loader.get_single_node()
    finally:
        loader.dispose()
    assert root is not None
    return root


def _value(node: Node, name: str, *, flow_too: bool = False) -> MappingNode:
    """Returns the map under a key. Raises NoEditError for any other form, and for one in braces but if ``flow_too``."""
    import yaml

    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == name), None)
    if not isinstance(found, yaml.MappingNode) or not found.value or (found.flow_style and not flow_too):
        raise NoEditError(f"{name} isn't written as a block")
    return found
