"""Commits in memory, for tests that build hundreds of small trees: what ``adapters.git`` gives, without git.

``tests/detect/test_git.py`` compares both.
"""

import hashlib
import re
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from schemas.trees import Merge, TreeChange, TreeEntry

FOLDER = "040000"


def _pattern(glob):
    parts = re.split(r"(\*\*/|\*)", glob)
    return re.compile(
        "".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts) + "(?:/.*)?"
    )


def _raw(content):
    return content.encode() if isinstance(content, str) else content


@dataclass
class MemoryTrees:
    """A repository, and the port through which it is read. Every file is a regular one, and nothing conflicts."""

    trees: dict = field(default_factory=lambda: {"4b825dc642cb6eb9a060e54bf8d69288fbee4904": {}})
    parents: dict = field(default_factory=dict)
    blobs: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)

    def commit(self, files, *, branch="main", parent=None):
        parent = parent or self.branches.get(branch)
        tree = dict(self.trees[parent]) if parent else {}
        for path, content in files.items():
            tree.pop(path, None)
            if content is not None:
                tree[path] = self._blob(_raw(content))
        commit = hashlib.sha1(f"{len(self.trees)} {sorted(tree.items())}".encode()).hexdigest()
        self.trees[commit], self.parents[commit], self.branches[branch] = tree, parent, commit
        return commit

    def _blob(self, content):
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        self.blobs[blob] = content
        return blob

    def _entry(self, path, blob):
        return TreeEntry(path=path, mode="100644", blob=blob, size=len(self.blobs[blob]))

    def entries(self, commit):
        return {path: self._entry(path, blob) for path, blob in sorted(self.trees[commit].items())}

    def entry(self, commit, path):
        return self.lookup(commit, [path]).get(path)

    def lookup(self, commit, paths):
        tree, found = self.trees[commit], {}
        for path in paths:
            if path in tree:
                found[path] = self._entry(path, tree[path])
            elif path and any(each.startswith(f"{path}/") for each in tree):
                found[path] = TreeEntry(path=path, mode=FOLDER, blob="0" * 40)
        return found

    def find(self, commit, globs):
        patterns = [_pattern(glob) for glob in globs]
        entries = self.entries(commit)
        return tuple(entry for path, entry in entries.items() if any(each.fullmatch(path) for each in patterns))

    def merge(self, base, head):
        merged = dict(self.trees[base])
        start = self.parents.get(head) or head
        for change in self.changes(start, head):
            for entry in filter(None, [change.before]):
                merged.pop(entry.path, None)
            for entry in filter(None, [change.after]):
                merged[entry.path] = entry.blob
        tree = hashlib.sha1(repr(sorted(merged.items())).encode()).hexdigest()
        self.trees[tree] = merged
        return Merge(tree=tree, bases=(start,))

    def changes(self, before, after):
        old, new = self.entries(before), self.entries(after)
        changed = [(path, path) for path in old if path in new and old[path].blob != new[path].blob]
        gone, come = [path for path in old if path not in new], [path for path in new if path not in old]
        alike = sorted(((self._alike(old[a], new[b]), a, b) for a in gone for b in come), reverse=True)
        for share, a, b in alike:
            if share >= 0.5 and a in gone and b in come:
                changed.append((a, b))
                gone.remove(a)
                come.remove(b)
        changed += [(path, None) for path in gone] + [(None, path) for path in come]
        pairs = sorted(changed, key=lambda pair: pair[1] or pair[0])
        return tuple(TreeChange(before=old.get(a), after=new.get(b)) for a, b in pairs)

    def _alike(self, old, new):
        a, b = (self.blobs[entry.blob].decode("utf-8", "replace").split("\n") for entry in (old, new))
        return float(old.blob == new.blob) or SequenceMatcher(None, a, b, autojunk=False).ratio()

    def read(self, blobs):
        return {blob: self.blobs[blob] for blob in blobs}
