"""What is to be done, as values: what a webhook says happened, reduced to that. Hints only: the truth is read again."""

from __future__ import annotations

from enum import StrEnum

from bot.payloads import Body, Branch, Id, Instant, Login, RepositoryName, Sha, Url
from schemas.values import Value


class Place(Value):
    """One repository of one installation of the App."""

    installation_id: Id
    repository_id: Id
    repository: RepositoryName
    """``owner/name`` of the moment: repositories are renamed, their ids stay."""


class PullRequestMoved(Value):
    """A pull request has a new head or a new base, or is open again."""

    place: Place
    number: Id
    why: str
    left: Sha | None = None
    """The head that it had before, after a push."""


class PullRequestClosed(Value):
    """Merged or given up: nothing needs to be measured any more."""

    place: Place
    number: Id


class ReviewGiven(Value):
    """Somebody approved, asked for changes, or a review was dismissed."""

    place: Place
    number: Id


class RerunAsked(Value):
    """Somebody pressed a button of the check."""

    place: Place
    number: Id | None
    """The pull request, where the payload names exactly one of this repository (a fork's is never named)."""
    head_sha: Sha
    by: Login
    check_run_id: Id | None = None
    """None: the whole suite was asked for."""


class CommandPosted(Value):
    """A new comment below a pull request that may be a command."""

    place: Place
    number: Id
    comment_id: Id
    author: Login
    body: Body
    url: Url
    posted_at: Instant


class QueueEntered(Value):
    """The merge queue asks about a merge that it made."""

    place: Place
    base_ref: Branch
    base_sha: Sha
    head_ref: Branch
    head_sha: Sha
    number: Id | None
    """The pull request that was merged last into the group."""


class QueueLeft(Value):
    """The merge queue has no use for the answer any more."""

    place: Place
    head_sha: Sha


class Pushed(Value):
    """A branch moved. Pull requests may have it as their base."""

    place: Place
    branch: Branch
    sha: Sha


class InstallationState(StrEnum):
    """What an installation may expect of us."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class InstallationChanged(Value):
    """The App was installed, suspended or removed, or was given other permissions."""

    installation_id: Id
    account: str
    """Empty where the payload doesn't say."""
    state: InstallationState


class RepositoriesChanged(Value):
    """An installation covers other repositories than before."""

    installation_id: Id
    added: tuple[Place, ...]
    removed: tuple[Place, ...]


class Ping(Value):
    """GitHub tries the webhook."""


class Ignored(Value):
    """Nothing is to be done, and why."""

    why: str


Intent = (
    PullRequestMoved
    | PullRequestClosed
    | ReviewGiven
    | RerunAsked
    | CommandPosted
    | QueueEntered
    | QueueLeft
    | Pushed
    | InstallationChanged
    | RepositoriesChanged
    | Ping
    | Ignored
)
