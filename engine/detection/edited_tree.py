"""A commit with some of its files replaced: what a pull request with that edit would bring, before there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from schemas.ports import SourceTree
from schemas.trees import Merge, TreeChange, TreeEntry
from schemas.values import digest_of


class EditedTree:
    """``SourceTree`` of ``commit`` and of its edit. ``files`` holds the new contents of files that are there."""

    def __init__(self, tree: SourceTree, commit: str, files: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._commit = commit
        self._contents = {_blob(content): content for content in files.values()}
        self._entries: dict[str, TreeEntry] = {}
        for path, content in files.items():
            before = tree.entry(commit, path)
            if before is not None:
                self._entries[path] = before.model_copy(update={"blob": _blob(content), "size": len(content)})
        self.edited = digest_of([commit, *sorted((path, one.blob) for path, one in self._entries.items())])[:40]
        """The name of the edit, in place of a commit's."""

    def entries(self, commit: str) -> Mapping[str, TreeEntry]:
        """Returns every path of the commit's tree."""
        if commit != self.edited:
            return self._tree.entries(commit)
        return {**self._tree.entries(self._commit), **self._entries}

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Returns the entry of one path."""
        return self.lookup(commit, [path]).get(path)

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """Returns the entries of the paths that exist."""
        if commit != self.edited:
            return self._tree.lookup(commit, paths)
        wanted = list(paths)
        found = self._tree.lookup(self._commit, wanted)
        return {**found, **{path: self._entries[path] for path in wanted if path in self._entries}}

    def find(self, commit: str, globs: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Returns the files that match a glob."""
        if commit != self.edited:
            return self._tree.find(commit, globs)
        return tuple(self._entries.get(one.path, one) for one in self._tree.find(self._commit, globs))

    def merge(self, base: str, head: str) -> Merge:
        """Returns the edit as it is: it starts from the base."""
        if head != self.edited:
            return self._tree.merge(base, head)
        return Merge(tree=self.edited, bases=(self._commit,))

    def changes(self, before: str, after: str) -> tuple[TreeChange, ...]:
        """Returns the edited files."""
        if after != self.edited:
            return self._tree.changes(before, after)
        pairs = ((self._tree.entry(before, path), entry) for path, entry in sorted(self._entries.items()))
        return tuple(TreeChange(before=old, after=new) for old, new in pairs if old is None or old.blob != new.blob)

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Returns the contents of blobs by id."""
        own = {blob: self._contents[blob] for blob in blobs if blob in self._contents}
        others = [blob for blob in blobs if blob not in own]
        return {**(self._tree.read(others) if others else {}), **own}


def _blob(content: bytes) -> str:
    """Returns the id that git gives a file."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
