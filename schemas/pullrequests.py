"""The pull request, as both shells derive it from their events."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.values import Value


class Trust(StrEnum):
    """Trust in the author of the head."""

    OPERATOR = "operator"
    """A local run by the owner of the keys."""
    SAME_REPOSITORY = "same_repository"
    FORK = "fork"
    FORK_APPROVED = "fork_approved"
    """A maintainer approved exactly this head."""


class PullRequest(Value):
    """Two commits, and the trust in their author."""

    base_ref: str
    base_sha: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Tip of the base ref. Policy and gating tests come from here."""
    head_ref: str
    head_sha: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Head. Candidate prompts are read from here, as data."""
    trust: Trust
    repository: str | None = None
    """``owner/name`` on the host; ``None`` for a local run."""
    number: int | None = None
    author: str | None = None
    default_ref: str | None = None
    """The default branch, if the base is another branch and a success also counts for the default branch."""
    default_sha: str | None = Field(default=None, pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Its tip."""

    @property
    def commits(self) -> tuple[str, ...]:
        """All commits that have to be read."""
        return tuple(sha for sha in (self.base_sha, self.head_sha, self.default_sha) if sha)
