"""The commits of a pull request, the paths that it touches, and where files went."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from engine.detection.files import PAIRED, REGULAR, Files, folder_of
from schemas.ports import SourceTree
from schemas.trees import TreeChange


class Changes:
    """The difference of two trees, to be asked by path."""

    def __init__(self, changes: Sequence[TreeChange]) -> None:
        self.all = tuple(changes)

    @cached_property
    def touched(self) -> frozenset[str]:
        """Every path on either side."""
        return frozenset(entry.path for change in self.all for entry in (change.before, change.after) if entry)

    @cached_property
    def _folders(self) -> frozenset[str]:
        folders: set[str] = set()
        for path in self.touched:
            folder = path.rpartition("/")[0]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(folders)

    @cached_property
    def names(self) -> frozenset[str]:
        """Last parts of the touched paths."""
        return frozenset(path.rpartition("/")[2] for path in self.touched)

    @cached_property
    def moves(self) -> dict[str, str]:
        """Renamed regular files: before → after. Folders of a pair move with their files."""
        moves: dict[str, str] = {}
        for change in self.all:
            if not change.before or not change.after or change.before.path == change.after.path:
                continue
            if change.after.mode not in REGULAR:
                continue
            before, after = change.before.path, change.after.path
            moves[before] = after
            if before.rpartition("/")[2] in PAIRED and before.rpartition("/")[2] == after.rpartition("/")[2]:
                moves.setdefault(folder_of(before), folder_of(after))
        return moves

    def touches(self, path: str) -> bool:
        """Whether the file, or anything in the folder, is touched."""
        return path in self.touched or path in self._folders or not path


class Commits:
    """The merge base, the tip of the base ref and the head, each as files; and what the head changes."""

    def __init__(self, tree: SourceTree, ancestor: str, base: str, head: str) -> None:
        self._tree = tree
        self.ancestor = Files(tree, ancestor)
        self.base = self.ancestor if base == ancestor else Files(tree, base)
        self.head = self.ancestor if head == ancestor else Files(tree, head)
        self.changes = Changes(tree.changes(ancestor, head))

    @cached_property
    def origins(self) -> dict[str, str]:
        """Where base has renamed files since the merge base: after → before."""
        if self.base is self.ancestor:
            return {}
        moves = Changes(self._tree.changes(self.ancestor.commit, self.base.commit)).moves
        return {after: before for before, after in moves.items()}
