"""What commits are made of, as git lists it."""

from __future__ import annotations

from schemas.values import Value


class TreeEntry(Value):
    """One path of a commit's tree."""

    path: str
    mode: str
    """``100644``, ``100755``, ``120000`` (link), ``160000`` (submodule) or ``040000`` (folder)."""
    blob: str
    size: int | None = None


class TreeChange(Value):
    """A path whose entry differs between two trees; renames are followed by content, not by name."""

    before: TreeEntry | None
    after: TreeEntry | None
