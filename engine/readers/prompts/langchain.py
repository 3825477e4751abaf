"""LangChain's prompts as JSON or YAML: ``_type: prompt``, ``few_shot`` and ``chat``, and the serialized ``lc`` form."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from pydantic import JsonValue

from engine.readers.bounded import Source, inside, shown
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Fields, Node, find, plain
from engine.readers.prompts.parts import YAML_SUFFIXES, Blobs, check_template, document, prompt_source, top_level
from engine.readers.yaml_nodes import read_yaml
from schemas.prompts import Dialect, Message, PromptFile, Role

LANGUAGES = {"f-string": Dialect.FSTRING, "jinja2": Dialect.JINJA, "mustache": Dialect.MUSTACHE}
_FILE = re.compile(r"(?:_path|examples)[\"']?[ \t]*:[ \t]*[\"']?([\w./ -]+\.(?:txt|json|ya?ml))\b")
TYPES = ("prompt", "few_shot", "chat")
ROLES = {
    "SystemMessagePromptTemplate": Role.SYSTEM,
    "HumanMessagePromptTemplate": Role.USER,
    "AIMessagePromptTemplate": Role.ASSISTANT,
    "SystemMessage": Role.SYSTEM,
    "HumanMessage": Role.USER,
    "AIMessage": Role.ASSISTANT,
}


def watched_files(path: str, text: str) -> frozenset[str]:
    """Returns every path that a prompt of LangChain may read, there or not. Never raises."""
    if not path.endswith((".json", *YAML_SUFFIXES)):
        return frozenset()
    folder = path.rpartition("/")[0]
    named = {found[1].strip() for found in _FILE.finditer(text)}
    return frozenset(at for name in named for start in ("", folder) if (at := inside(start, name)))


class LangChainReader:
    """JSON or YAML maps with ``_type`` or ``lc``."""

    name = "langchain"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by content."""
        if not path.endswith((".json", *YAML_SUFFIXES)) or path not in blobs:
            return False
        root = top_level(path, blobs)
        if root is None or not isinstance(root.value, dict):
            return False
        kind = root.value.get("_type")
        return (
            "lc" in root.value
            or (kind is not None and kind.value in TYPES)
            or {"template", "input_variables"} <= root.value.keys()
        )

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        root = document(source)
        reading = _Reading(source, blobs, path.rpartition("/")[0])
        messages = tuple(reading.serialized(root) if "lc" in _map(source, root) else reading.messages(root))
        if not messages:
            raise source.error("the prompt has no messages", root.line, hint="add a message")
        prompt = PromptFile(
            path=path,
            format=self.name,
            dialect=reading.dialect or Dialect.FSTRING,
            messages=messages,
            defaults=reading.defaults,
            partials=tuple(sorted(reading.files)),
        )
        check_template(source, prompt)
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def _map(source: Source, node: Node) -> dict[str, Node]:
    return Fields(source, node, "the prompt file").entries


class _Reading:
    """One file while it is read: the language of its templates, and the values that it fills in itself."""

    def __init__(self, source: Source, blobs: Blobs, folder: str) -> None:
        self.source = source
        self.blobs = blobs
        self.folder = folder
        self.dialect: Dialect | None = None
        self.defaults: dict[str, JsonValue] = {}
        self.files: set[str] = set()

    def messages(self, root: Node) -> Iterator[Message]:
        """Yields the messages of a prompt with ``_type``."""
        fields = Fields(self.source, root, "the prompt file")
        kind = fields.text("_type") or "prompt"
        if kind == "chat":
            yield self._chat(fields)
        else:
            text = self._few_shot(fields) if kind == "few_shot" else self._template(fields)
            yield Message(role=Role.USER, content=text)
        fields.report_unknown()

    def _about(self, fields: Fields) -> None:
        """Reads what every template says about itself."""
        fields.ignore(
            "input_variables", "validate_template", "input_types", "metadata", "tags", "name", "optional_variables"
        )
        parser = fields.take("output_parser")
        if parser is not None:
            fields.leave_unread("output_parser")
        node = fields.take("partial_variables")
        value = plain(node) if node is not None else {}
        if isinstance(value, dict):
            self.defaults |= value
        name = fields.text("template_format") or "f-string"
        node = find(fields.node, ("template_format",))
        if name not in LANGUAGES:
            raise self.source.error(
                f"unknown template language {shown(name)}", node.line, hint=f"known: {', '.join(LANGUAGES)}"
            )
        if self.dialect not in (None, LANGUAGES[name]):
            raise self.source.error("the templates are of different languages", node.line, hint="use one of them")
        self.dialect = LANGUAGES[name]

    def _template(self, fields: Fields, key: str = "template") -> str:
        self._about(fields)
        text = self._text(fields, key)
        if text is None:
            raise self.source.error(f"{fields.what} has no {key}", fields.node.line, hint=f"add {key}:")
        return text

    def _text(self, fields: Fields, key: str) -> str | None:
        """Returns a text, or the content of the file that ``…_path`` names."""
        text = fields.text(key)
        path = fields.text(f"{key}_path")
        return text if path is None else self._file(path, fields, f"{key}_path").text

    def _file(self, path: str, fields: Fields, key: str) -> Source:
        node = find(fields.node, (key,))
        for at in (inside("", path), inside(self.folder, path)):
            if at is not None and at in self.blobs:
                self.files.add(at)
                return prompt_source(at, self.blobs)
        raise self.source.error(
            f"{key}: there is no file {shown(path)}", node.line, hint="name a file of this repository"
        )

    def _few_shot(self, fields: Fields) -> str:
        """Returns prefix, examples and suffix. LangChain fills in the examples, and then the whole once more."""
        self._about(fields)
        fields.ignore("example_selector")
        separator = fields.text("example_separator")
        prefix, suffix = self._text(fields, "prefix"), self._text(fields, "suffix")
        node = fields.take("example_prompt")
        path = fields.text("example_prompt_path")
        if path is not None:
            held = self._file(path, fields, "example_prompt_path")
            node = read_json(held) if held.path.endswith(".json") else read_yaml(held)
        if node is None:
            raise self.source.error("there is no example_prompt", fields.node.line, hint="add example_prompt:")
        template = self._template(Fields(self.source, node, "example_prompt"))
        if self.dialect is not Dialect.FSTRING:
            raise self.source.error(
                "examples are read in f-strings only", node.line, hint="use template_format: f-string"
            )
        examples = [self._example(template, item, node) for item in self._examples(fields)]
        pieces = [prefix, *examples, suffix]
        return ("\n\n" if separator is None else separator).join(piece for piece in pieces if piece)

    def _examples(self, fields: Fields) -> list[Node]:
        node = fields.take("examples")
        if node is not None and node.text is not None:
            held = self._file(node.text, fields, "examples")
            node = read_json(held) if held.path.endswith(".json") else read_yaml(held)
        if node is None or not isinstance(node.value, list):
            raise self.source.error("examples is not a list", fields.node.line, hint="write examples: [{…}]")
        return node.value

    def _example(self, template: str, item: Node, at: Node) -> str:
        values = plain(item)
        if not isinstance(values, dict):
            raise self.source.error(f"an example is {item.kind}", item.line, hint="write it as a map")
        try:
            return _Strict().vformat(template, (), {name: str(value) for name, value in values.items()})
        except (ValueError, KeyError, IndexError, AttributeError) as error:
            what = f"an example can't be filled in: {shown(' '.join(str(error).split()))}"
            raise self.source.error(what, at.line, hint="give each example a value for every variable") from None

    def _chat(self, fields: Fields) -> Message:
        """Returns the first message, as the reference does. It reads no other."""
        items = fields.items("messages")
        if len(items) != 1:
            raise self.source.error(
                "LangChain reads one message of a chat prompt with _type",
                fields.node.line,
                hint="use the form that dumps() writes",
            )
        self._about(fields)
        message = Fields(self.source, items[0], "message 1")
        prompt = message.fields("prompt")
        if prompt is None:
            raise self.source.error("message 1 has no prompt", items[0].line, hint="add prompt: {template: …}")
        return Message(role=Role.USER, content=self._template(prompt))

    def serialized(self, node: Node) -> Iterator[Message]:
        """Yields the messages of an object that ``langchain_core.load.dumps`` wrote."""
        name, fields = self._constructor(node)
        match name:
            case "PromptTemplate":
                yield Message(role=Role.USER, content=self._template(fields))
            case "FewShotPromptTemplate":
                raise self.source.error(
                    f"{name} in this form is not read", node.line, hint="write it with _type: few_shot"
                )
            case "ChatPromptTemplate":
                self._about(fields)
                for item in fields.items("messages"):
                    yield from self._message(item)
            case _:
                raise self.source.error(
                    f"{shown(name)} is no prompt", node.line, hint="dump the prompt alone, without its model"
                )

    def _constructor(self, node: Node) -> tuple[str, Fields]:
        fields = Fields(self.source, node, "the object")
        identity = [item.text for item in fields.items("id")]
        kind, given = fields.text("type"), fields.fields("kwargs")
        if kind != "constructor" or given is None or not identity or identity[-1] is None:
            raise self.source.error(
                "this is no object that LangChain can load", node.line, hint="write it with dumps()"
            )
        given.what = identity[-1]
        return identity[-1], given

    def _message(self, node: Node) -> Iterator[Message]:
        name, fields = self._constructor(node)
        if name == "MessagesPlaceholder":
            variable = fields.text("variable_name")
            if plain(find(fields.node, ("optional",))) is not True:
                what = f"the messages {shown(variable or '')} are put in by the application: they can't be sent"
                raise self.source.error(what, node.line, hint="test the prompt without its history")
            return
        if name not in ROLES:
            raise self.source.error(f"a {shown(name)} can't be sent", node.line, hint=f"known: {', '.join(ROLES)}")
        prompt = fields.take("prompt")
        if prompt is None:
            content = fields.required("content")
            escaped = self.dialect is None or self.dialect is Dialect.FSTRING
            yield Message(
                role=ROLES[name], content=content.replace("{", "{{").replace("}", "}}") if escaped else content
            )
            return
        held = prompt.value if isinstance(prompt.value, list) else [prompt]
        texts = []
        for one in held:
            inner, template = self._constructor(one)
            if inner != "PromptTemplate":
                raise self.source.error(f"a {shown(inner)} can't be sent: only text is", one.line)
            texts.append(self._template(template))
        yield Message(role=ROLES[name], content="\n".join(texts))


class _Strict(string.Formatter):
    """Fills in names alone: no attributes, no indices, no formats."""

    def get_field(self, field_name: str, _: object, kwargs: object) -> tuple[object, str]:
        assert isinstance(kwargs, dict)
        return kwargs[field_name], field_name

    def format_field(self, value: object, format_spec: str) -> str:
        if format_spec:
            raise ValueError(f"the format {format_spec[:20]}")
        return str(value)
