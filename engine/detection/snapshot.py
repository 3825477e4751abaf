"""The files on a side that verdicts depend on, and their differences from the other side.

Every difference in a watched file is either measured, explained by a named rule, or marked for review. Unreadable files
are watched too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.detection.entries import Entry
from engine.detection.files import FOLDER, LINK, PAIRED, SUBMODULE, Files, below, folder_of
from engine.detection.places import read_at
from engine.detection.sides import Changes
from engine.readers.bounded import MAX_BYTES, inside
from engine.readers.file_patterns import is_pattern, matches
from engine.readers.prompts.kernel import CONFIG as KERNEL_CONFIG
from engine.readers.prompts.kernel import PROMPT as KERNEL_PROMPT
from engine.readers.prompts.keys import KEYED_SUFFIXES
from engine.readers.prompts.langchain import watched_files
from engine.readers.prompts.partials import watched_partials
from engine.readers.prompts.plain import SUFFIXES
from engine.readers.prompts.references import CODE_SUFFIXES, package_instead_of
from schemas.config import LineageConfig
from schemas.prompts import PromptFile
from schemas.references import Reference
from schemas.trees import TreeEntry

PART_SUFFIXES = (*SUFFIXES, ".html", ".xml", ".yaml", ".yml", ".json")
"""Suffixes of files in a folder that is watched as a whole, because the name of an include is computed."""
MAX_DEPTH = 12
"""Levels of includes, and of links to links, that are followed."""

_NAMING = (b"\\", b"include", b"import", b"extends", b"_path", b"examples")
"""Text of a document without which nothing in it can name a partial unseen."""

PROMPT_AND_TESTS = "prompt and test set"
"""What a file is that holds both, such as a promptfoo configuration."""

Watched = Mapping[str, str]
"""Watched files by path or pattern. A path that ends in ``/`` is a folder; every text in it may be part of a prompt."""


class Difference(NamedTuple):
    """A watched file that differs between the two sides."""

    what: str
    """``prompt``, ``partial``, ``test set``, ``prompt and test set``, ``rubric``, ``people's grades``, ``scorer`` or
    ``reference``."""
    before: TreeEntry | None
    after: TreeEntry | None

    @property
    def path(self) -> str:
        """Its path after the merge, or before it if the file is gone."""
        side = self.after or self.before
        return side.path if side else ""

    @property
    def of_prompt(self) -> bool:
        """Whether it is the prompt's file or one that the prompt includes."""
        return self.what in ("prompt", "partial", PROMPT_AND_TESTS)

    @property
    def of_tests(self) -> bool:
        """Whether it is a file of the test set."""
        return self.what in ("test set", PROMPT_AND_TESTS)

    @property
    def moved_only(self) -> bool:
        """Whether the content is the same at another path."""
        before, after = self.before, self.after
        return before is not None and after is not None and before.content == after.content


def made_of(prompts: Iterable[Reference], files: Files) -> dict[Reference, dict[str, str]]:
    """Returns, by prompt, every path that may be part of it, whether or not it exists.

    Partials and the targets of links are included. It inspects raw text first, so unreadable prompts are watched too.
    It reads one level of includes of all prompts at a time.
    """
    prompts = dict.fromkeys(prompts)
    files.fetch(path for prompt in prompts for path in prompt.paths)
    found = {prompt: dict.fromkeys(_own_paths(prompt, files), "prompt") for prompt in prompts}
    waiting = [(prompt, path) for prompt, parts in found.items() for path in parts]
    # Bounded, because a pull request may hold a chain of any length.
    for _ in range(MAX_DEPTH):
        if not waiting:
            break
        files.fetch(path for _, path in waiting)
        # A missing path may lie behind a link, so the folder above it is looked up too.
        files.fetch(folder for _, path in waiting if files.entry(path) is None and (folder := path.rpartition("/")[0]))
        waiting = [(prompt, part) for prompt, path in waiting for part in _follow(prompt, path, found[prompt], files)]
    for prompt, parts in found.items():
        parts.update(dict.fromkeys(_unseen(prompt, parts, files), "partial"))
    return found


def _unseen(prompt: Reference, parts: Watched, files: Files) -> list[str]:
    """Returns the prompt's partials that its raw text doesn't name."""
    if not any(_may_hide_names(path, files) for path, what in parts.items() if what == "prompt"):
        return []
    read = read_at(files, prompt)
    return [name for name in read.partials if name not in parts] if isinstance(read, PromptFile) else []


def _may_hide_names(path: str, files: Files) -> bool:
    """Returns whether a text in the file may name a partial that its raw content doesn't: by escapes, or by code."""
    if path.endswith(CODE_SUFFIXES):
        return path in files
    return path.endswith(KEYED_SUFFIXES) and any(word in files.get(path, b"") for word in _NAMING)


def _own_paths(prompt: Reference, files: Files) -> tuple[str, ...]:
    """Returns the prompt's files, and those of a folder of files where it is one or may be one."""
    if prompt.file is None:
        return (*prompt.paths, *filter(None, map(package_instead_of, prompt.paths)))
    folder, name = folder_of(prompt.file), prompt.file.rpartition("/")[2]
    if name == KERNEL_PROMPT:
        return (prompt.file, below(prompt.file.rpartition("/")[0], KERNEL_CONFIG))
    if folder == prompt.file and prompt.file in files:
        return (prompt.file,)
    kernel = (KERNEL_PROMPT, KERNEL_CONFIG) if below(folder, KERNEL_PROMPT) in files else (KERNEL_PROMPT,)
    return (prompt.file, *(below(folder, each) for each in (*PAIRED, *kernel)))


def _follow(prompt: Reference, path: str, parts: dict[str, str], files: Files) -> list[str]:
    """Adds to ``parts`` what the file at ``path`` leads to. Returns the paths that are new."""
    led = _leads_to(prompt.paths[0], path, parts[path], files)
    new = [part for part in led if part not in parts]
    parts |= {part: led[part] for part in new}
    return new


def _leads_to(prompt: str, path: str, what: str, files: Files) -> dict[str, str]:
    """Returns the paths that the file at ``path`` includes, or that have to be watched in its place."""
    entry = files.entry(path)
    if entry is None:
        return _behind(path, what, files)
    # Their content isn't read here: readers refuse it, and the file itself stays watched.
    if entry.mode in (FOLDER, SUBMODULE) or (entry.size or 0) > MAX_BYTES:
        return {}
    if entry.mode == LINK:
        target = _target(path, files.link(path))
        # The target may be a file or a folder, depending on the commit, so both are watched.
        return {} if target is None else {target: "prompt", f"{target}/": "prompt"}
    raw = files.get(path, b"")
    text = raw.decode("utf-8", "replace")
    parts = watched_partials(prompt, text) if b"{%" in raw or b"{{>" in raw else frozenset()
    return dict.fromkeys(parts | watched_files(path, text), "partial")


def _behind(path: str, what: str, files: Files) -> dict[str, str]:
    """Returns the link or submodule that hides a path, and the path it resolves to."""
    above = files.barrier(path)
    if above is None:
        return {}
    target = _target(above.path, files.link(above.path)) if above.mode == LINK else None
    return {above.path: what} | ({} if target is None else {target + path[len(above.path) :]: what})


def _target(link: str, target: str) -> str | None:
    """Returns the path in the tree that a link leads to; ``None`` outside of it."""
    return inside(link.rpartition("/")[0], target) or None


def configured_paths(entry: Entry, lineage: LineageConfig) -> dict[str, str]:
    """Returns the other files that the configuration names for a lineage, by path or pattern in the repository."""
    named: dict[str | None, str] = {
        **dict.fromkeys(lineage.test_paths, "test set"),
        lineage.tools: "partial",
        lineage.rubric: "rubric",
        lineage.own_scorer.file if lineage.own_scorer else None: "scorer",
        lineage.judge.labels if lineage.judge else None: "people's grades",
    }
    return {below(entry.root, path): what for path, what in named.items() if path}


def differences(watched: Watched, changes: Changes) -> tuple[Difference, ...]:
    """Returns all watched files that differ between the sides, by path."""
    # Most pull requests touch nothing that is watched. This check keeps them cheap.
    around = [path for path in watched if path.endswith("/") or is_pattern(path)]
    if watched.keys().isdisjoint(changes.touched) and not any(_touches(path, changes) for path in around):
        return ()
    near = {path for folder in around if folder.endswith("/") for path in changes.below(folder.strip("/"))}
    reached = changes.of(near | changes.named(watched))
    named = [(change, _watched_as(change.paths, watched, around)) for change in reached]
    return tuple(Difference(what, change.before, change.after) for change, what in named if what is not None)


def _touches(around: str, changes: Changes) -> bool:
    """Returns whether anything in a folder, or that matches a pattern, changes."""
    if around.endswith("/"):
        return changes.touches(around[:-1])
    return bool(changes.named([around]))


def _watched_as(paths: Sequence[str], watched: Watched, around: Sequence[str]) -> str | None:
    """Returns what is watched at one of ``paths``, by a pattern, or in a folder around it."""
    near = (place for place in around for path in paths if _inside(place, path))
    # A file that is named beats a folder around it, because it says what the file is for.
    place = next((path for path in paths if path in watched), None) or next(near, None)
    return None if place is None else watched[place]


def _inside(around: str, path: str) -> bool:
    if around.endswith("/"):
        return path.startswith(around.lstrip("/")) and path.endswith(PART_SUFFIXES)
    return matches(around, path)
