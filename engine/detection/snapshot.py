"""What a side holds that verdicts depend on, and which of it differs from the other side.

The rule that everything here serves: what is watched and differs by its blob is measured, explained by a named rule, or
held up for a person. A file that can't be read is watched like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from engine.detection.entries import Entry
from engine.detection.files import FOLDER, LINK, PAIRED, SUBMODULE, Files, below, folder_of
from engine.detection.sides import Changes
from engine.readers.bounded import MAX_BYTES
from engine.readers.prompts.partials import watched_partials
from engine.readers.prompts.plain import SUFFIXES
from schemas.config import LineageConfig
from schemas.trees import TreeEntry

PART_SUFFIXES = (*SUFFIXES, ".html", ".xml", ".yaml", ".yml", ".json")
"""Of files in a folder that is watched as a whole, because the name of an include is computed."""
MAX_DEPTH = 12
"""Levels of includes, and of links to links, that are followed."""

Watched = Mapping[str, str]
"""What is watched, by path. A path that ends in ``/`` is a folder with every text that may be a part of a prompt."""


class Difference(NamedTuple):
    """Something watched that the two sides hold differently."""

    what: str
    """``prompt``, ``partial``, ``test set``, ``rubric``, ``people's grades`` or ``reference``."""
    before: TreeEntry | None
    after: TreeEntry | None

    @property
    def path(self) -> str:
        """Where it lies after the merge, or before it if it is gone."""
        side = self.after or self.before
        return side.path if side else ""

    @property
    def moved_only(self) -> bool:
        """Whether the content is the same at another path."""
        before, after = self.before, self.after
        return before is not None and after is not None and before.content == after.content


def made_of(prompts: Iterable[str], files: Files) -> dict[str, dict[str, str]]:
    """By prompt: every path that may be a part of it, there or not; partials and the targets of links included.

    It looks at texts only, so that prompts that can't be read are watched too. Reads a level of includes of all prompts
    at once.
    """
    found = {prompt: {prompt: "prompt"} for prompt in prompts}
    files.fetch(found)
    for prompt, parts in found.items():
        if folder_of(prompt) != prompt or prompt not in files:
            parts |= {below(folder_of(prompt), name): "prompt" for name in PAIRED}
    waiting = [(prompt, path) for prompt, parts in found.items() for path in parts]
    for _ in range(MAX_DEPTH):
        files.fetch(path for _, path in waiting)
        files.fetch(folder for _, path in waiting if files.entry(path) is None and (folder := path.rpartition("/")[0]))
        following: list[tuple[str, str]] = []
        for prompt, path in waiting:
            parts = found[prompt]
            for part, what in _leads_to(prompt, path, parts[path], files).items():
                if part not in parts:
                    parts[part] = what
                    following.append((prompt, part))
        waiting = following
        if not waiting:
            break
    return found


def _leads_to(prompt: str, path: str, what: str, files: Files) -> dict[str, str]:
    """Returns what the file at ``path`` brings into the prompt, or what has to be watched in its stead."""
    entry = files.entry(path)
    if entry is None:
        return _behind(path, what, files)
    if entry.mode in (FOLDER, SUBMODULE) or (entry.size or 0) > MAX_BYTES:
        return {}
    if entry.mode == LINK:
        target = _target(path, files.link(path))
        return {} if target is None else {target: "prompt", f"{target}/": "prompt"}
    raw = files.get(path, b"")
    if b"{%" not in raw:
        return {}
    return dict.fromkeys(watched_partials(prompt, raw.decode("utf-8", "replace")), "partial")


def _behind(path: str, what: str, files: Files) -> dict[str, str]:
    """The link or submodule behind which a path lies, and the path that the link makes of it."""
    above = files.barrier(path)
    if above is None:
        return {}
    target = _target(above.path, files.link(above.path)) if above.mode == LINK else None
    return {above.path: what} | ({} if target is None else {target + path[len(above.path) :]: what})


def _target(link: str, target: str) -> str | None:
    """Returns the path in the tree that a link leads to; ``None`` outside of it."""
    if target.startswith("/"):
        return None
    steps = link.split("/")[:-1]
    for step in target.split("/"):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps) or None


def configured_paths(entry: Entry, lineage: LineageConfig) -> dict[str, str]:
    """The other files that the configuration names for a lineage, by path in the repository."""
    named = {
        lineage.tests: "test set",
        lineage.rubric: "rubric",
        lineage.judge and lineage.judge.labels: "people's grades",
    }
    return {below(entry.root, path): what for path, what in named.items() if path}


def differences(watched: Watched, changes: Changes) -> tuple[Difference, ...]:
    """Everything watched that differs between the sides, by path."""
    folders = [path for path in watched if path.endswith("/")]
    if watched.keys().isdisjoint(changes.touched) and not any(changes.touches(path[:-1]) for path in folders):
        return ()
    found = []
    for change in changes.all:
        paths = [side.path for side in (change.before, change.after) if side]
        what = next((watched[path] for path in paths if path in watched), None)
        what = what or next((watched[folder] for folder in folders for path in paths if _inside(folder, path)), None)
        if what is not None:
            found.append(Difference(what, change.before, change.after))
    return tuple(found)


def _inside(folder: str, path: str) -> bool:
    return path.startswith(folder.lstrip("/")) and path.endswith(PART_SUFFIXES)
