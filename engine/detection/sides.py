"""The base and the merge result of a pull request, and the paths that differ between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from engine.detection.files import PAIRED, REGULAR, Files, folder_of
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
