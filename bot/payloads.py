"""The parts of GitHub's webhook payloads that we read; whatever else they carry does not matter to us.

docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[int, Field(gt=0, lt=2**63)]
Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
RepositoryName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/\.{0,2}[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$"),
]
"""``owner/name``; never ``owner/..``: the name becomes part of addresses."""
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}(?:\[bot\])?$")]
Branch = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f~^:?*\[\\-][^\x00-\x20\x7f~^:?*\[\\]{0,249}$")]
"""A branch without ``refs/heads/``; never anything that git could take for an option."""
Ref = Annotated[str, StringConstraints(max_length=300)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!#-;=?-~]{1,2000}$")]
Instant = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""UTC, as GitHub writes it."""
Body = Annotated[str, StringConstraints(max_length=65_536)]
"""As long as a comment can be."""


class Part(BaseModel):
    """A number is a number, a text a text; keys that we don't know are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Thing(Part):
    """Anything with an id."""

    id: Id


class Account(Part):
    """A person, an organisation or an App."""

    login: Login
    type: str | None = None


class Owner(Part):
    """Who installed the App: an enterprise has a slug where all others have a login."""

    login: str | None = None
    slug: str | None = None

    @property
    def name(self) -> str:
        """How it is called; empty where the payload doesn't say."""
        return self.login or self.slug or ""


class Repository(Thing):
    """A repository as every event names it."""

    full_name: RepositoryName


class DefaultBranch(Repository):
    """A repository with its default branch."""

    default_branch: str


class Here(Part):
    """What every event about a repository carries, when it was sent to an App."""

    installation: Thing
    repository: Repository


class Pull(Part):
    """The pull request that an event is about."""

    number: Id
    state: Literal["open", "closed"]


class Changes(Part):
    """What ``edited`` changed."""

    base: object = None


class PullRequestEvent(Here):
    """The event ``pull_request``."""

    action: str
    pull_request: Pull
    changes: Changes = Changes()
    before: Sha | None = None
    """The head before a push."""


class Review(Part):
    """What a review says."""

    state: str


class ReviewEvent(Here):
    """The event ``pull_request_review``."""

    action: str
    review: Review
    pull_request: Pull


class Base(Part):
    """Where a pull request wants to go."""

    repo: Thing


class NamedPull(Part):
    """A pull request that contains the head of a check; it may be one of another repository."""

    number: Id
    base: Base


class CheckRun(Part):
    """A check run."""

    id: Id
    name: str
    head_sha: Sha
    pull_requests: list[NamedPull] = []


class Button(Part):
    """The button that was pressed."""

    identifier: str


class CheckRunEvent(Here):
    """The event ``check_run``."""

    action: str
    check_run: CheckRun
    requested_action: Button | None = None
    sender: Account


class CheckSuite(Part):
    """All our checks of one commit."""

    head_sha: Sha
    pull_requests: list[NamedPull] = []


class CheckSuiteEvent(Here):
    """The event ``check_suite``."""

    action: str
    check_suite: CheckSuite
    sender: Account


class Issue(Part):
    """An issue, or a pull request seen as one."""

    number: Id
    pull_request: object = None


class Comment(Part):
    """A comment below an issue or a pull request."""

    id: Id
    body: Body
    html_url: Url
    created_at: Instant
    user: Account


class CommentEvent(Here):
    """The event ``issue_comment``."""

    action: str
    issue: Issue
    comment: Comment


class MergeGroup(Part):
    """A merge that the queue made."""

    head_sha: Sha
    head_ref: Ref
    base_ref: Ref
    base_sha: Sha


class MergeGroupEvent(Here):
    """The event ``merge_group``."""

    action: str
    merge_group: MergeGroup


class PushEvent(Here):
    """The event ``push``."""

    repository: DefaultBranch
    ref: Ref
    after: Sha
    deleted: bool = False


class Installation(Thing):
    """An installation with its owner."""

    account: Owner = Owner()


class InstallationEvent(Part):
    """The event ``installation``."""

    action: str
    installation: Installation


class RepositoriesEvent(Part):
    """The event ``installation_repositories``."""

    installation: Thing
    repositories_added: list[Repository]
    repositories_removed: list[Repository]
