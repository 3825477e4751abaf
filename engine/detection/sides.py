"""The base and the merge result of a pull request, and the paths that differ between them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from engine.detection.files import PAIRED, REGULAR, Files, folder_of
from engine.readers.file_patterns import fixed_folder, is_pattern, matches
from schemas.ports import SourceTree
from schemas.trees import Merge, TreeChange


class Changes:
    """The difference of two trees, searchable by path. Executable bits are ignored."""

    def __init__(self, changes: Sequence[TreeChange]) -> None:
        self.all = tuple(change for change in changes if not _mode_only(change))

    @cached_property
    def touched(self) -> frozenset[str]:
        """Every path on either side."""
        return frozenset(path for change in self.all for path in change.paths)

    @cached_property
    def _folders(self) -> frozenset[str]:
        folders: set[str] = set()
        for path in self.touched:
            folder = path.rpartition("/")[0]
            # Stops at the first known folder: everything above it was added with it.
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(folders)

    @cached_property
    def moves(self) -> dict[str, str]:
        """Renamed regular files: before → after. The folder of a pair moves with its files."""
        moves: dict[str, str] = {}
        for change in self.all:
            if not change.before or not change.after or change.before.path == change.after.path:
                continue
            # A moved link points elsewhere, so it isn't the same prompt at another path.
            if change.after.mode not in REGULAR:
                continue
            before, after = change.before.path, change.after.path
            moves[before] = after
            if before.rpartition("/")[2] in PAIRED and before.rpartition("/")[2] == after.rpartition("/")[2]:
                # The other file of the pair may move to another folder. The first one decides.
                moves.setdefault(folder_of(before), folder_of(after))
        return moves

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """The places in ``all`` of each path's changes."""
        places: dict[str, list[int]] = {}
        for place, change in enumerate(self.all):
            for path in dict.fromkeys(change.paths):
                places.setdefault(path, []).append(place)
        return places

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self.touched)

    def of(self, paths: Iterable[str]) -> Iterator[TreeChange]:
        """Yields the changes that touch any of ``paths``, in their order."""
        places = {place for path in paths for place in self._places.get(path, ())}
        return (self.all[place] for place in sorted(places))

    def below(self, folder: str) -> Sequence[str]:
        """Returns the touched paths in a folder and the folders below it, sorted. Empty: all of them."""
        if not folder:
            return self._sorted
        # All paths that start with “folder/” are neighbors, and “0” is the character after “/”.
        start, end = bisect_left(self._sorted, f"{folder}/"), bisect_left(self._sorted, f"{folder}0")
        return self._sorted[start:end]

    def named(self, watched: Iterable[str]) -> set[str]:
        """Returns the touched paths for which a path or a pattern of ``watched`` stands."""
        found: set[str] = set()
        for path in watched:
            if is_pattern(path):
                # The folder itself too: `**` may stand for nothing, so that `a/**` matches a file `a`.
                around = (*self.below(folder := fixed_folder(path)), folder)
                found.update(each for each in around if each in self.touched and matches(path, each))
            elif path in self.touched:
                found.add(path)
        return found

    def touches(self, path: str) -> bool:
        """Returns whether the file, or anything in the folder, changes."""
        return path in self.touched or path in self._folders or not path


def _mode_only(change: TreeChange) -> bool:
    before, after = change.before, change.after
    return before is not None and after is not None and (before.path, before.content) == (after.path, after.content)


class Sides:
    """The tip of the base branch, the result of merging the head into it, and their difference.

    Verdicts compare only these two trees: what runs today and what would run after the merge.
    """

    def __init__(self, tree: SourceTree, base: str, merge: Merge) -> None:
        self.base = Files(tree, base)
        self.merged = Files(tree, merge.tree, conflicts=merge.conflicts)
        self.changes = Changes(tree.changes(base, merge.tree))
