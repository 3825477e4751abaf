"""Reads plain files: Markdown, text and templates, with optional front matter (``model``, ``parameters``, ``role``).

The text is one message. Its role is the front matter's ``role``, else ``system`` for a file named ``system.*``, else
``user``. A lone system prompt gets the case's ``input`` as the user's message, because a model needs a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from engine.readers import guess
from engine.readers.bounded import Source
from engine.readers.dialects import variables_of
from engine.readers.nodes import Fields, find
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import (
    Blobs,
    OpenReader,
    check_template,
    front_matter,
    parameters_of,
    prompt_source,
    role_of,
)
from engine.readers.prompts.role_marks import ROLE_LINE
from schemas.prompts import INSTRUCTING, LIMIT_NAMES, LOGICAL, Dialect, Message, Parameters, PromptFile, Role

SUFFIXES = (".md", ".markdown", ".txt", *guess.SUFFIXES)
PARAMETERS = {
    name: name
    for name in Parameters.model_fields
    if name not in ("json_schema", "response_format", "tools", "reasoning", "extra")
} | dict.fromkeys(LIMIT_NAMES, "max_tokens")
_SYSTEM = re.compile(r"system(?:[_-](?:prompt|message|instructions?))?\.", re.IGNORECASE)


class PlainReader(OpenReader):
    """Reads ``*.md``, ``*.txt``, ``*.j2``, ``*.hbs`` and their like."""

    name = "plain"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return path.endswith(SUFFIXES) and path in blobs

    def read_as(self, path: str, blobs: Blobs, template: Dialect | None) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        message, fields = plain_message(source, default_role(path))
        prompt = template_prompt(source, path, self.name, (message,), template=template, about=settings(fields))
        if len(ROLE_LINE.findall(message.content)) > 1 and ROLE_LINE.match(message.content.lstrip()):
            source.warn("lines that name a role are sent as text", hint="end the file's name in .prompty or .jinja2")
        if prompt.dialect in LOGICAL:
            prompt = included(prompt, source, blobs)
        if message.role in INSTRUCTING and guess.INPUT not in variables_of(prompt):
            prompt = guess.with_question(prompt)
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def default_role(path: str) -> Role:
    """Returns the role by the file's name: ``system.md`` and ``system_prompt.txt`` have the system's."""
    return Role.SYSTEM if _SYSTEM.match(PurePosixPath(path).name) else Role.USER


def template_prompt(
    source: Source,
    path: str,
    name: str,
    messages: tuple[Message, ...],
    *,
    template: Dialect | None,
    about: Mapping[str, object],
) -> PromptFile:
    """Returns a prompt of a format that leaves the template language open. Raises SourceError for a broken template.

    ``name`` is the format's, and ``about`` holds other fields of PromptFile.
    """
    text = "\n".join(message.content for message in messages)
    dialect = template or guess.dialect_of(source.path, text)
    guessed = template is None and not source.path.endswith(tuple(guess.SUFFIXES))
    prompt = PromptFile.model_validate(
        {"path": path, "format": name, "dialect": dialect, "messages": messages, "guessed": guessed, **about}
    )
    check_template(source, prompt)
    return prompt


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
