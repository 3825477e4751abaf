"""What both shells reduce their event to."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.values import Value


class Trust(StrEnum):
    """Who wrote the head."""

    OPERATOR = "operator"
    """A laptop: the person who owns the keys."""
    SAME_REPOSITORY = "same_repository"
    FORK = "fork"
    FORK_APPROVED = "fork_approved"
    """A maintainer approved exactly this head sha."""


class PullRequest(Value):
    """Two commits and how far their author is trusted."""

    base_ref: str
    base_sha: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Tip of the base ref: policy and gating tests are read here."""
    head_ref: str
    head_sha: str = Field(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Candidate prompts are read here, as data."""
    trust: Trust
    repository: str | None = None
    """``owner/name`` on the host; ``None`` on a laptop."""
    number: int | None = None
    author: str | None = None
    default_ref: str | None = None
    """The default branch, where the base is another branch and a success counts for the default branch as well."""
    default_sha: str | None = Field(default=None, pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Its tip."""

    @property
    def commits(self) -> tuple[str, ...]:
        """Every commit that has to be read."""
        return tuple(sha for sha in (self.base_sha, self.head_sha, self.default_sha) if sha)
