"""What the place where pull requests live (GitHub) knows about them."""

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
    """One commit status: the newest of its context counts."""

    context: str
    state: CommitState
    description: str = Field(max_length=140)
    target_url: str | None = None
    created_at: str | None = None
    """UTC, ISO 8601; set by the host."""


class HostedPullRequest(Value):
    """A pull request as it is now.

    GitHub's ``base.sha`` is left out on purpose: it is not kept current. Ask for the tip of ``base_ref`` instead.
    """

    number: int
    is_open: bool
    merged: bool
    author: str
    base_ref: str
    default_branch: str
    """Of the repository that it goes to."""
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


class HeadCommit(Value):
    """One commit of a pull request."""

    sha: Sha
    parents: tuple[Sha, ...]
    people: tuple[str, ...]
    """Logins of its author, committer and co-authors, as far as they can be told."""


class Push(Value):
    """One push to the branch of a pull request."""

    by: str
    """Login; empty where GitHub doesn't say. A bot's ends in ``[bot]``."""
    before: Sha
    after: Sha


class Authorship(Value):
    """Who made the head of a pull request."""

    author: str
    """Login of the author. A bot's ends in ``[bot]``."""
    commits: tuple[HeadCommit, ...]
    pushes: tuple[Push, ...]
    complete: bool = True
    """False: GitHub did not show every commit, or not who pushed."""


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


class Annotation(Value):
    """A remark on lines of the head's version of a file. Texts are raw, but for what can't be seen."""

    level: Literal["error", "warning"]
    path: str
    start_line: int
    end_line: int
    title: str
    message: str


class CheckConclusion(StrEnum):
    """How a check run of ours ends. Neutral and skipped are left out on purpose: GitHub counts both as passed."""

    SUCCESS = "success"
    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"


class CheckAction(Value):
    """A button on a check run."""

    label: str = Field(max_length=20)
    description: str = Field(max_length=40)
    identifier: str = Field(max_length=20)
    """Comes back with the event of the click."""


class CheckRun(Value):
    """A check run as we want it to stand."""

    name: str
    head_sha: Sha
    external_id: str = Field(min_length=1)
    """Our own name of it: a second one with the same id is never made."""
    conclusion: CheckConclusion | None = None
    """``None``: it is under way."""
    title: str = Field(max_length=TITLE_LIMIT)
    summary: str = Field(max_length=FIELD_LIMIT)
    text: str = Field(default="", max_length=FIELD_LIMIT)
    details_url: str | None = None
    annotations: tuple[Annotation, ...] = ()
    """Only ever grows: what was annotated once is never sent again, and can't be taken back."""
    actions: tuple[CheckAction, ...] = Field(default=(), max_length=3)


class HostedCheck(Value):
    """A check run as GitHub shows it."""

    id: int
    name: str
    head_sha: Sha
    external_id: str
    app_id: int | None
    """Whose it is."""
    conclusion: str | None
    """GitHub's word; ``None`` while it is under way."""
    title: str
    url: str
    started_at: str | None
    """UTC, ISO 8601."""
    annotations: int
    """How many it has."""


class Installation(Value):
    """An account that installed the App."""

    id: int
    account: str
    permissions: dict[str, str]
    """Granted: permission → ``read``, ``write`` or ``admin``. The App may have asked for more since."""
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
    """The account that registered it; empty where GitHub doesn't say."""
    permissions: dict[str, str]
    events: tuple[str, ...]
    url: str

    @property
    def login(self) -> str:
        """Who its comments are by."""
        return f"{self.slug}[bot]"


class HookSettings(Value):
    """Where GitHub sends the App's webhooks."""

    url: str
    content_type: str
    verifies_tls: bool
    has_secret: bool


class HookDelivery(Value):
    """One attempt of GitHub to deliver a webhook. A redelivery has its own ``id`` and the same ``guid``."""

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
    """A check that a branch requires before anything is merged."""

    name: str
    app_id: int | None
    """Only this App may report it; ``None``: anybody with write access may."""
    up_to_date: bool | None = None
    """Whether a branch must be up to date with its base as well; ``None``: GitHub doesn't show it."""
    queued: bool = False
    """Whether the branch has a merge queue, which measures what is merged."""
