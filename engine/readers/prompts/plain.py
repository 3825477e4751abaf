"""Reads plain files: Markdown, text and Jinja, with optional front matter (``model``, ``parameters``, ``role``).

The text is one message. Its role is the front matter's ``role``, else ``system`` for a file named ``system.*``, else
``user``. A lone system prompt gets the case's ``input`` as the user's message, because a model needs a question.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import PurePosixPath

from engine.readers.bounded import Source
from engine.readers.dialects import GITHUB_VARIABLE, parses, variables_of
from engine.readers.nodes import Fields, find
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, front_matter, parameters_of, prompt_source, role_of
from schemas.prompts import LIMIT_NAMES, Dialect, Message, Parameters, PromptFile, Role

JINJA_SUFFIXES = (".j2", ".jinja", ".jinja2")
SUFFIXES = (".md", ".markdown", ".txt", *JINJA_SUFFIXES)
PARAMETERS = {
    name: name
    for name in Parameters.model_fields
    if name not in ("json_schema", "response_format", "tools", "reasoning", "extra")
} | dict.fromkeys(LIMIT_NAMES, "max_tokens")
_LOGIC = re.compile(r"\{%[-+]?\s*[a-z]|\{\{-?\s*\w+\s*[.|(\[]")
"""Syntax that only Jinja has. A bare ``{{ name }}`` is filled in the same way without it."""
_OUTPUT = re.compile(r"\{\{(?:(?!\{\{|\}\}).)*\}\}", re.DOTALL)
MAX_OUTPUTS = 200
"""Most outputs of one text that are inspected."""


class PlainReader:
    """Reads ``*.md``, ``*.txt``, ``*.j2``, ``*.jinja``."""

    name = "plain"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return path.endswith(SUFFIXES) and path in blobs

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        message, fields = plain_message(source, default_role(path))
        dialect = dialect_of(path, message.content)
        prompt = PromptFile(path=path, format=self.name, dialect=dialect, messages=(message,), **settings(fields))
        if dialect is Dialect.JINJA:
            prompt = included(prompt, source, blobs)
        if message.role is Role.SYSTEM and "input" not in variables_of(prompt):
            asked = Message(role=Role.USER, content="{{ input }}")
            prompt = prompt.model_copy(update={"messages": (message, asked)})
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def default_role(path: str) -> Role:
    """Returns the role by the file's name: ``system.md`` has the system's."""
    return Role.SYSTEM if PurePosixPath(path).name.split(".")[0].lower() == "system" else Role.USER


def dialect_of(path: str, text: str) -> Dialect:
    """Returns Jinja by name or content, else plain ``{{ name }}``.

    Other text in double braces is Jinja if Jinja can parse it: ``{{ a if b }}`` is, ``{{"a": 1}}`` isn't.
    """
    if path.endswith(JINJA_SUFFIXES) or _LOGIC.search(text):
        return Dialect.JINJA
    outputs = dict.fromkeys(text for text in _OUTPUT.findall(text) if not GITHUB_VARIABLE.fullmatch(text))
    return Dialect.JINJA if any(map(parses, islice(outputs, MAX_OUTPUTS))) else Dialect.GITHUB


def plain_message(source: Source, role: Role) -> tuple[Message, Fields | None]:
    """Returns the body as a message, without surrounding blank lines, and the front matter."""
    fields, body, line = front_matter(source)
    if fields is not None and (name := fields.text("role")) is not None:
        role = role_of(source, name, find(fields.node, ("role",)))
    if not body.strip():
        raise source.error("the prompt is empty", line, hint="write the instructions for the model")
    return Message(role=role, content=body.strip("\n")), fields


def settings(fields: Fields | None) -> dict[str, object]:
    """Returns the settings of a front matter, other than the role, as fields of PromptFile."""
    if fields is None:
        return {}
    parameters = parameters_of(fields.fields("parameters"), PARAMETERS)
    found: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "model": fields.text("model"),
        "parameters": Parameters.model_validate(parameters) if parameters else None,
    }
    fields.report_unknown()
    return {key: value for key, value in found.items() if value is not None}
