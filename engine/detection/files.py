"""Files of one tree, read lazily."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.readers.bounded import MAX_BYTES, shown
from engine.readers.file_patterns import matches
from engine.readers.prompts.plain import SUFFIXES
from schemas.errors import SourceError
from schemas.ports import SourceTree
from schemas.prompts import Finding
from schemas.trees import TreeEntry

REGULAR = ("100644", "100755")
FOLDER, LINK, SUBMODULE = "040000", "120000", "160000"
FOREIGN = {LINK: "a symbolic link", SUBMODULE: "a submodule"}
"""Kinds of entries that are not followed."""
LARGEST = 16 * 2**20
"""Bytes of the largest file that is fetched. Readers have far smaller limits of their own."""
PAIRED = tuple(f"{stem}{suffix}" for stem in ("system", "user") for suffix in SUFFIXES)
"""Names of the files that make a folder a prompt."""


def below(folder: str, path: str) -> str:
    """Returns ``path`` below ``folder`` (empty: the root), without ``.`` and doubled slashes. ``path`` must not hold
    ``..``."""
    return "/".join(step for step in f"{folder}/{path}".split("/") if step not in ("", "."))


def folder_of(prompt: str) -> str:
    """Returns the folder that a prompt's path names: the path itself, or the parent of a file of a pair."""
    folder, _, name = prompt.rpartition("/")
    return folder if name in PAIRED else prompt


class Files(Mapping[str, bytes]):
    """Regular files of a tree by path. Links and submodules are not followed and count as missing.

    ``conflicts`` holds paths that git can't merge. They have no content.
    """

    def __init__(self, tree: SourceTree, commit: str, conflicts: Iterable[str] = ()) -> None:
        self.commit = commit
        self._tree = tree
        self._conflicts = frozenset(conflicts)
        self._entries: dict[str, TreeEntry | None] = {}
        self._contents: dict[str, bytes] = {}

    def fetch(self, paths: Iterable[str]) -> None:
        """Reads many files with one request to git. Large files are read only on access."""
        wanted = dict.fromkeys(paths)
        unknown = [path for path in wanted if path not in self._entries]
        if unknown:
            found = self._tree.lookup(self.commit, unknown)
            # Missing paths are remembered too, so git is asked once for each.
            self._entries |= {path: found.get(path) for path in unknown}
        there = (entry for path in wanted if (entry := self._regular(path)))
        # Large files wait for the first access: most of them are named by a pattern and never read.
        blobs = [entry.blob for entry in there if (entry.size or 0) <= MAX_BYTES]
        # Contents are kept by blob: files with the same content are read once.
        missing = [blob for blob in dict.fromkeys(blobs) if blob not in self._contents]
        self._contents |= self._tree.read(missing)

    def find(self, globs: Iterable[str]) -> tuple[str, ...]:
        """Returns the paths of files that match a glob or are below a folder of that name."""
        return tuple(entry.path for entry in self._tree.find(self.commit, tuple(globs)))

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Returns the paths that match a pattern, sorted. Links and submodules are among them."""
        return tuple(path for path in self.all_matching([pattern]) if matches(pattern, path))

    def all_matching(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Returns the paths that match any of ``patterns``, with one request to git."""
        # To git, brackets are part of a pattern too.
        return self.find([pattern.replace("[", r"\[") for pattern in patterns])

    def exists(self, path: str) -> bool:
        """Returns whether anything is at ``path``, be it unreadable."""
        return self.entry(path) is not None

    def content(self, path: str) -> bytes:
        """Returns a file's content. Raises SourceError if it can't be read or doesn't exist."""
        if obstacle := self.obstacle(path):
            raise SourceError(obstacle.what, where=obstacle.where, hint=obstacle.hint)
        if path not in self:
            raise SourceError(
                "this file doesn't exist", where=shown(path, 4096), hint="check the path in the configuration"
            )
        return self[path]

    def fetch_prompts(self, paths: Iterable[str]) -> None:
        """Fetches prompts, each of which may be a file or a folder with a pair of files."""
        paths = list(paths)
        self.fetch(paths + [below(folder_of(path), name) for path in paths for name in PAIRED])

    def entry(self, path: str) -> TreeEntry | None:
        """Returns the tree's entry at ``path``: a file, folder, link or submodule."""
        if path not in self._entries:
            parent = self._entries.get(path.rpartition("/")[0])
            # Some paths to look up come from a prompt's text. A path below a file can't exist, so git isn't asked.
            inside_a_file = parent is not None and parent.mode != FOLDER
            self._entries[path] = None if inside_a_file else self._tree.lookup(self.commit, [path]).get(path)
        return self._entries[path]

    def barrier(self, path: str) -> TreeEntry | None:
        """Returns the link or submodule above ``path``, if any. The path is unreachable behind it."""
        above = path.rpartition("/")[0]
        while above and (entry := self.entry(above)) is None:
            above = above.rpartition("/")[0]
        return entry if above and entry is not None and entry.mode in FOREIGN else None

    def conflict(self, path: str) -> Finding | None:
        """Returns a finding if git can't merge the file."""
        if path not in self._conflicts:
            return None
        return Finding(
            what="this branch and its base have conflicting changes here",
            where=shown(path, 4096),
            hint="merge the base branch into this one and resolve the conflict",
        )

    def obstacle(self, path: str) -> Finding | None:
        """Returns why the entry at ``path`` can't be read. ``None`` if it can, or if nothing exists there."""
        entry = self.entry(path)
        if conflict := self.conflict(path):
            return conflict
        where = shown(path, 4096)
        if entry is None:
            above = self.barrier(path)
            what = (
                f"this path is behind {shown(above.path)}, {FOREIGN[above.mode]}, which is not followed"
                if above
                else ""
            )
            return Finding(what=what, where=where) if above else None
        if entry.mode in FOREIGN:
            what = f"this is {FOREIGN[entry.mode]}, which is not followed"
            return Finding(what=what, where=where, hint="commit the file")
        if entry.mode != FOLDER and (entry.size or 0) > LARGEST:
            size = f"{(entry.size or 0) / 2**20:.0f} MiB"
            return Finding(what=f"the file is {size} large", where=where, hint="a prompt has at most 1 MiB")
        return None

    def link(self, path: str) -> str:
        """Returns the target of the symbolic link at ``path``, as written."""
        entry = self.entry(path)
        return "" if entry is None else self._tree.read([entry.blob])[entry.blob].decode("utf-8", "replace")

    def same(self, path: str, other: Files, other_path: str) -> bool:
        """Returns whether both commits have the same content and mode (or nothing) at these paths."""
        mine, theirs = self.entry(path), other.entry(other_path)
        return (mine and mine.content) == (theirs and theirs.content)

    def _regular(self, path: str) -> TreeEntry | None:
        # The tree holds conflict markers at such a path, and these are no prompt.
        entry = None if path in self._conflicts else self.entry(path)
        return entry if entry and entry.mode in REGULAR and (entry.size or 0) <= LARGEST else None

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._regular(path) is not None

    def __getitem__(self, path: str) -> bytes:
        entry = self._regular(path)
        if entry is None:
            raise KeyError(path)
        if entry.blob not in self._contents:
            self._contents |= self._tree.read([entry.blob])
        return self._contents[entry.blob]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree.entries(self.commit))

    def __len__(self) -> int:
        return len(self._tree.entries(self.commit))
