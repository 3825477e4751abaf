"""Trees of commits, as git lists them."""

from __future__ import annotations

from datetime import datetime

from schemas.values import Value


class TreeEntry(Value):
    """One path of a commit's tree."""

    path: str
    mode: str
    """``100644``, ``100755``, ``120000`` (link), ``160000`` (submodule) or ``040000`` (folder)."""
    blob: str
    size: int | None = None

    @property
    def content(self) -> tuple[str, str]:
        """The kind and the blob of the path. Whether a file is executable makes no difference."""
        return "100644" if self.mode == "100755" else self.mode, self.blob


class TreeChange(Value):
    """A path whose entry differs between two trees. Renames are followed by content, not by name."""

    before: TreeEntry | None
    after: TreeEntry | None

    @property
    def pair(self) -> tuple[str | None, str | None]:
        """The paths before and after; ``None`` on the side that lacks the file."""
        return self.before.path if self.before else None, self.after.path if self.after else None

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths before and after, without a side that lacks the file."""
        return tuple(entry.path for entry in (self.before, self.after) if entry)


class Merge(Value):
    """The result of merging a head into the tip of its base branch."""

    tree: str
    """Id of the merged tree. Files in ``conflicts`` contain conflict markers there."""
    bases: tuple[str, ...] = ()
    """All best common ancestors: several after criss-cross merges, none for unrelated histories."""
    conflicts: tuple[str, ...] = ()
    """Paths that git can't merge."""

    @property
    def base(self) -> str | None:
        """A best common ancestor, for display. No verdict depends on it."""
        return self.bases[0] if self.bases else None


class Revision(Value):
    """One commit of a branch that changed some files."""

    sha: str
    author: str
    """As the commit names its author; anyone can write any name there."""
    when: datetime
    subject: str
    paths: dict[str, str]
    """By the path of today: the file's path in this commit. A file that the commit lacks is left out."""
