"""dotprompt's ``.prompt`` (google/dotprompt): Handlebars with helpers such as ``{{role}}`` and ``{{#ifEquals}}``.

Pictures (``{{media}}``) and sections are refused: only text is sent.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

from engine.readers import handlebars
from engine.readers.bounded import Source
from engine.readers.nodes import Fields, plain
from engine.readers.prompts.partials import included
from engine.readers.prompts.parts import Blobs, check_template, front_matter, parameters_of, prompt_source
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Role, RoleSyntax

PARAMETERS = {
    "temperature": "temperature",
    "maxOutputTokens": "max_tokens",
    "topP": "top_p",
    "topK": "top_k",
    "stopSequences": "stop",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "seed": "seed",
}
_ABOVE = re.compile(r"(?:#[^\n]*\n|[ \t]*\n)++(?=---[ \t]*\n)")
"""Comments and blank lines may stand above the front matter."""


class DotpromptReader:
    """``*.prompt``."""

    name = "dotprompt"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return path.endswith(".prompt") and path in blobs

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        if above := _ABOVE.match(source.text):
            lines = above[0].count("\n")
            source = Source(path, source.text[above.end() :], failure=source.failure, first_line=1 + lines)
        fields, body, line = front_matter(source)
        if not body.strip():
            raise source.error("the prompt is empty", line, hint="write what the model should do")
        line += body[: len(body) - len(body.lstrip())].count("\n")
        prompt = PromptFile.model_validate(
            {
                "path": path,
                "format": self.name,
                "dialect": Dialect.HANDLEBARS,
                "messages": (Message(role=Role.USER, content=body.strip()),),
                "roles": RoleSyntax.DOTPROMPT,
                **_settings(fields),
            }
        )
        check_template(source, prompt, line)
        for tag in handlebars.tags(prompt.messages[0].content):
            if tag.words[:1] in (("media",), ("section",)):
                raise source.error(f"{{{{{tag.words[0]}}}}} can't be sent: only text is", line + tag.line - 1)
        prompt = included(prompt, source, blobs)
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def _settings(fields: Fields | None) -> dict[str, object]:
    if fields is None:
        return {}
    fields.ignore("variant", "version", "metadata", *(key for key in fields.entries if "." in key))
    found: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "model": fields.text("model"),
        "parameters": Parameters.model_validate(parameters_of(fields.fields("config"), PARAMETERS)),
        "defaults": _defaults(fields),
    }
    _leave_output(fields)
    fields.report_unknown()
    return {key: value for key, value in found.items() if value is not None}


def _defaults(fields: Fields) -> dict[str, JsonValue]:
    given = fields.fields("input")
    if given is None:
        return {}
    given.ignore("schema")
    node = given.take("default")
    given.report_unknown()
    value = plain(node) if node is not None else {}
    if not isinstance(value, dict):
        raise fields.source.error("input.default is not a map", node.line if node else None, hint="write name: value")
    return value


def _leave_output(fields: Fields) -> None:
    """Notes the form of the answer as unread: what is sent of it depends on the application."""
    if fields.take("output") is not None:
        fields.leave_unread("output")
