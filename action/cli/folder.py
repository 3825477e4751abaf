"""The user's folder, as readers of prompts and test sets see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from engine.readers.file_patterns import is_pattern, matches
from schemas.errors import UsageError


class Folder(Mapping[str, bytes]):
    """The regular files below a root, by path with slashes. Contents are read on access."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __getitem__(self, path: str) -> bytes:
        """Returns the content of a file. Raises KeyError if it doesn't exist."""
        if not self._is_there(path):
            raise KeyError(path)
        return (self.root / path).read_bytes()

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._is_there(path)

    def __iter__(self) -> Iterator[str]:
        return (found.relative_to(self.root).as_posix() for found in self.root.rglob("*") if found.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def fetch(self, paths: Iterable[str]) -> None:
        """Does nothing."""

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Returns the paths that match a pattern, sorted. Looks only below the folders before its first wildcard."""
        start = takewhile(lambda step: not is_pattern(step), pattern.split("/"))
        top = self.root.joinpath(*start)
        found = (each.relative_to(self.root).as_posix() for each in top.rglob("*") if each.is_file())
        return tuple(sorted(path for path in found if not path.startswith(".git/") and matches(pattern, path)))

    def exists(self, path: str) -> bool:
        """Returns whether there is such a file."""
        return path in self

    def content(self, path: str) -> bytes:
        """Returns the content of a file. Raises UsageError if it doesn't exist."""
        if path not in self:
            raise UsageError(f"{path} is not a file", hint="check the path")
        return self[path]

    def _is_there(self, path: str) -> bool:
        return "\0" not in path and (self.root / path).is_file()
