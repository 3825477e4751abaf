"""Files of one tree with some of them replaced, and which of them a reader asked for and found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Overlay(Mapping[str, bytes]):
    """The files, with ``changed`` ones replaced. ``asked`` collects the paths that were looked for and are there."""

    def __init__(self, files: Mapping[str, bytes], changed: Mapping[str, bytes]) -> None:
        self._files = files
        self._changed = changed
        self.asked: dict[str, None] = {}

    def __getitem__(self, path: str) -> bytes:
        content = self._changed[path] if path in self._changed else self._files[path]
        self.asked[path] = None
        return content

    def __contains__(self, path: object) -> bool:
        there = path in self._changed or path in self._files
        if there and isinstance(path, str):
            self.asked[path] = None
        return there

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._files, *self._changed)))

    def __len__(self) -> int:
        return len(list(iter(self)))
