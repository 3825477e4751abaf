"""Writes an edit into the prompt's file: only the text, and only where the edited file reads as exactly the edit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from engine.readers.guess import without_question
from engine.readers.prompts.registry import read_prompt
from schemas.errors import SourceError
from schemas.prompts import Dialect, PromptFile


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
    path = before.path
    if before.origins or path not in files:
        return None
    try:
        old = files[path].decode()
    except UnicodeDecodeError:
        return None
    new = old
    for was, now in zip(before.messages, after.messages, strict=True):
        if was != now:
            places = list(_edited(new, was.content, now.content))
            if len(places) != 1:  # nowhere, or in several places of which only one is the message
                return None
            new = places[0]
    try:
        read = read_prompt(path, _Overlay(files, path, new.encode()), template)
    except SourceError:
        return None
    if without_question(read).messages != without_question(after).messages:
        return None
    return FileEdit(path, old.encode(), new.encode())


class _Overlay(Mapping[str, bytes]):
    """The files, with one of them replaced."""

    def __init__(self, files: Mapping[str, bytes], path: str, content: bytes) -> None:
        self._files = files
        self._path = path
        self._content = content

    def __getitem__(self, path: str) -> bytes:
        return self._content if path == self._path else self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _edited(text: str, old: str, new: str) -> Iterator[str]:
    """Yields the text with ``new`` in each place of ``old``, which may be indented as a block."""
    lines, before, after = text.split("\n"), old.strip("\n").split("\n"), new.strip("\n").split("\n")
    found = False
    for start in range(len(lines) - len(before) + 1):
        indent = lines[start][: len(lines[start]) - len(before[0])]
        if not indent.strip() and _same(lines[start : start + len(before)], before, indent):
            found = True
            put = [indent + line if line else "" for line in after]
            yield "\n".join([*lines[:start], *put, *lines[start + len(before) :]])
    # A short text within a line, such as `content: "…"`.
    if not found and len(before) == len(after) == 1:
        at = text.find(before[0])
        while at >= 0:
            yield text[:at] + after[0] + text[at + len(before[0]) :]
            at = text.find(before[0], at + 1)


def _same(lines: Sequence[str], before: Sequence[str], indent: str) -> bool:
    return all(line == indent + own or not (line.strip() or own) for line, own in zip(lines, before, strict=True))


def unified(path: str, old: str, new: str) -> str:
    """Returns the difference as ``git apply`` reads it."""
    before, after = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (old, new))
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
