"""Data types of the host of pull requests (GitHub)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.values import Value

TITLE_LIMIT = 255
"""Characters of a check run's title, by GitHub's limit."""
FIELD_LIMIT = 65_535
"""Characters of a check run's summary or text, by GitHub's limit."""

Sha = str
"""A commit id: 40 (or 64) hexadecimal digits."""


class CommitState(StrEnum):
    """The state of a commit status."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class CommitStatus(Value):
    """One commit status. The newest of its context counts."""

    context: str
    state: CommitState
    description: str = Field(max_length=140)
    target_url: str | None = None
    created_at: str | None = None
    """UTC, ISO 8601. Set by the host."""


class HostedPullRequest(Value):
    """The current state of a pull request.

    GitHub's ``base.sha`` is left out: GitHub doesn't keep it current. Ask for the tip of ``base_ref`` instead.
    """

    number: int
    is_open: bool
    merged: bool
    author: str
    base_ref: str
    default_branch: str
    """Default branch of the target repository."""
    head_ref: str
    head_sha: Sha
    head_repository: str | None
    """``owner/name``; ``None`` if the fork was deleted."""
    merge_commit_sha: Sha | None = None


class ReviewState(StrEnum):
    """The state of a review."""

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


class HeadCommit(Value):
    """One commit of a pull request."""

    sha: Sha
    parents: tuple[Sha, ...]
    people: tuple[str, ...]
    """Logins of its author, committer and co-authors, as far as they are known."""


class Push(Value):
    """One push to the branch of a pull request."""

    by: str
    """Login; empty if GitHub doesn't say. A bot's ends in ``[bot]``."""
    before: Sha
    after: Sha


class Authorship(Value):
    """The people who made the head of a pull request."""

    author: str
    """Login of the author. A bot's ends in ``[bot]``."""
    commits: tuple[HeadCommit, ...]
    pushes: tuple[Push, ...]
    complete: bool = True
    """False: GitHub did not show every commit, or who pushed."""


class Role(StrEnum):
    """What a person may do in a repository, lowest first."""

    NONE = "none"
    """No access, or unknown access."""
    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"


class Comment(Value):
    """A comment of ours."""

    id: int
    url: str


class HostedIssue(Value):
    """An issue as GitHub shows it."""

    number: int
    is_open: bool
    body: str
    url: str
    closed_by: str = ""
    """Login; empty if it is open, or if GitHub doesn't say."""


class Artifact(Value):
    """Files uploaded by a workflow run."""

    id: int
    name: str
    size: int
    """Bytes."""
    head_sha: Sha
    same_repository: bool
    """Whether the run's head was in this repository, not in a fork."""
    created_at: str


class Annotation(Value):
    """A remark on lines of a file at the head. Texts are raw, except for invisible characters."""

    level: Literal["error", "warning"]
    path: str
    start_line: int
    end_line: int
    title: str
    message: str


class CheckConclusion(StrEnum):
    """Conclusion of one of our check runs. Neutral and skipped are left out: GitHub counts both as passed."""

    SUCCESS = "success"
    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"


class CheckAction(Value):
    """A button on a check run."""

    label: str = Field(max_length=20)
    description: str = Field(max_length=40)
    identifier: str = Field(max_length=20)
    """Returned with the event of the click."""


class CheckRun(Value):
    """The desired state of a check run."""

    name: str
    head_sha: Sha
    external_id: str = Field(min_length=1)
    """Our own id. A second check run with the same id is never created."""
    conclusion: CheckConclusion | None = None
    """``None``: in progress."""
    title: str = Field(max_length=TITLE_LIMIT)
    summary: str = Field(max_length=FIELD_LIMIT)
    text: str = Field(default="", max_length=FIELD_LIMIT)
    details_url: str | None = None
    annotations: tuple[Annotation, ...] = ()
    """Only grows: GitHub appends annotations and can't remove them."""
    actions: tuple[CheckAction, ...] = Field(default=(), max_length=3)


class HostedCheck(Value):
    """A check run as GitHub shows it."""

    id: int
    name: str
    head_sha: Sha
    external_id: str
    app_id: int | None
    """The App that made it."""
    conclusion: str | None
    """GitHub's value; ``None`` while in progress."""
    title: str
    url: str
    started_at: str | None
    """UTC, ISO 8601."""
    annotations: int
    """Number of its annotations."""


class Installation(Value):
    """An account that installed the App."""

    id: int
    account: str
    permissions: dict[str, str]
    """Granted permissions → ``read``, ``write`` or ``admin``. The App may have requested more since."""
    events: tuple[str, ...]
    suspended: bool


class HostedRepository(Value):
    """A repository that an installation covers."""

    id: int
    full_name: str
    default_branch: str
    private: bool


class HostedApp(Value):
    """The App as GitHub knows it."""

    id: int
    slug: str
    owner: str
    """The account that registered it; empty if GitHub doesn't say."""
    permissions: dict[str, str]
    events: tuple[str, ...]
    url: str
    client_id: str | None = None
    """``None`` on an Enterprise Server that doesn't say."""

    @property
    def login(self) -> str:
        """The login of its comments."""
        return f"{self.slug}[bot]"


class HookSettings(Value):
    """Where GitHub sends the App's webhooks."""

    url: str
    content_type: str
    verifies_tls: bool
    has_secret: bool


class HookDelivery(Value):
    """One attempt by GitHub to deliver a webhook. A redelivery has a new ``id`` and the same ``guid``."""

    id: int
    guid: str
    event: str
    action: str | None
    delivered_at: datetime
    """UTC."""
    redelivery: bool
    status_code: int
    """Status of the response; 0 or 5xx if there was none."""
    installation_id: int | None
    repository_id: int | None

    @property
    def arrived(self) -> bool:
        """Whether it was accepted."""
        return 200 <= self.status_code < 300


class RequiredCheck(Value):
    """A check that a branch requires before a merge."""

    name: str
    app_id: int | None
    """The only App that may report it. ``None``: anyone with write access may."""
    up_to_date: bool | None = None
    """Whether a branch must also be up to date with its base. ``None``: GitHub doesn't show it."""
    queued: bool = False
    """Whether the branch has a merge queue, which measures the merge result."""


class HostedDeployment(Value):
    """A deployment on GitHub."""

    id: int
    sha: Sha
    environment: str
    payload: dict[str, str]
    """Only its values that are texts."""
