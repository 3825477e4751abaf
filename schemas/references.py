"""The location of a prompt: a file, a folder, a constant or key in a file, or a place for each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from schemas.prompts import Role
from schemas.values import Value

T = TypeVar("T")


class PromptParts(Value):
    """A prompt whose parts are in different places."""

    system: str | None = None
    """The system message: a file, or ``file#name``."""
    user: str | None = None
    """The user message. By default, the case's ``input``."""

    def __str__(self) -> str:
        return ", ".join(f"{role}: {place}" for role, place in self.model_dump(exclude_none=True).items())


class Place(NamedTuple):
    """A file, a folder, or a part of a file."""

    path: str
    """In the repository, or relative to the configuration's folder."""
    key: str | None = None
    """The name of a constant or a key, after ``#``. ``None``: the whole file."""
    role: Role | None = None
    """The role of its message, if the configuration sets it."""

    def __str__(self) -> str:
        return self.path if self.key is None else f"{self.path}#{self.key}"


class Reference(NamedTuple):
    """The location of a lineage's prompt."""

    places: tuple[Place, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files, each once."""
        return tuple(dict.fromkeys(place.path for place in self.places))

    @property
    def file(self) -> str | None:
        """The file or folder that is the whole prompt, or ``None``."""
        (place, *others) = self.places
        return None if others or place.key is not None or place.role else place.path

    def with_paths(self, path_of: Callable[[str], str]) -> Reference:
        """Returns the reference with the same names in other files."""
        return Reference(tuple(place._replace(path=path_of(place.path)) for place in self.places))

    def moved(self, moves: Mapping[str, str]) -> Reference:
        """Returns the reference after renames of its files. Unchanged without any."""
        return self.with_paths(lambda path: moves.get(path, path))

    def holds_all_of(self, path: str) -> bool:
        """Returns whether all of one of the prompt's files is a part of it, not only a constant or key in it."""
        return self.file is not None or any(place.path == path and place.key is None for place in self.places)

    def __str__(self) -> str:
        return ", ".join(map(str, self.places))


def reference_of(prompt: str | PromptParts) -> Reference:
    """Returns the reference for ``prompt`` of a configuration, relative to the configuration's folder."""
    if isinstance(prompt, str):
        return Reference((_place(prompt, None),))
    parts = ((Role.SYSTEM, prompt.system), (Role.USER, prompt.user))
    return Reference(tuple(_place(text, role) for role, text in parts if text is not None))


def whole(path: str) -> Reference:
    """Returns the reference to all of a file or a folder, whatever signs its name has."""
    return Reference((Place(path),))


def renamed(written: T, moves: Mapping[str, str]) -> T | str | dict[str, object] | list[object]:
    """Returns what the configuration says for a path, a reference, or a map or list of them once files are renamed."""
    if isinstance(written, dict):
        return {part: renamed(place, moves) for part, place in written.items()}
    if isinstance(written, list):
        return [renamed(place, moves) for place in written]
    if not isinstance(written, str):
        return written
    path, sign, key = written.partition("#")
    return f"{moves.get(path, path)}{sign}{key}"


def _place(text: str, role: Role | None) -> Place:
    path, sign, key = text.partition("#")
    return Place(path, key if sign else None, role)
