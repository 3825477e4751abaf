"""Real git repositories for tests: built by one ``git fast-import``, with fixed dates and names, in milliseconds.

repository = Repository(tmp_path)
base = repository.commit({"prompts/a.md": "Hello {{ name }}"})
head = repository.commit({"prompts/a.md": "Hi {{ name }}"}, branch="feature", parent=base)
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WHO = "Test Author <author@example.com>"
BORN = 1_700_000_000
"""Seconds since the epoch of the first commit; each later one is a minute younger."""
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.fsync",
    "GIT_CONFIG_VALUE_0": "none",
}


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Submodule:
    """A commit of another repository."""

    commit: str


@dataclass(frozen=True)
class Executable:
    """A file with mode 100755."""

    content: str | bytes


Content = str | bytes | Link | Submodule | Executable | None
"""What a path holds; ``None`` deletes it."""


class Repository:
    """A repository in ``path`` that grows commit by commit."""

    def __init__(self, path: Path, *, bare: bool = False, object_format: str = "sha1", branch: str = "main") -> None:
        self.path = path
        self.branch = branch
        self.commits = 0
        path.mkdir(parents=True, exist_ok=True)
        options = [f"--object-format={object_format}", f"--initial-branch={branch}", "--template="]
        self.git("init", "--quiet", *options, *(["--bare"] if bare else []))

    def git(self, *command: str, stdin: bytes = b"", check: bool = True) -> str:
        """What ``git command`` prints, without the last line end."""
        done = subprocess.run(
            ["git", *command], cwd=self.path, input=stdin, env=ENVIRONMENT, check=check, capture_output=True
        )
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def commit(
        self,
        files: Mapping[str, Content],
        *,
        branch: str | None = None,
        parent: str | None = None,
        orphan: bool = False,
        merged: Sequence[str] = (),
        message: str = "A change",
    ) -> str:
        """Commits ``files`` on top of ``branch`` (or of ``parent``, or of nothing) and returns the commit's id.

        ``merged`` are further parents: nothing of their trees is taken.
        """
        branch = branch or self.branch
        date = f"{WHO} {BORN + 60 * self.commits} +0000"
        ref = f"refs/heads/{branch}"
        lines = [f"commit {ref}", "mark :1", f"author {date}", f"committer {date}"]
        stream = bytearray("\n".join(lines).encode() + b"\n" + data(message.encode()))
        parent = parent or (None if orphan else self.git("rev-parse", "--verify", "--quiet", ref, check=False)) or None
        if parent:
            stream += f"from {parent}\n".encode()
        for other in merged:
            stream += f"merge {other}\n".encode()
        for path, content in files.items():
            stream += change(path, content)
        stream += b"\nget-mark :1\ndone\n"
        self.commits += 1
        return self.git("fast-import", "--quiet", "--force", "--done", stdin=bytes(stream))

    def checkout(self, ref: str) -> None:
        """Fills the worktree and the index."""
        self.git("checkout", "--quiet", "--force", ref)


def change(path: str, content: Content) -> bytes:
    """One path as fast-import reads it."""
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    name = quoted.encode(errors="surrogateescape")
    match content:
        case None:
            return b"D " + name + b"\n"
        case Link(target):
            return b"M 120000 inline " + name + b"\n" + data(target.encode())
        case Submodule(commit):
            return b"M 160000 " + commit.encode() + b" " + name + b"\n"
        case Executable(inner):
            return b"M 100755 inline " + name + b"\n" + data(inner.encode() if isinstance(inner, str) else inner)
        case _:
            raw = content.encode() if isinstance(content, str) else content
            return b"M 100644 inline " + name + b"\n" + data(raw)


def data(content: bytes) -> bytes:
    """A counted block of fast-import."""
    return f"data {len(content)}\n".encode() + content + b"\n"
