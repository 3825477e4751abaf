"""GitHub's event payloads: the fields that either shell reads, and what they mean. Pure.

A webhook's body and an Action's event file have the same shape. Unknown fields are ignored; a known field with a wrong
type raises pydantic's ``ValidationError``. Everything here comes from outside, so each text has a pattern or a limit.

docs.github.com/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Id = Annotated[int, Field(gt=0, lt=2**63)]
Sha = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
RepositoryName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/\.{0,2}[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$"),
]
"""``owner/name``, never ``owner/..``: the name becomes part of URLs."""
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}(?:\[bot\])?$")]
Branch = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f~^:?*\[\\-][^\x00-\x20\x7f~^:?*\[\\]{0,249}$")]
"""A branch without ``refs/heads/``. It can't start with a dash, so git never takes it for an option."""
Ref = Annotated[str, StringConstraints(max_length=300)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!#-;=?-~]{1,2000}$")]
Instant = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""UTC, as GitHub writes it."""
Body = Annotated[str, StringConstraints(max_length=65_536)]
"""GitHub's limit for a comment."""

BRANCHES = "refs/heads/"
QUEUE_REF = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,18})-[0-9a-f]+")
NEW_HEAD = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
"""Actions of ``pull_request`` after which a head must be measured."""
DECISIONS = frozenset({"approved", "changes_requested"})
"""States of a submitted review that can change whether a verdict is approved."""


class Payload(BaseModel):
    """The base of all payloads: strict types, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class HasId(Payload):
    """An object of which only the id is read."""

    id: Id


class Account(Payload):
    """A person, an organization or an App."""

    login: Login
    type: str | None = None

    @property
    def is_bot(self) -> bool:
        """Whether an App wrote this, not a person."""
        return self.type == "Bot" or self.login.endswith("[bot]")


class Owner(Payload):
    """The account that installed the App. An enterprise has a slug where all others have a login."""

    login: str | None = None
    slug: str | None = None

    @property
    def name(self) -> str:
        """The login or slug; empty where the payload has neither."""
        return self.login or self.slug or ""


class Repository(HasId):
    """A repository as every event names it."""

    full_name: RepositoryName


class RepositoryEvent(Payload):
    """The fields of every repository event that is sent to an App."""

    installation: HasId
    repository: Repository


class Commit(Payload):
    """A commit of which only the id is read."""

    sha: Sha


class EventPullRequest(Payload):
    """The pull request that an event is about."""

    number: Id
    state: Literal["open", "closed"]
    head: Commit

    @property
    def is_open(self) -> bool:
        """Whether it was open when the event was sent."""
        return self.state == "open"


class Changes(Payload):
    """What the action ``edited`` changed."""

    base: object = None


class PullRequestEvent(Payload):
    """The event ``pull_request``."""

    action: str
    pull_request: EventPullRequest
    changes: Changes = Changes()
    before: Sha | None = None
    """The head before a push."""

    @property
    def new_state(self) -> str | None:
        """Why there is a new head or base to measure; ``None`` if there is neither."""
        if self.action == "edited" and self.changes.base is not None:
            return "the base was changed"
        return self.action if self.action in NEW_HEAD else None


class SubmittedReview(Payload):
    """A review."""

    state: str


class ReviewEvent(Payload):
    """The event ``pull_request_review``."""

    action: str
    review: SubmittedReview
    pull_request: EventPullRequest

    @property
    def decision(self) -> str | None:
        """``approved``, ``changes_requested`` or ``dismissed``; ``None`` for an event that changes no approval."""
        if self.action == "dismissed":
            return self.action
        state = self.review.state.lower()
        return state if self.action == "submitted" and state in DECISIONS else None


class Base(Payload):
    """The target of a pull request."""

    repo: HasId


class AssociatedPullRequest(Payload):
    """A pull request that contains the head of a check. It may belong to another repository."""

    number: Id
    base: Base


class EventCheckRun(Payload):
    """A check run."""

    id: Id
    name: str
    head_sha: Sha
    pull_requests: list[AssociatedPullRequest] = []


class RequestedAction(Payload):
    """The button of a check run that was pressed."""

    identifier: str


class CheckRunEvent(Payload):
    """The event ``check_run``."""

    action: str
    check_run: EventCheckRun
    requested_action: RequestedAction | None = None
    sender: Account


class CheckSuite(Payload):
    """All our checks of one commit."""

    head_sha: Sha
    pull_requests: list[AssociatedPullRequest] = []


class CheckSuiteEvent(Payload):
    """The event ``check_suite``."""

    action: str
    check_suite: CheckSuite
    sender: Account


class Issue(Payload):
    """An issue, or a pull request seen as one."""

    number: Id
    pull_request: object = None


class EventComment(Payload):
    """A comment on an issue or a pull request."""

    id: Id
    body: Body
    html_url: Url
    created_at: Instant
    user: Account


class CommentEvent(Payload):
    """The event ``issue_comment``."""

    action: str
    issue: Issue
    comment: EventComment


class MergeGroup(Payload):
    """A merge commit that the merge queue made."""

    head_sha: Sha
    head_ref: Ref
    base_ref: Ref
    base_sha: Sha

    @property
    def base_branch(self) -> str:
        """The branch that the group will be merged into."""
        return self.base_ref.removeprefix(BRANCHES)

    @property
    def head_branch(self) -> str:
        """The queue's temporary branch."""
        return self.head_ref.removeprefix(BRANCHES)

    @property
    def number(self) -> int | None:
        """The last pull request of the group. GitHub names it only in the temporary branch."""
        found = QUEUE_REF.fullmatch(self.head_ref)
        return int(found[1]) if found else None


class MergeGroupEvent(Payload):
    """The event ``merge_group``."""

    action: str
    merge_group: MergeGroup

    @property
    def wants_checks(self) -> bool:
        """Whether the queue waits for a check."""
        return self.action == "checks_requested"


class RepositoryWithDefault(Payload):
    """A repository with its default branch."""

    default_branch: str


class PushEvent(Payload):
    """The event ``push``."""

    repository: RepositoryWithDefault
    ref: Ref
    after: Sha
    deleted: bool = False

    @property
    def branch(self) -> str | None:
        """The branch that moved; ``None`` for a tag."""
        return self.ref.removeprefix(BRANCHES) if self.ref.startswith(BRANCHES) else None

    @property
    def to_default_branch(self) -> bool:
        """Whether the default branch moved."""
        return self.branch == self.repository.default_branch


class DispatchEvent(Payload):
    """The event ``workflow_dispatch``."""

    inputs: dict[str, object] | None = None

    @property
    def given(self) -> dict[str, str]:
        """The inputs that were filled in, without surrounding blanks."""
        texts = {name: value.strip() for name, value in (self.inputs or {}).items() if isinstance(value, str)}
        return {name: text for name, text in texts.items() if text}


class EventInstallation(HasId):
    """An installation of the App, with its owner."""

    account: Owner = Owner()


class InstallationEvent(Payload):
    """The event ``installation``."""

    action: str
    installation: EventInstallation


class RepositoriesEvent(Payload):
    """The event ``installation_repositories``."""

    installation: HasId
    repositories_added: list[Repository]
    repositories_removed: list[Repository]


def invalid_field(error: ValidationError) -> str:
    """The path of the first wrong field. It holds field names of ours and positions, never a value of the payload."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    return ".".join(str(step) for step in first) or "JSON object"
