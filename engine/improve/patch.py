"""Writes an edit into the prompt's file, as a patch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

from engine.prompt_edits import NotEditableError
from engine.prompt_edits.edit import Editing
from engine.test_edits.patches import header
from schemas.errors import SourceError
from schemas.prompts import Dialect, PromptFile
from schemas.references import whole


class FileEdit(NamedTuple):
    """A file of a prompt, before and after an edit."""

    path: str
    before: bytes
    after: bytes

    @property
    def patch(self) -> str:
        """The difference as ``git apply`` reads it."""
        return unified(self.path, self.before.decode(), self.after.decode())


def file_edit(
    files: Mapping[str, bytes], before: PromptFile, after: PromptFile, template: Dialect | None
) -> FileEdit | None:
    """Returns the file that makes ``after`` of ``before``; ``None`` if no edit of the file is sure to.

    ``files`` holds the contents of the tree by path. Code and keys of documents are left to a person.
    """
    if before.origins or before.path not in files:
        return None
    try:
        editing = Editing(whole(before.path), files, template)
        for index, (was, now) in enumerate(zip(before.messages, after.messages, strict=True)):
            if was != now:
                editing.set_text(index, now.content)
    except (SourceError, NotEditableError):
        return None
    if len(editing.changed) != 1:
        return None
    ((path, new),) = editing.changed.items()
    return FileEdit(path, files[path], new)


def unified(path: str, old: str, new: str) -> str:
    """Returns the difference as ``git apply`` reads it."""
    before, after = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (old, new))
    hunks = islice(difflib.unified_diff(before, after), 2, None)  # without its names, which git would have to guess
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in hunks)
    return header(path) + "".join(ended)
