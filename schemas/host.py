"""What the place where pull requests live (GitHub) knows about them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.values import Value

Sha = str
"""A commit id: 40 (or 64) hexadecimal digits."""


class CommitState(StrEnum):
    """The state of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class CommitStatus(Value):
    """One commit status: the newest of its context counts."""

    context: str
    state: CommitState
    description: str = Field(max_length=140)
    target_url: str | None = None
    created_at: str | None = None
    """UTC, ISO 8601; set by the host."""


class HostedPullRequest(Value):
    """A pull request as it is now."""

    number: int
    is_open: bool
    merged: bool
    author: str
    base_ref: str
    base_sha: Sha
    """Tip of the base ref."""
    head_ref: str
    head_sha: Sha
    head_repository: str | None
    """``owner/name``; ``None`` when the fork was deleted."""
    merge_commit_sha: Sha | None = None


class ReviewState(StrEnum):
    """What a review says."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    COMMENTED = "commented"
    DISMISSED = "dismissed"
    PENDING = "pending"


class Review(Value):
    """One review of a pull request."""

    reviewer: str
    state: ReviewState
    commit: Sha | None
    """The head that was reviewed."""
    submitted_at: str
    """UTC, ISO 8601."""
    url: str


class Role(StrEnum):
    """What a person may do in a repository, lowest first."""

    NONE = "none"
    """No access, or none that could be told."""
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"


class Comment(Value):
    """A comment of ours."""

    id: int
    url: str


class Artifact(Value):
    """Files that a workflow run left behind."""

    id: int
    name: str
    size: int
    """Bytes."""
    head_sha: Sha
    same_repository: bool
    """The run's head lay in this repository, not in a fork."""
    created_at: str
