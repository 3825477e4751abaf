"""Chat JSON or YAML: a list of ``{role, content}``, with ``{{name}}`` for variables."""

from __future__ import annotations

from engine.readers.prompts.parts import YAML_SUFFIXES, Blobs, document, messages_of, prompt_source, top_level
from schemas.prompts import Dialect, PromptFile


class ChatReader:
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

    def read(self, path: str, blobs: Blobs) -> PromptFile:
        """Reads the prompt. Raises SourceError."""
        source = prompt_source(path, blobs)
        root = document(source)
        if not isinstance(root.value, list):
            raise source.error(f"the file is {root.kind}, not a list of messages", 1, hint="write [{role, content}, …]")
        if not root.value:
            raise source.error("the list of messages is empty", 1, hint="add a message")
        messages = messages_of(source, root.value, "message")
        return PromptFile(
            path=path,
            format=self.name,
            dialect=Dialect.GITHUB,
            messages=messages,
            unread=source.unread,
            warnings=tuple(source.warnings),
        )
