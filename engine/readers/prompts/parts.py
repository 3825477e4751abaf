"""Shared parts of the prompt formats: messages, parameters, front matter, the top of a YAML file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache

from pydantic import JsonValue

from engine.readers import handlebars
from engine.readers.bounded import Source, did_you_mean, shown, source_of
from engine.readers.dialects import PATTERNS, helpers_of
from engine.readers.jinja import MAX_TOKENS, excess_line
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Fields, Node, find, plain
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import SourceError
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Role

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
    data = blobs.get(path)
    return None if data is None else _top_level(path, data)


@lru_cache(maxsize=4)
def _top_level(path: str, data: bytes) -> Node | None:
    """Several readers ask in turn; the document is parsed once."""
    try:
        return document(source_of(path, data))
    except SourceError:
        return None


def messages_of(source: Source, items: list[Node], what: str) -> tuple[Message, ...]:
    """Returns a list of ``{role, content}``. Raises for roles that can't be sent, and for content that is not text."""
    messages = []
    for index, item in enumerate(items, 1):
        fields = Fields(source, item, f"{what} {index}")
        name = fields.required("role")
        if "content" not in fields.entries:
            raise source.error(f"{what} {index} has no content", item.line, hint="add content:")
        content = content_of(fields, f"{what} {index}")
        messages.append(Message(role=role_of(source, name, find(item, ("role",))), content=content))
        fields.report_unknown()
    return tuple(messages)


def content_of(fields: Fields, what: str) -> str:
    """Returns a message's ``content``: a text, or parts of type text, which are joined by line breaks."""
    node = fields.take("content")
    if node is None or not isinstance(node.value, list):
        return fields.text("content") or ""
    texts = []
    for number, item in enumerate(node.value, 1):
        if item.text is not None:
            texts.append(item.text)
            continue
        part = Fields(fields.source, item, f"part {number} of {what}")
        kind = part.text("type") or ("text" if "text" in part else "unknown")
        if kind not in ("text", "input_text"):
            raise fields.source.error(
                f"part {number} of {what} is {shown(kind)}: only text can be sent",
                item.line,
                hint="remove it, or write it as text",
            )
        texts.append(part.required("text"))
        part.report_unknown()
    return "\n".join(texts)


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
    matter = Source(source.path, match["matter"], failure=source.failure, first_line=source.first_line + 1)
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
    return fields, source.text[match.end() :], source.first_line + source.text[: match.end()].count("\n")


class OpenReader(ABC):
    """A reader of a format that leaves open how variables are written: the configuration may say it."""

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Raises SourceError."""
        return self.read_as(path, blobs, None)

    @abstractmethod
    def read_as(self, path: str, blobs: Blobs, template: Dialect | None) -> PromptFile:
        """Returns the prompt in the language ``template``; ``None``: as its text tells. Raises SourceError."""


def check_template(source: Source, prompt: PromptFile, first_line: int | None = None) -> None:
    """Raises SourceError for a template that can't be filled in, as far as its text alone tells.

    ``first_line`` is where the prompt's one message starts; by default each message is looked for in the file.
    """
    for message in prompt.messages:
        check_size(source, message.content, prompt.dialect)
        found = _mistake(message.content, prompt)
        if found is not None:
            start = first_line or _line_of(source, message.content)
            raise source.error(found.what, start + found.line - 1, hint=_HINTS.get(prompt.dialect))


def check_size(source: Source, text: str, dialect: Dialect) -> None:
    """Raises SourceError for a Jinja template that is too long to be parsed. ``text`` is from the file ``source``."""
    line = excess_line(text) if dialect is Dialect.JINJA else None
    if line is not None:
        what = f"this template has more than {MAX_TOKENS:,} tokens of Jinja"
        raise source.error(what, _line_of(source, text) + line - 1, hint="pass long texts as an input")


_HINTS = {
    Dialect.GO: "write {{.name}} alone, or set template: for another template language",
    Dialect.KERNEL: "write {{$name}} alone",
    Dialect.FSTRING: "write {name} for a variable, and {{ or }} for a brace",
    Dialect.HANDLEBARS: "fix the tag, or set template: for another template language",
}
_TAG = re.compile(r"\{\{[^{}]*\}\}")


def _mistake(text: str, prompt: PromptFile) -> handlebars.Mistake | None:
    if prompt.dialect in (Dialect.HANDLEBARS, Dialect.MUSTACHE):
        return handlebars.mistake(text, helpers_of(prompt))
    if prompt.dialect in (Dialect.GO, Dialect.KERNEL):
        unknown = (tag for tag in _TAG.finditer(text) if not PATTERNS[prompt.dialect].fullmatch(tag[0]))
        for tag in unknown:
            what = f"{shown(' '.join(tag[0].split()))} can't be filled in: only variables are"
            return handlebars.Mistake(what, text.count("\n", 0, tag.start()) + 1)
    if prompt.dialect is Dialect.FSTRING:
        rest = PATTERNS[Dialect.FSTRING].sub(lambda match: "\n" * match[0].count("\n"), text)
        if (brace := re.search(r"[{}]", rest)) is not None:
            return handlebars.Mistake("a brace is no variable and no escape", rest.count("\n", 0, brace.start()) + 1)
    return None


def _line_of(source: Source, text: str) -> int:
    """Returns the line of the file where a text starts; the first where it stands there in other words."""
    lines = text.strip().split("\n", 1)
    at = source.text.find(lines[0].strip()) if lines[0].strip() else -1
    return source.text.count("\n", 0, at) + source.first_line if at >= 0 else source.first_line
