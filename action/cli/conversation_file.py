"""Where a conversation about a prompt is kept between two commands: in the repository's own folder of git, which is
never committed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from schemas.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from engine.improve.conversation import Conversation


class ConversationFile:
    """The file of one prompt. A file that can't be read counts as missing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Conversation | None:
        """Returns the conversation of the last command."""
        from engine.improve.conversation import Conversation

        with suppress(OSError, ValueError):
            return Conversation.model_validate_json(self._path.read_bytes())
        return None

    def write(self, conversation: Conversation) -> None:
        """Replaces the file in one step. Raises StoreError."""
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(conversation.model_dump_json(), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            raise StoreError(f"the conversation can't be saved: {error.strerror}", where=str(self._path)) from error
