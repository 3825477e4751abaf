"""Builds a real git repository from the examples, with a branch for each pull request of the demo.

One ``git fast-import`` writes all commits. Dates and authors are fixed, so the shas are the same on every machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from schemas.errors import UsageError
from schemas.values import Value
from schemas.verdicts import ReasonCode, VerdictStatus

AUTHOR = "Ada Example <ada@tidewell.example>"
START = 1_760_000_000
"""Seconds since 1970 of the first commit. The others follow one hour apart."""


class Step(Value):
    """A commit of the main branch."""

    message: str
    files: dict[str, str]
    """Files or folders of the examples → their paths in the repository."""


class Proposal(Value):
    """A pull request as the examples describe it."""

    name: str
    """The branch, which is also the folder of its files."""
    branch: str
    title: str
    story: str
    """Two or three sentences for the reader."""
    expect: VerdictStatus
    because: ReasonCode
    slice: str | None = None
    """The slice in the reason."""


class StagedPullRequest(Proposal):
    """A staged pull request: two commits of a repository."""

    base: str
    head: str


@dataclass(frozen=True, slots=True)
class _Commit:
    mark: int
    branch: str
    parent: int | None
    message: str
    files: Mapping[str, bytes]


def stage(target: Path, examples: Traversable | None = None) -> tuple[StagedPullRequest, ...]:
    """Builds the repository in ``target``; returns its pull requests.

    Raises UsageError if ``target`` isn't empty.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError("the folder is not empty", where=str(target), hint="choose a new or empty folder")
    source = examples or files("examples")
    proposals = TypeAdapter(tuple[Proposal, ...]).validate_python(_document(source, "pull-requests.yaml"))
    commits = list(_commits(source, proposals))
    target.mkdir(parents=True, exist_ok=True)
    _git(target, "init", "--quiet", "--initial-branch=main")
    _git(target, "fast-import", "--quiet", stdin=b"".join(_stream(commit) for commit in commits))
    _git(target, "reset", "--quiet", "--hard", "main")
    base = _git(target, "rev-parse", "main").decode().strip()
    heads = _git(target, "rev-parse", *(proposal.branch for proposal in proposals)).decode().split()
    return tuple(
        StagedPullRequest(**proposal.model_dump(), base=base, head=head)
        for proposal, head in zip(proposals, heads, strict=True)
    )


def _document(source: Traversable, name: str) -> object:
    return yaml.safe_load((source / name).read_text(encoding="utf-8"))


def _commits(source: Traversable, proposals: tuple[Proposal, ...]) -> Iterator[_Commit]:
    steps = TypeAdapter(tuple[Step, ...]).validate_python(_document(source, "history.yaml"))
    for mark, step in enumerate(steps, start=1):
        changed = {path: data for here, there in step.files.items() for path, data in _tree(source, here, there)}
        yield _Commit(mark, "main", mark - 1 or None, step.message, changed)
    for mark, proposal in enumerate(proposals, start=len(steps) + 1):
        changed = dict(_tree(source / "pull-requests", proposal.name, ""))
        yield _Commit(mark, proposal.branch, len(steps), proposal.title, changed)


def _tree(source: Traversable, here: str, there: str) -> Iterator[tuple[str, bytes]]:
    """Reads the files below ``here``, by their paths below ``there``."""
    item = source.joinpath(*here.split("/"))
    if item.is_file():
        yield there, item.read_bytes()
        return
    for child in sorted(item.iterdir(), key=lambda child: child.name):
        yield from _tree(item, child.name, f"{there}/{child.name}".lstrip("/"))


def _stream(commit: _Commit) -> bytes:
    """Returns the commit as ``git fast-import`` reads it."""
    message = f"{commit.message}\n".encode()
    lines = [
        f"commit refs/heads/{commit.branch}".encode(),
        f"mark :{commit.mark}".encode(),
        f"committer {AUTHOR} {START + 3600 * commit.mark} +0000".encode(),
        b"data %d\n%s" % (len(message), message),
        *([f"from :{commit.parent}".encode()] if commit.parent else []),
        *(
            b"M 100644 inline %s\ndata %d\n%s" % (path.encode(), len(data), data)
            for path, data in sorted(commit.files.items())
        ),
        b"",
    ]
    return b"\n".join(lines)


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Runs git without the machine's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, input=stdin, env=environment, capture_output=True, check=True).stdout  # noqa: S603
