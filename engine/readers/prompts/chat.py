"""Chat JSON or YAML: a list of ``{role, content}``, or a JSON map with it under ``messages``."""

from __future__ import annotations

from engine.readers.bounded import Source
from engine.readers.nodes import Fields, Node
from engine.readers.prompts.parts import (
    YAML_SUFFIXES,
    Blobs,
    OpenReader,
    document,
    messages_of,
    parameters_of,
    prompt_source,
    top_level,
)
from engine.readers.prompts.plain import PARAMETERS, template_prompt
from schemas.prompts import Dialect, Parameters, PromptFile


class ChatReader(OpenReader):
    """Reads YAML and JSON files that are a list, and JSON files with ``messages``."""

    name = "chat"

    def recognizes(self, path: str, blobs: Blobs) -> bool:
        """Recognizes JSON by name and YAML by content."""
        if path not in blobs:
            return False
        if path.endswith(".json"):
            return True
        if not path.endswith(YAML_SUFFIXES):
            return False
        root = top_level(path, blobs)
        return root is not None and isinstance(root.value, list)

    def read_as(self, path: str, blobs: Blobs, template: Dialect | None) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        root = document(source)
        items = root.value
        about: dict[str, object] = {}
        if isinstance(items, dict) and "messages" in items:
            items, about = _request(source, root)
        if not isinstance(items, list):
            raise source.error(f"the file is {root.kind}, not a list of messages", 1, hint="write [{role, content}, …]")
        if not items:
            raise source.error("the list of messages is empty", 1, hint="add a message")
        prompt = template_prompt(
            source, path, self.name, messages_of(source, items, "message"), template=template, about=about
        )
        return prompt.model_copy(update={"unread": source.unread, "warnings": tuple(source.warnings)})


def _request(source: Source, root: Node) -> tuple[list[Node], dict[str, object]]:
    """Returns the messages of a map, and its other settings, which may stand beside them or under ``parameters``."""
    fields = Fields(source, root, "the prompt file")
    items = fields.items("messages")
    found: dict[str, object] = {
        "name": fields.text("name"),
        "description": fields.text("description"),
        "model": fields.text("model"),
    }
    beside = {key: value for key, value in fields.entries.items() if key in PARAMETERS}
    given = parameters_of(Fields(source, Node(root.line, root.column, beside), "the prompt file"), PARAMETERS)
    given |= parameters_of(fields.fields("parameters"), PARAMETERS)
    fields.ignore(*beside)
    fields.report_unknown()
    return items, {"parameters": Parameters.model_validate(given)} | {
        key: value for key, value in found.items() if value is not None
    }
