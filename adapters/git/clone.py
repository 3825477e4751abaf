"""A clone on a person's machine: refs by name, and uncommitted edits as a commit."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from adapters.git.program import HARMLESS, environment, text
from adapters.git.repository import GitRepository
from schemas.errors import SourceError, UsageError
from schemas.trees import Revision

LARGEST_UNTRACKED = 8 * 2**20
"""Bytes of the largest untracked file in a snapshot. Larger files can't be prompts."""
_NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "promptverdict"), ("EMAIL", "promptverdict"), ("DATE", "@0 +0000"))
}
"""The fixed author and date of a snapshot, so that the same worktree gives the same commit."""


class Clone(GitRepository):
    """A repository with names for its commits, and usually with a worktree."""

    def resolve(self, ref: str) -> str:
        """Returns the commit that ``ref`` names. Raises UsageError, with similar refs as the fix."""
        # A ref that starts with a dash would be an option of git.
        if ref and not ref.startswith("-") and "\0" not in ref:
            found = self._in("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", check=False)
            if not found.returncode:
                return found.stdout.decode().strip()
        raise self._unknown(ref)

    def _unknown(self, ref: str) -> UsageError:
        if not self._in("rev-list", "--all", "--max-count=1").stdout:
            return UsageError(
                "the repository has no commits yet", where=str(self.path), hint="commit your prompts first"
            )
        if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", ref):
            return UsageError(f"commit {ref} isn't in this clone", hint=f"git fetch origin {ref}")
        listed = self._in("for-each-ref", "--count=5000", "--format=%(refname:lstrip=2)").stdout
        names = text(listed).splitlines()
        short = {name.rpartition("/")[2]: name for name in reversed(names)}
        alike = [name for name in names if name.endswith(f"/{ref}")] + get_close_matches(ref, names, 3, 0.6)
        alike += [short[near] for near in get_close_matches(ref, short, 3, 0.6)]
        if alike:
            hint = f"did you mean {' or '.join(list(dict.fromkeys(alike))[:3])}?"
        elif self.is_shallow:
            hint = f"this is a shallow clone: git fetch --unshallow origin {ref}"
        else:
            hint = "git branch --all lists the known branches"
        return UsageError(f"unknown ref {ref!r}", hint=hint)

    def default_branch(self) -> str:
        """Returns the target ref of pull requests: that of ``origin/HEAD``, else main or master. Raises UsageError."""
        refs = ["refs/remotes/origin/HEAD"]
        refs += [f"refs/{place}/{name}" for place in ("remotes/origin", "heads") for name in ("main", "master")]
        listed = self._in("for-each-ref", "--format=%(refname) %(symref)", *refs).stdout
        there = dict(line.split(" ", 1) for line in text(listed).splitlines())
        head = there.get(refs[0])
        for ref in ([head] if head else []) + refs[1:]:
            if ref in there or ref == head:
                return re.sub("^refs/(remotes|heads)/", "", ref)
        # Raises for a repository without commits, which has a better explanation than a missing branch.
        self.resolve("HEAD")
        raise UsageError(
            "the target branch of pull requests is unknown",
            hint="pass --base REF, or set it once: git remote set-head origin --auto",
        )

    def remote_url(self) -> str | None:
        """Returns the address of ``origin``; ``None`` for a clone without it."""
        found = self._in("config", "--get", "remote.origin.url", check=False)
        return None if found.returncode else text(found.stdout).strip()

    def committed_at(self, commit: str) -> datetime:
        """Returns when a commit was made. Raises SourceError."""
        return _time(self._in("show", "--no-patch", "--format=%ct", commit).stdout.strip())

    def merge_base(self, a: str, b: str) -> str | None:
        """Returns the best common ancestor of two commits, or ``None`` if they have none.

        Raises SourceError if a shallow clone hides it.
        """
        found = self._in("merge-base", self._id(a), self._id(b), check=False)
        if not found.returncode:
            return found.stdout.decode().split()[0]
        # Exit code 1 means that there is no common ancestor. Any other is a failure.
        if found.returncode != 1:
            raise self._failure(found)
        if self.is_shallow:
            raise SourceError(
                f"the common ancestor of {a[:12]} and {b[:12]} is missing in this shallow clone",
                where=str(self.path),
                hint="git fetch --unshallow; in actions/checkout: fetch-depth: 0",
            )
        return None

    def worktree_root(self) -> Path:
        """Returns the worktree's top folder. Raises SourceError in a bare repository."""
        if self.is_bare:
            raise SourceError("a bare repository has no worktree", where=str(self.path), hint="run it in a clone")
        top = self._git("-C", str(self.path), "rev-parse", "--show-toplevel").stdout
        return Path(os.fsdecode(top).removesuffix("\n"))

    def worktree_snapshot(self, parent: str | None = None) -> str:
        """Returns a commit of the worktree as it is now: staged, unstaged and untracked files that aren't ignored.

        Writes to neither the index nor the repository. The commit lives in a temporary object store, deleted with this
        object. Raises SourceError without a worktree or in the middle of a merge.
        """
        if self.is_bare:
            raise SourceError("a bare repository has no worktree", where=str(self.path), hint="leave --worktree out")
        top = str(self.worktree_root())
        index = self._git_path("index")
        scratch = self._scratch()
        copy = Path(scratch["GIT_OBJECT_DIRECTORY"], "index")
        if (self.git_dir / index).exists():
            # The copy keeps the modification time: git compares it with the files' to find changed ones.
            shutil.copy2(self.git_dir / index, copy)
        # Filters are programs of the clone's own configuration, and reading must not run them.
        env = {**scratch, **environment(HARMLESS | self._filters_off()), **_NOBODY, "GIT_INDEX_FILE": str(copy)}

        def inside(*command: str, stdin: bytes = b"") -> bytes:
            return self._git(
                f"--git-dir={self.git_dir}", f"--work-tree={top}", *command, stdin=stdin, env=env, cwd=top
            ).stdout

        if inside("ls-files", "--unmerged"):
            raise SourceError("the worktree is in the middle of a merge", where=top, hint="finish or abort it first")
        # Only changed files are hashed again: the copied index knows all others.
        changed = inside("ls-files", "-z", "--modified", "--deleted").split(b"\0")
        untracked = inside("ls-files", "-z", "--others", "--exclude-standard").split(b"\0")
        changed += [path for path in untracked if _is_small_file(os.path.join(os.fsencode(top), path))]  # noqa: PTH118
        inside("update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=b"\0".join(changed))
        tree = inside("write-tree").decode().strip()
        parents = ("-p", self._id(parent)) if parent else ()
        return inside("commit-tree", self._id(tree), *parents, "-m", "worktree").decode().strip()

    def history(self, tip: str, paths: Sequence[str], most: int) -> tuple[Revision, ...]:
        """Returns at most ``most`` commits of the branch's first parents that changed a file, newest first.

        ``paths`` are files of ``tip``, and are followed through renames. Raises SourceError for a shallow clone.
        """
        if self.is_shallow:
            raise SourceError(
                "this shallow clone hides the history", where=str(self.path), hint="git fetch --unshallow"
            )
        events = {path: tuple(self._events(tip, path, most)) for path in paths}
        line = self._in("rev-list", "--first-parent", self._id(tip)).stdout.decode().split()
        position = {sha: number for number, sha in enumerate(line)}
        touched = {event.sha: event for path in paths for event in events[path]}
        found = []
        for sha in sorted(touched, key=position.__getitem__)[:most]:
            known = {
                path: next((event.paths for event in events[path] if position[event.sha] >= position[sha]), {})
                for path in paths
            }
            at = {path: then[path] for path, then in known.items() if path in then}
            found.append(touched[sha].model_copy(update={"paths": at}))
        return tuple(found)

    def _events(self, tip: str, path: str, most: int) -> Iterator[Revision]:
        """Yields the commits that changed one path, newest first."""
        command = ["log", "--first-parent", "--diff-merges=first-parent", "--follow", "-M50%", "--name-status", "-z"]
        command += [
            f"-n{most}",
            "--no-ext-diff",
            "--no-textconv",
            "--format=%H%x00%an%x00%at%x00%s",
            self._id(tip),
            "--",
            path,
        ]
        # Names and subjects may hold any character but NUL.
        fields = iter(self._in("--literal-pathspecs", *command).stdout.split(b"\0"))
        for sha in fields:
            if not sha:
                break
            author, when, subject, status = next(fields), next(fields), next(fields), next(fields).strip()
            # A rename names both paths.
            then = [next(fields) for _ in range(2 if status[:1] in (b"R", b"C") else 1)][-1]
            yield Revision(
                sha=sha.decode(),
                author=text(author),
                when=_time(when),
                subject=text(subject),
                paths={} if status == b"D" else {path: text(then)},
            )

    def with_files(self, commit: str, revision: Revision, paths: Sequence[str], parent: str | None) -> str:
        """Returns a commit with the tree of ``commit``, in which ``paths`` are as they were in ``revision``.

        The commit lives in a temporary object store, deleted with this object.
        """
        scratch = self._scratch()
        env = {**scratch, **_NOBODY, "GIT_INDEX_FILE": str(Path(scratch["GIT_OBJECT_DIRECTORY"], "index"))}
        rows = [f"0 {'0' * len(commit)}\t{path}" for path in paths]
        for path, then in revision.paths.items():
            entry = self.entry(revision.sha, then)
            rows += [f"{entry.mode} {entry.blob}\t{path}"] if entry else []
        self._in("read-tree", self._id(commit), env=env)
        self._in("update-index", "-z", "--index-info", stdin="\0".join((*rows, "")).encode(), env=env)
        tree = self._in("write-tree", env=env).stdout.decode().strip()
        parents = ("-p", self._id(parent)) if parent else ()
        return self._in("commit-tree", self._id(tree), *parents, "-m", "version", env=env).stdout.decode().strip()

    def files(self, commit: str, path: str) -> tuple[str, ...]:
        """Returns the file at ``path``, or every file below that folder."""
        command = ["ls-tree", "-r", "-z", "--full-tree", self._id(commit), "--", path]
        return tuple(self._listed(self._in("--literal-pathspecs", *command).stdout))

    def _filters_off(self) -> dict[str, str]:
        """Returns settings that switch off every filter driver of the repository's own configuration."""
        listed = self._in("config", "-z", "--name-only", "--get-regexp", r"^filter\.", check=False).stdout
        drivers = {text(name).rpartition(".")[0] for name in listed.split(b"\0") if name}
        return {f"{driver}.{key}": "" for driver in sorted(drivers) for key in ("clean", "process")} | {
            f"{driver}.required": "false" for driver in sorted(drivers)
        }


def _time(seconds: bytes) -> datetime:
    """Returns the time of a commit, or 1970 for one that no calendar has: its author may write any number."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _is_small_file(path: bytes) -> bool:
    """Returns whether ``path`` is a file or link within the size limit. A nested repository (``folder/``) isn't."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    # Git lists a nested repository as one folder, and its files belong to another history.
    return not path.endswith(b"/") and found.st_size <= LARGEST_UNTRACKED
