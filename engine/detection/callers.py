r"""Finds the files through which a workflow calls this gate: workflows, local actions, and the scripts that they run.

A workflow's meaning is in its YAML, not in its bytes: ``"prompt\u002dverdict"`` and ``./tools/gate`` call us as well.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from engine.detection.files import FOLDER, Files
from engine.readers.bounded import MAX_BYTES, Source
from engine.readers.nodes import Node
from engine.readers.yaml_nodes import read_yaml
from schemas.errors import SourceError

ROOTS = (".github/workflows", ".github/actions")
ACTIONS = ("action.yml", "action.yaml")
MENTION = re.compile(r"prompt[\W_]{0,2}verdict", re.IGNORECASE)
MOST_FILES = 2_000
"""The most files that are followed. The rest of a larger repository is not read."""
MOST_SCRIPT = 64 * 1024
"""The largest script, in bytes, that is searched for further scripts."""
MOST_WORDS = 2_000
"""The most words of one file that are tried as paths."""
YAML = (".yml", ".yaml")
BUILDERS = {
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "just": ("justfile", "Justfile"),
    "npm": ("package.json",),
    "pnpm": ("package.json",),
    "yarn": ("package.json",),
}
"""Build commands, with the files that define them."""
ENTRIES = ("main", "pre", "post", "image", "entrypoint", "pre-entrypoint", "post-entrypoint")
"""Keys under which an action names its own files."""
OWN_FOLDER = re.compile(r"\$\{\{\s*github\.action_path\s*\}\}|\$\{?GITHUB_ACTION_PATH\}?")
WORKSPACE = re.compile(r"\$\{\{\s*github\.workspace\s*\}\}/?|\$\{?GITHUB_WORKSPACE\}?/?")
WORD = re.compile(r"[\w.@+/-]+")
MODULE = re.compile(r"(?:^|\s)-m\s+([\w.]+)")
ELSEWHERE = re.compile(r"[\w.-]+/[\w.-]+/(.+)@[^@]+")


class Read(NamedTuple):
    """The content of one file, reduced to whether it mentions this gate and to which files it refers."""

    mentions: bool
    refers: tuple[tuple[str, ...], ...] = ()
    """Candidate paths of each file that it may use. The first path that exists counts."""


class Callers:
    """The files of one tree through which a workflow calls this gate.

    ``also`` adds actions that no workflow of this tree may use. ``known`` is a cache shared by trees with mostly the
    same files, so that each file is read once.
    """

    def __init__(self, files: Files, also: frozenset[str], known: dict[tuple[str, str], Read]) -> None:
        self._files = files
        self._known = known
        roots = {path for path in files.find(ROOTS) if path.endswith(YAML)}
        self._uses: dict[str, set[str]] = {}
        self._mentioning: set[str] = set()
        self._follow({*roots, *(path for path in also if path in files)})
        self.paths = self._calling()

    def _follow(self, roots: set[str]) -> None:
        waiting = sorted(roots)
        while waiting and len(self._uses) < MOST_FILES:
            self._files.fetch(waiting)
            read = {path: self._read(path) for path in waiting}
            # All candidates at once: one call to git per level instead of one per file.
            self._files.fetch({path for one in read.values() for paths in one.refers for path in paths})
            found: set[str] = set()
            for path, one in read.items():
                self._uses[path] = {there for paths in one.refers if (there := self._first(paths))}
                found |= self._uses[path]
                if one.mentions:
                    self._mentioning.add(path)
            # Files that were read before are left out, so workflows that use each other end the loop.
            waiting = sorted(found - self._uses.keys())

    def _first(self, paths: tuple[str, ...]) -> str | None:
        """Returns the first path that exists and is no folder. A link or submodule counts, since it may contain
        anything."""
        for path in paths:
            entry = self._files.entry(path)
            if entry is not None and entry.mode != FOLDER:
                return path
        return None

    def _read(self, path: str) -> Read:
        entry = self._files.entry(path)
        if entry is None or path not in self._files:
            return Read(mentions=True)  # a link, a submodule or a huge file may call anything
        # The path is part of the key, because relative references depend on it.
        key = (path, entry.blob)
        if key not in self._known:
            self._known[key] = _read(path, self._files[path])
        return self._known[key]

    # Goes backwards from the files that mention this gate to all files that use them.
    def _calling(self) -> frozenset[str]:
        users: dict[str, set[str]] = {}
        for path, used in self._uses.items():
            for one in used:
                users.setdefault(one, set()).add(path)
        calling: set[str] = set()
        waiting = list(self._mentioning)
        while waiting:
            path = waiting.pop()
            if path not in calling:
                calling.add(path)
                waiting += users.get(path, ())
        return frozenset(calling)


def _read(path: str, raw: bytes) -> Read:
    if len(raw) > MAX_BYTES:
        return Read(mentions=True)
    text = raw.decode("utf-8", "replace")
    named = MENTION.search(text) is not None
    if not path.endswith(YAML):
        folder = path.rpartition("/")[0]
        return Read(named, tuple(_run(text, ("", folder))) if len(raw) <= MOST_SCRIPT else ())
    try:
        document = read_yaml(Source(path, text))
    except SourceError:
        # An unreadable file counts as a caller, because leaving it out could hide a change of the gate.
        return Read(mentions=True)  # GitHub may understand what we don't
    return Read(named or any(MENTION.search(one) for one in _texts(document)), tuple(_refers(path, document)))


def _nodes(document: Node) -> Iterator[Node]:
    """Yields every value. Aliases are repeated at each use; the parser bounds their number."""
    waiting = [document]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node.value, dict):
            waiting += node.value.values()
        elif isinstance(node.value, list):
            waiting += node.value


def _texts(document: Node) -> Iterator[str]:
    for node in _nodes(document):
        if isinstance(node.value, dict):
            yield from node.value
        elif node.text is not None:
            yield node.text


def _refers(path: str, document: Node) -> Iterator[tuple[str, ...]]:
    folder = path.rpartition("/")[0] if path.rpartition("/")[2] in ACTIONS else ""
    maps = [node.value for node in _nodes(document) if isinstance(node.value, dict)]
    # A step may run anywhere that some step names. Trying all of them finds too many files, never too few.
    places = {_said(one, "working-directory") for one in maps}
    for one in maps:
        yield from _used(_said(one, "uses"))
        yield from _run(OWN_FOLDER.sub(folder or ".", _said(one, "run")), ("", folder, *sorted(places)))
        for name in ENTRIES if folder else ():
            if text := _said(one, name):
                yield _inside(f"{folder}/{text}")


def _said(fields: Mapping[str, Node], name: str) -> str:
    return (fields[name].text or "") if name in fields else ""


def _used(text: str) -> Iterator[tuple[str, ...]]:
    """Yields the possible paths of a local action or reusable workflow.

    A workflow may check a repository out below a folder and then name that folder first.
    """
    local = text if text.startswith((".", "/")) else ""
    if elsewhere := ELSEWHERE.fullmatch(text):
        local = elsewhere[1]  # an action of a repository, maybe this one
    for place in _inside(local) if local else ():
        steps = place.split("/")
        while steps:
            rest = "/".join(steps)
            yield (rest,) if rest.endswith(YAML) else (*(f"{rest}/{name}" for name in ACTIONS), f"{rest}/Dockerfile")
            yield (rest,)
            steps.pop(0)


def _run(text: str, places: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields the files of the repository that a script may run."""
    # The workspace is the root of the repository, so its variable can simply be dropped.
    words = dict.fromkeys(WORD.findall(WORKSPACE.sub("", text)))
    for module in MODULE.findall(text):
        name = module.replace(".", "/")
        words |= dict.fromkeys((f"{name}.py", f"{name}/__main__.py"))
    for word in list(words)[:MOST_WORDS]:
        for name in BUILDERS.get(word, (word,) if "." in word or "/" in word else ()):
            for place in dict.fromkeys(places):
                yield _inside(f"{place}/{name}")


def _inside(path: str) -> tuple[str, ...]:
    """Returns the path within the repository, or an empty tuple if it leaves the repository."""
    found = posixpath.normpath(path.lstrip("/"))
    # A path outside the repository can't be changed by this pull request.
    return () if found == "." or found.startswith("..") else (found,)
