"""Shared parts of the prompt formats: messages, parameters, front matter, the top of a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue

from engine.readers.bounded import Source, did_you_mean, shown, source_of
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Fields, Node, find, plain
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import SourceError
from schemas.prompts import Message, Parameters, Role

Blobs = Mapping[str, bytes]
"""Contents of one tree by path. It may be lazy: only ``get`` is called."""

YAML_SUFFIXES = (".yml", ".yaml")
_FENCE = re.compile(r"---[ \t]*\n(?P<matter>(?:.*\n)*?)---[ \t]*(?:\n|\Z)")


def prompt_source(path: str, blobs: Blobs) -> Source:
    """Returns the text of the prompt at ``path``. Raises SourceError."""
    data = blobs.get(path)
    if data is None:
        raise SourceError("this prompt doesn't exist", where=shown(path, 4096), hint="check the path")
    return source_of(path, data)


def document(source: Source) -> Node:
    """Returns the YAML or JSON document (by the path's suffix) of a prompt file."""
    return read_json(source) if source.path.endswith(".json") else read_yaml(source)


def top_level(path: str, blobs: Blobs) -> Node | None:
    """Returns the document at ``path`` to recognize it, or ``None`` if it can't be read."""
    try:
        return document(prompt_source(path, blobs))
    except SourceError:
        return None


def messages_of(source: Source, items: list[Node], what: str) -> tuple[Message, ...]:
    """Returns a list of ``{role, content}``. Raises for roles other than system, user and assistant."""
    messages = []
    for index, item in enumerate(items, 1):
        fields = Fields(source, item, f"{what} {index}")
        name = fields.required("role")
        content = fields.text("content")
        if content is None and "content" not in fields.entries:
            raise source.error(f"{what} {index} has no content", item.line, hint="add content:")
        messages.append(Message(role=role_of(source, name, find(item, ("role",))), content=content or ""))
        fields.report_unknown()
    return tuple(messages)


def role_of(source: Source, name: str, node: Node) -> Role:
    """Returns a role by its name, in any case."""
    try:
        return Role(name.lower())
    except ValueError:
        raise source.error(
            f"unknown role {shown(name)}", node.line, node.column, hint=did_you_mean(name, Role)
        ) from None


def parameters_of(fields: Fields | None, names: Mapping[str, str]) -> dict[str, JsonValue]:
    """Returns model parameters by our names. ``names`` maps the format's names to ours; others are reported."""
    if fields is None:
        return {}
    found: dict[str, JsonValue] = {}
    for theirs, ours in names.items():
        node = fields.take(theirs)
        if node is not None:
            value = _parameter(fields, theirs, ours, node)
            if found.setdefault(ours, value) is not value:
                fields.leave_unread(theirs)
    fields.report_unknown()
    return found


def _parameter(fields: Fields, theirs: str, ours: str, node: Node) -> JsonValue:
    if ours in ("max_tokens", "top_k", "seed"):
        value: JsonValue = fields.integer(theirs)
    elif ours in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        value = fields.number(theirs)
    else:
        value = plain(node)
    try:
        Parameters.model_validate({ours: value})
    except ValueError as error:
        reason = getattr(error, "errors")(include_url=False)[0]["msg"]  # noqa: B009 - pydantic's, without importing it
        raise fields.source.error(
            f"{theirs} can't be {shown(node.text) if node.text is not None else node.kind}",
            node.line,
            node.column,
            hint=reason.replace("Input should", "it should"),
        ) from None
    return value


def front_matter(source: Source) -> tuple[Fields | None, str, int]:
    """Splits a text file into its front matter, its body, and the number of the body's first line.

    A front matter is a map between a first line ``---`` and the next such line.
    """
    match = _FENCE.match(source.text)
    if match is None:
        return None, source.text, source.first_line
    matter = Source(source.path, match["matter"], failure=source.failure, first_line=2)
    root = read_yaml(matter)
    source.warnings += matter.warnings
    if root.value is None:
        fields = None
    elif isinstance(root.value, dict):
        fields = Fields(source, root, "the front matter")
    else:
        raise source.error(
            f"the text between the first two --- lines is {root.kind}, not a front matter",
            root.line,
            hint="write key: value lines there, or start the file with an empty line",
        )
    return fields, source.text[match.end() :], 1 + source.text[: match.end()].count("\n")
