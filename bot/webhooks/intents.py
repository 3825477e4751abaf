"""The requests of webhooks as values. They are only hints: handlers read the current state from GitHub again."""

from __future__ import annotations

from enum import StrEnum

from bot.store.values import RepositoryRef
from schemas.payloads import Body, Branch, Id, Instant, Login, Sha, Url
from schemas.values import Value

RERUN = "rerun"
"""The identifier of the check run's button."""


class PullRequestMoved(Value):
    """A pull request has a new head or a new base, or was reopened."""

    repo: RepositoryRef
    number: Id
    why: str
    left: Sha | None = None
    """The head before a push."""


class PullRequestClosed(Value):
    """A pull request was merged or closed: nothing needs to be measured any more."""

    repo: RepositoryRef
    number: Id


class ReviewGiven(Value):
    """A review approved or requested changes, or was dismissed."""

    repo: RepositoryRef
    number: Id


class RerunRequested(Value):
    """A person pressed a button of the check."""

    repo: RepositoryRef
    number: Id | None
    """The pull request, where the payload names exactly one of this repository. A fork's is never named."""
    head_sha: Sha
    by: Login
    check_run_id: Id | None = None
    """``None`` requests the whole suite."""


class CommandPosted(Value):
    """A new comment on a pull request that may be a command."""

    repo: RepositoryRef
    number: Id
    comment_id: Id
    author: Login
    body: Body
    url: Url
    posted_at: Instant


class QueueEntered(Value):
    """The merge queue waits for a check of a merge commit."""

    repo: RepositoryRef
    base_ref: Branch
    base_sha: Sha
    head_ref: Branch
    head_sha: Sha
    number: Id | None
    """The last pull request of the group."""


class QueueLeft(Value):
    """The merge queue no longer waits for the check."""

    repo: RepositoryRef
    head_sha: Sha


class Pushed(Value):
    """A branch moved. It may be the base of pull requests."""

    repo: RepositoryRef
    branch: Branch
    sha: Sha
    to_default: bool = False
    """Whether it is the default branch."""


class InstallationState(StrEnum):
    """The state of an installation of the App."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class InstallationChanged(Value):
    """The App was installed, suspended or removed, or was granted other permissions."""

    installation_id: Id
    account: str
    """Empty where the payload doesn't say."""
    state: InstallationState


class RepositoriesChanged(Value):
    """An installation covers other repositories than before."""

    installation_id: Id
    added: tuple[RepositoryRef, ...]
    removed: tuple[RepositoryRef, ...]


class Ping(Value):
    """GitHub tests the webhook."""


class Ignored(Value):
    """Nothing needs to be done, and why."""

    why: str


Intent = (
    PullRequestMoved
    | PullRequestClosed
    | ReviewGiven
    | RerunRequested
    | CommandPosted
    | QueueEntered
    | QueueLeft
    | Pushed
    | InstallationChanged
    | RepositoriesChanged
    | Ping
    | Ignored
)
