"""Semantic Kernel: a folder with ``skprompt.txt`` and, beside it, ``config.json``.

``{{$name}}`` is a variable. A call of a function (``{{time.now}}``) is refused: what it returns isn't known here.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pydantic import JsonValue

from engine.readers.bounded import Source, shown
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Fields, find, plain
from engine.readers.prompts.parts import Blobs, check_template, parameters_of, prompt_source
from schemas.prompts import LIMIT_NAMES, Dialect, Message, Parameters, PromptFile, Role

PROMPT, CONFIG = "skprompt.txt", "config.json"
PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "stop": "stop",
    "stop_sequences": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
} | dict.fromkeys(LIMIT_NAMES, "max_tokens")
LANGUAGES = {"semantic-kernel": Dialect.KERNEL, "handlebars": Dialect.HANDLEBARS, "jinja2": Dialect.JINJA}
_MESSAGE = re.compile(
    r"<message\s+role=[\"'](?P<role>\w+)[\"']\s*>(?P<content>(?:(?!</?message\b).)*+)</message>", re.DOTALL
)
_CONSTANT = re.compile(r"\{\{\s*(?:\"([^\"{}]*)\"|'([^'{}]*)')\s*\}\}")


class KernelReader:
    """``skprompt.txt``, or the folder that holds it."""

    name = "semantic-kernel"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes the file by name."""
        return str(_folder(path) / PROMPT) in blobs

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        at = str(_folder(path) / PROMPT)
        source = prompt_source(at, blobs)
        if not source.text.strip():
            raise source.error("the prompt is empty", 1, hint="write what the model should do")
        about: dict[str, object] = {}
        settings = _folder(path) / CONFIG
        if str(settings) in blobs:
            config = prompt_source(str(settings), blobs)
            about = _config(config, Fields(config, read_json(config), CONFIG))
            source.warnings += config.warnings
            source.unread |= config.unread
        prompt = PromptFile.model_validate(
            {
                "path": path if path != at else at,
                "format": self.name,
                "dialect": Dialect.KERNEL,
                "messages": (Message(role=Role.USER, content=source.text),),
                **about,
            }
        )
        check_template(source, prompt if prompt.dialect is not Dialect.KERNEL else _without_constants(prompt), 1)
        messages = _messages(source)
        if prompt.dialect is Dialect.KERNEL:
            messages = tuple(Message(role=one.role, content=_constants(one.content)) for one in messages)
        return prompt.model_copy(
            update={"messages": messages, "unread": source.unread, "warnings": tuple(source.warnings)}
        )


def _folder(path: str) -> PurePosixPath:
    at = PurePosixPath(path)
    return at.parent if at.name == PROMPT else at


def _constants(text: str) -> str:
    """Returns the text with ``{{'a constant'}}`` filled in: it is how this language writes braces and quotes."""
    return _CONSTANT.sub(lambda match: match[1] if match[1] is not None else match[2], text)


def _without_constants(prompt: PromptFile) -> PromptFile:
    message = prompt.messages[0]
    kept = message.model_copy(update={"content": _constants(message.content)})
    return prompt.model_copy(update={"messages": (kept,)})


def _messages(source: Source) -> tuple[Message, ...]:
    """Returns what ``<message role="…">`` tags say; without them, the text is the user's.

    Text between the tags is the system's before the first one, and the user's after it.
    """
    found: list[tuple[str, str, int]] = []
    at = 0
    for tag in _MESSAGE.finditer(source.text):
        found.append(("user" if at else "system", source.text[at : tag.start()], at))
        found.append((tag["role"].lower(), tag["content"], tag.start()))
        at = tag.end()
    if not at:
        return (Message(role=Role.USER, content=source.text.strip()),)
    found.append(("user", source.text[at:], at))
    messages = []
    for role, text, start in found:
        if not text.strip():
            continue
        if role not in tuple(Role):
            line = source.text.count("\n", 0, start) + 1
            raise source.error(
                f"a message of the role {shown(role)} can't be sent", line, hint="use system, user, assistant"
            )
        messages.append(Message(role=Role(role), content=text.strip()))
    return tuple(messages)


def _config(source: Source, fields: Fields) -> dict[str, object]:
    """Returns what ``config.json`` says, as fields of PromptFile."""
    fields.ignore("schema", "type", "allow_dangerously_set_content")
    language = fields.text("template_format")
    if language is not None and language not in LANGUAGES:
        node = find(fields.node, ("template_format",))
        raise source.error(
            f"unknown template language {shown(language)}", node.line, hint=f"known: {', '.join(LANGUAGES)}"
        )
    settings, name = _settings(fields)
    found: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "model": name,
        "dialect": LANGUAGES[language] if language else None,
        "parameters": Parameters.model_validate(parameters_of(settings, PARAMETERS)),
        "defaults": _defaults(fields),
    }
    fields.report_unknown()
    return {key: value for key, value in found.items() if value is not None}


def _settings(fields: Fields) -> tuple[Fields | None, str | None]:
    """Returns the settings of the default service, else of the first one, or the older ``completion``."""
    given = fields.fields("execution_settings")
    older = fields.fields("completion")
    if given is None or not given.entries:
        return older, None
    service = "default" if "default" in given else next(iter(given.entries))
    chosen = given.fields(service)
    for other in given.entries:
        if other != service:
            given.leave_unread(other)
    if chosen is None:
        return None, None
    chosen.ignore("service_id", "extension_data", "function_choice_behavior")
    return chosen, chosen.text("model_id") or chosen.text("ai_model_id")


def _defaults(fields: Fields) -> dict[str, JsonValue]:
    items = fields.items("input_variables")
    older = fields.fields("input")
    if older is not None:
        items = [*items, *older.items("parameters")]
    found: dict[str, JsonValue] = {}
    for number, item in enumerate(items, 1):
        one = Fields(fields.source, item, f"input variable {number}")
        default = one.take("default") or one.take("defaultValue")
        if default is not None and default.value != "":
            found[one.required("name")] = plain(default)
    return found
