"""Reads commits as data with the git program: trees and blobs, never a worktree.

Never runs content of a commit: no hooks, filters, text conversion or external diff. Git gets few of the caller's
variables, and reads neither the home folder nor the global and system configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from adapters.git.program import HARMLESS, environment, run_git, text
from schemas.errors import SourceError
from schemas.trees import Merge, TreeChange, TreeEntry

LARGEST_BLOB = 16 * 2**20
"""Bytes of the largest blob that is read. Readers have far smaller limits; this one protects the memory."""
MOST_NAMED = 2_000
"""Most paths that git is asked for by name. For more, the whole tree is listed."""
FOLDER, SUBMODULE = "040000", "160000"
RENAME_LIMIT = 200
"""Most added and deleted files that git compares for similarity. It always finds identical ones."""
EMPTY_TREE = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

_NOWHERE = TreeEntry(path="", mode="", blob="")


def batches(paths: Iterable[str], size: int = 500) -> Iterator[list[str]]:
    """Yields paths in portions that fit on a command line. Leaves out paths that no tree can hold."""
    known = [path for path in dict.fromkeys(paths) if "\0" not in path and not {"", ".", ".."} & {*path.split("/")}]
    for start in range(0, len(known), size):
        yield known[start : start + size]


class GitRepository:
    """A repository on disk: with a worktree, bare, linked, shallow or partial; SHA-1 or SHA-256.

    ``settings``: git configuration for every command. ``held``: as in ``run_git``. Raises SourceError if ``path`` is
    not in a repository or git is missing.
    """

    failed = False
    """Whether git failed or an object was missing. Stays True if a caller handled the error."""

    def __init__(
        self, path: str | os.PathLike[str], settings: Mapping[str, str] | None = None, *, held: Sequence[int] = ()
    ) -> None:
        self.path = Path(path)
        self._held = held
        self._env = environment({**HARMLESS, **(settings or {})})
        self._store: str | None = None
        if not self.path.is_dir():
            raise SourceError("no such folder", where=str(path), hint="pass the folder of your clone with --repo PATH")
        found = self._git("-C", str(self.path), "rev-parse", "--absolute-git-dir", "--is-bare-repository", check=False)
        if found.returncode:
            raise SourceError(
                "not a git repository", where=str(path), hint="run it inside your clone, or pass --repo PATH"
            )
        git_dir, bare = os.fsdecode(found.stdout).rsplit("\n", 2)[:2]
        self.git_dir = Path(git_dir)
        self.is_bare = bare == "true"

    @staticmethod
    def start(folder: Path) -> None:
        """Creates an empty bare repository. Raises SourceError."""
        done = run_git(
            "init", "--quiet", "--bare", "--template=", "--", str(folder), env=environment(HARMLESS), where=str(folder)
        )
        if done.returncode:
            raise SourceError(f"git can't start a repository: {text(done.stderr)[-300:]}", where=str(folder))

    def merge(self, base: str, head: str) -> Merge:
        """Returns the result of merging ``head`` into ``base``, as ``git merge`` does it. Writes nothing to the
        repository.

        The tree is ``head``'s own if the two have no common history. Raises SourceError if a shallow clone hides the
        common ancestors, or if git is too old to merge without a worktree.
        """
        bases = self._merge_bases(self._id(base), self._id(head))
        if not bases or bases == (base,):
            return Merge(tree=self._tree(head), bases=bases)
        if bases == (head,):
            return Merge(tree=self._tree(base), bases=bases)
        merged = self._in(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", base, head,
            check=False, env=self._scratch(),
        )  # fmt: skip
        # Exit code 1 means conflicts, which are a result and not a failure.
        if merged.returncode not in (0, 1):
            if b"usage: git merge-tree" in merged.stderr:
                raise SourceError(
                    "this git is too old to merge without a worktree",
                    where=str(self.path),
                    hint="install git 2.38 or later, or merge the base branch into yours first",
                )
            raise self._failure(merged)
        tree, *conflicts = merged.stdout.split(b"\0")[:-1]
        return Merge(tree=tree.decode(), bases=bases, conflicts=tuple(text(path) for path in conflicts))

    def _merge_bases(self, base: str, head: str) -> tuple[str, ...]:
        """Returns all best common ancestors. Raises SourceError if a shallow clone hides them."""
        if base == head:
            return (base,)
        found = self._in("merge-base", "--all", base, head, check=False)
        if found.returncode not in (0, 1):
            raise self._failure(found)
        bases = tuple(found.stdout.decode().split())
        # With a fast-forward, the ancestor is one of the two tips, so a cut history can't hide another.
        if bases not in ((base,), (head,)) and self.is_shallow and self._is_cut(base, head, bases):
            raise SourceError(
                f"the common ancestor of {base[:12]} and {head[:12]} is missing in this shallow clone",
                where=str(self.path),
                hint="git fetch --unshallow; in actions/checkout: fetch-depth: 0",
            )
        return bases

    def _is_cut(self, base: str, head: str, bases: Sequence[str]) -> bool:
        """Returns whether the history above the common ancestors is incomplete, so that others may be missing."""
        shallow = set((self.git_dir / "shallow").read_text().split())
        between = self._in("rev-list", base, head, *(f"^{common}" for common in bases)).stdout.decode().split()
        return not shallow.isdisjoint(between)

    def _tree(self, commit: str) -> str:
        return self._in("rev-parse", "--verify", f"{commit}^{{tree}}").stdout.decode().strip()

    @property
    def is_shallow(self) -> bool:
        """Whether history is cut off."""
        return self._in("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    # -- trees and blobs

    def entries(self, commit: str) -> Mapping[str, TreeEntry]:
        """Returns every file, link and submodule of the commit's tree."""
        return self._listed(self._in("ls-tree", "-r", "-z", "--full-tree", self._id(commit)).stdout)

    def entry(self, commit: str, path: str) -> TreeEntry | None:
        """Returns the entry at ``path``, or ``None``. Doesn't list the whole tree."""
        return self.lookup(commit, [path]).get(path)

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """Returns the entries of the paths that exist in the tree, with sizes. Folders have mode ``040000``."""
        found: dict[str, TreeEntry] = {}
        wanted = list(paths)
        if len(wanted) > MOST_NAMED:
            return self._lookup_many(commit, frozenset(wanted))
        for batch in batches(wanted):
            command = ["ls-tree", "-z", "-t", "-l", "--full-tree", self._id(commit), "--", *batch]
            # Literal, because a file's name may contain a wildcard.
            found |= self._listed(self._in("--literal-pathspecs", *command).stdout, frozenset(batch))
        return found

    def _lookup_many(self, commit: str, wanted: frozenset[str]) -> dict[str, TreeEntry]:
        """As ``lookup``, from a listing of the whole tree. Git would compare each named path with each of a folder."""
        listed = self._in("ls-tree", "-r", "-t", "-z", "--full-tree", self._id(commit)).stdout
        found = self._listed(listed, wanted)
        sizes = self._sizes(entry.blob for entry in found.values() if entry.mode not in (FOLDER, SUBMODULE))
        return {path: entry.model_copy(update={"size": sizes.get(entry.blob)}) for path, entry in found.items()}

    def _sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Returns the sizes of the blobs that this clone has."""
        names = "".join(f"{blob}\n" for blob in dict.fromkeys(blobs)).encode()
        lines = self._in("cat-file", "--batch-check", stdin=names).stdout.decode().splitlines()
        found = (line.split() for line in lines)
        return {blob: int(size[0]) for blob, kind, *size in found if kind == "blob"}

    def find(self, commit: str, globs: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Returns files that match a glob or are below a folder of that name.

        ``*`` matches within a folder, ``**/`` across folders.
        """
        # Found by comparing with the empty tree, because `ls-tree` knows no globs.
        commit = self._id(commit)
        found = {
            change.after.path: change.after
            for batch in batches(globs)
            for change in self._compared(
                EMPTY_TREE[len(commit)], commit, "--", *(f":(top,glob){glob}" for glob in batch)
            )
            if change.after
        }
        return tuple(found[path] for path in sorted(found))

    def changes(self, before: str, after: str) -> tuple[TreeChange, ...]:
        """Returns the changes, sorted by path. Pairs similar files (≥ 50%) as renames, as git does."""
        changed = self._compared(self._id(before), self._id(after), "-M50%", f"-l{RENAME_LIMIT}")
        return tuple(sorted(changed, key=lambda change: (change.after or change.before or _NOWHERE).path))

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Returns the contents of blobs by id. Raises SourceError for a missing blob and for one over 16 MiB."""
        wanted = list(dict.fromkeys(self._id(blob) for blob in blobs))
        if not wanted:
            return {}
        names = "\n".join(wanted).encode() + b"\n"
        # Sizes first: a huge blob must not be read into memory only to be refused.
        for line in self._in("cat-file", "--batch-check", stdin=names).stdout.decode().splitlines():
            blob, kind, *size = line.split()
            if kind != "blob":
                self.failed = True
                raise SourceError(
                    f"blob {blob} isn't in this clone", where=str(self.path), hint="git fetch --refetch origin"
                )
            if int(size[0]) > LARGEST_BLOB:
                raise SourceError(f"blob {blob} has {int(size[0]) / 2**20:.0f} MiB", hint="prompts are at most 1 MiB")
        answer = self._in("cat-file", "--batch", stdin=names).stdout
        contents: dict[str, bytes] = {}
        at = 0
        for blob in wanted:
            start = answer.find(b"\n", at) + 1
            facts = answer[at:start].split()
            if facts[:2] != [blob.encode(), b"blob"]:  # a partial clone whose remote is gone
                self.failed = True
                raise SourceError(f"blob {blob} can't be read", where=str(self.path), hint="git fetch --refetch origin")
            at = start + int(facts[2]) + 1
            contents[blob] = answer[start : at - 1]
        return contents

    def private_file(self, name: str) -> Path:
        """Returns a path in git's own folder, for data of this clone that is never committed."""
        return self.git_dir / self._git_path(name)

    def _git_path(self, name: str) -> Path:
        return Path(os.fsdecode(self._in("rev-parse", "--git-path", name).stdout).removesuffix("\n"))

    def _scratch(self) -> dict[str, str]:
        """Returns variables that send a command's new objects to a temporary store. Later commands can read it."""
        if self._store is None:
            self._store = tempfile.mkdtemp(prefix="promptverdict-")
            weakref.finalize(self, shutil.rmtree, self._store, ignore_errors=True)
            self._env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{self._store}"'
        quoted = str(self.git_dir / self._git_path("objects")).replace("\\", "\\\\").replace('"', '\\"')
        return {
            **self._env,
            "GIT_OBJECT_DIRECTORY": self._store,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }

    # -- the git program

    def _git(
        self,
        *command: str,
        stdin: bytes = b"",
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            done = run_git(*command, stdin=stdin, env=env or self._env, cwd=cwd, where=str(self.path), held=self._held)
        except SourceError:
            self.failed = True
            raise
        if check and done.returncode:
            raise self._failure(done)
        return done

    def _in(
        self, *command: str, stdin: bytes = b"", check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return self._git(
            f"--git-dir={self.git_dir}", *command, stdin=stdin, check=check, env=env, cwd=str(self.git_dir)
        )

    def _failure(self, done: subprocess.CompletedProcess[bytes]) -> SourceError:
        self.failed = True
        said = " ".join(text(done.stderr).split())[-300:] or f"exit code {done.returncode}"
        return SourceError(f"git failed: {said}", where=str(self.path))

    @staticmethod
    def _id(name: str) -> str:
        # Only ids reach git's command line: a name could be an option, or resolve to another object.
        if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name):
            raise SourceError(f"{name!r} is not an object id", hint="resolve the ref first")
        return name

    @staticmethod
    def _listed(output: bytes, wanted: Container[str] | None = None) -> dict[str, TreeEntry]:
        """Returns the entries of a listing: those of ``wanted``, or all."""
        entries = {}
        for line in output.split(b"\0")[:-1]:
            facts, _, raw = line.partition(b"\t")
            path = text(raw)
            # A name that is not UTF-8 is written with escapes, which may be the real name of another path.
            if wanted is not None and (path not in wanted or os.fsencode(path) != raw):
                continue
            mode, _, blob, *size = facts.decode().split()
            length = int(size[0]) if size and size[0] != "-" else None
            entries[path] = TreeEntry(path=path, mode=mode, blob=blob, size=length)
        return entries

    def _compared(self, before: str, after: str, *options: str) -> Iterator[TreeChange]:
        # Without external programs and text conversion, which a commit's attributes could select.
        command = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--no-relative"]
        fields = iter(self._in(*command, "--ignore-submodules=none", before, after, *options).stdout.split(b"\0"))
        for facts in fields:
            if not facts:
                continue
            mode_before, mode_after, blob_before, blob_after, status = facts[1:].decode().split()
            old = new = text(next(fields))
            if status[0] in "RC":
                new = text(next(fields))
            yield TreeChange(
                before=None if status[0] in "AC" else TreeEntry(path=old, mode=mode_before, blob=blob_before),
                after=None if status[0] == "D" else TreeEntry(path=new, mode=mode_after, blob=blob_after),
            )
