"""Decides which repositories a reader may see, by asking GitHub with the reader's own token."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.github.proposals import DefaultFile, Proposal, ProposedPullRequest
    from bot.store.values import RepositoryRef


class SignedOut(Exception):  # noqa: N818 - an expected answer, not an error
    """GitHub doesn't know the reader's token any more: they must sign in again."""


class Role(IntEnum):
    """What a person may do in a repository, as GitHub says. Each includes those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    MAINTAIN = 3


class Proposer(Protocol):
    """Opens pull requests of one repository in a person's name. Methods block. Raise HostError and SignedOut."""

    def file(self, path: str) -> DefaultFile | None:
        """Returns a file of the default branch; ``None`` if there is none."""
        ...

    def open(self, file: DefaultFile, wanted: Proposal) -> ProposedPullRequest:
        """Opens the pull request, or finds the one that the same proposal opened before."""
        ...


class Visitor(Protocol):
    """A reader of the pages."""

    @property
    def login(self) -> str | None:
        """The GitHub login; ``None`` for the one reader of a local site."""
        ...

    def role(self, repo: RepositoryRef) -> Role:
        """Returns what the reader may do in a repository. Blocks. Raises HostError and SignedOut."""
        ...

    def repositories(self) -> Collection[int] | None:
        """Returns the repositories that the reader sees; ``None``: all. Blocks. Raises HostError and SignedOut."""
        ...

    def file(self, repo: RepositoryRef, path: str, commit: str) -> bytes | None:
        """Returns a file of a commit as the reader sees it; ``None`` if there is none. Blocks. Raises HostError."""
        ...

    def default_file(self, repo: RepositoryRef, path: str) -> DefaultFile | None:
        """Returns a file of the default branch as the reader sees it; ``None`` if there is none. Blocks. Raises
        HostError and SignedOut."""
        ...

    def proposer(self, repo: RepositoryRef) -> Proposer | None:
        """Returns what opens pull requests; ``None`` for a reader without write access, or if the App may not write
        contents. Blocks. Raises HostError and SignedOut."""
        ...


class LocalVisitor:
    """``Visitor`` of a site on loopback. Users of this machine can read its database anyway."""

    login: str | None = None

    def role(self, repo: RepositoryRef) -> Role:  # noqa: ARG002
        """Returns ``Role.READ`` for every repository."""
        return Role.READ

    def repositories(self) -> None:
        """Returns ``None``: all."""

    def file(self, repo: RepositoryRef, path: str, commit: str) -> None:
        """Returns ``None``: a local reader has no GitHub token."""

    def default_file(self, repo: RepositoryRef, path: str) -> None:
        """Returns ``None``: a local reader has no GitHub token."""

    def proposer(self, repo: RepositoryRef) -> None:
        """Returns ``None``: a local reader has no GitHub token."""
