"""What reading a test set needs of a tree or folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from engine.readers.bounded import shown
from engine.readers.file_patterns import matches
from schemas.errors import SourceError


class TestFiles(Protocol):
    """The files of one tree or folder."""

    def fetch(self, paths: Iterable[str]) -> None:
        """Reads files that will be asked for, all at once where that is faster. They needn't exist."""
        ...

    def content(self, path: str) -> bytes:
        """Returns a file's content. Raises SourceError or UsageError if it can't be read or doesn't exist."""
        ...

    def matching(self, pattern: str) -> Sequence[str]:
        """Returns the paths that match a pattern, sorted."""
        ...

    def exists(self, path: str) -> bool:
        """Returns whether anything is at ``path``, be it unreadable."""
        ...


class GivenFiles:
    """Files that are in memory."""

    def __init__(self, blobs: Mapping[str, bytes]) -> None:
        self._blobs = blobs

    def fetch(self, paths: Iterable[str]) -> None:
        """Does nothing."""

    def content(self, path: str) -> bytes:
        """Returns a file's content. Raises SourceError if it isn't there."""
        if not self.exists(path):
            raise SourceError("this file doesn't exist", where=shown(path, 4096), hint="check the path")
        return self._blobs[path]

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Returns the paths that match a pattern, sorted."""
        return tuple(sorted(path for path in self._blobs if matches(pattern, path)))

    def exists(self, path: str) -> bool:
        """Returns whether the file is there."""
        return path in self._blobs
