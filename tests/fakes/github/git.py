"""A real bare git repository behind the fake: commits for tests, the smart HTTP protocol, objects for the API."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Somebody",
    "GIT_AUTHOR_EMAIL": "somebody@example.com",
    "GIT_COMMITTER_NAME": "Somebody",
    "GIT_COMMITTER_EMAIL": "somebody@example.com",
}

Files = Mapping[str, str | bytes | None]
"""Path → new content; None deletes."""


class BareRepository:
    """A bare repository that serves partial clones and any object by id, as GitHub does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run("init", "--quiet", "--bare", "--initial-branch=main", "--template=", str(path))
        with (path / "config").open("a") as file:
            file.write("[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n")

    def run(self, *arguments: str, data: bytes | None = None, **environment: str) -> bytes:
        done = subprocess.run(
            ["git", *arguments], input=data, capture_output=True, check=False, env={**ENVIRONMENT, **environment}
        )
        if done.returncode != 0:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        return self.run("--git-dir", str(self.path), *arguments, data=data).decode().strip()

    def commit(
        self,
        branch: str,
        files: Files,
        *,
        parents: tuple[str, ...] = (),
        message: str = "change",
        wrote: str = "Somebody <somebody@example.com>",
    ) -> str:
        """One commit on ``branch`` (created where it isn't there); its sha. Without ``parents``: on top of the branch."""
        ref = f"refs/heads/{branch}"
        existing = self.find(ref)
        above = parents or ((existing,) if existing else ())
        text = message.encode()
        lines = [b"commit %s\nauthor %s 1790000000 +0000\n" % (ref.encode(), wrote.encode())]
        lines.append(b"committer Somebody <somebody@example.com> 1790000000 +0000\n")
        lines.append(b"data %d\n%s\n" % (len(text), text))
        lines += [(b"from " if n == 0 else b"merge ") + parent.encode() + b"\n" for n, parent in enumerate(above)]
        for path, content in files.items():
            if content is None:
                lines.append(b"D " + path.encode() + b"\n")
                continue
            data = content.encode() if isinstance(content, str) else content
            lines.append(b"M 100644 inline " + path.encode() + b"\ndata %d\n%s\n" % (len(data), data))
        self.git("fast-import", "--quiet", "--force", data=b"".join(lines))
        return self.resolve(ref)

    def find(self, name: str) -> str | None:
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"],
            capture_output=True, check=False, env=ENVIRONMENT,
        )  # fmt: skip
        return done.stdout.decode().strip() or None

    def resolve(self, name: str) -> str:
        found = self.find(name)
        assert found is not None, name
        return found

    def set_ref(self, ref: str, sha: str | None) -> None:
        self.git("update-ref", *(("-d", ref) if sha is None else (ref, sha)))

    def merge_base(self, one: str, other: str) -> str | None:
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), "merge-base", one, other],
            capture_output=True,
            check=False,
            env=ENVIRONMENT,
        )
        return done.stdout.decode().strip() or None

    def merge(self, branch: str, onto: str, head: str, message: str = "merge") -> str:
        """A merge commit of two tips that don't conflict, on ``branch``."""
        tree = self.git("merge-tree", "--write-tree", onto, head).splitlines()[0]
        sha = self.git("commit-tree", tree, "-p", onto, "-p", head, "-m", message)
        self.set_ref(f"refs/heads/{branch}", sha)
        return sha

    def advertise(self, protocol: str) -> bytes:
        packet = b"# service=git-upload-pack\n"
        head = b"%04x" % (len(packet) + 4) + packet + b"0000"
        body = self.run("upload-pack", "--stateless-rpc", "--advertise-refs", str(self.path), GIT_PROTOCOL=protocol)
        return head + body

    def upload_pack(self, request: bytes, protocol: str) -> bytes:
        """The answer; a refusal is part of the protocol."""
        done = subprocess.run(
            ["git", "upload-pack", "--stateless-rpc", str(self.path)],
            input=request, capture_output=True, check=False, env={**ENVIRONMENT, "GIT_PROTOCOL": protocol},
        )  # fmt: skip
        return done.stdout
