"""Which intent a webhook leads to. Pure."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from pydantic_core import from_json

from bot.store.values import RepositoryRef
from bot.webhooks.intents import (
    RERUN,
    CommandPosted,
    Ignored,
    InstallationChanged,
    InstallationState,
    Intent,
    Ping,
    PullRequestClosed,
    PullRequestMoved,
    Pushed,
    QueueEntered,
    QueueLeft,
    RepositoriesChanged,
    RerunRequested,
    ReviewGiven,
)
from engine.publishing.check_names import is_ours
from schemas.payloads import (
    AssociatedPullRequest,
    CheckRunEvent,
    CheckSuiteEvent,
    CommentEvent,
    InstallationEvent,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    RepositoriesEvent,
    Repository,
    RepositoryEvent,
    ReviewEvent,
    invalid_field,
)

COMMAND = "/verdict"
INSTALLATION_STATES = {
    "created": InstallationState.ACTIVE,
    "unsuspend": InstallationState.ACTIVE,
    "new_permissions_accepted": InstallationState.ACTIVE,
    "suspend": InstallationState.SUSPENDED,
    "deleted": InstallationState.REMOVED,
}
SAME_STATE = Ignored(why="the pull request has the same head and the same base")
CLOSED = Ignored(why="the pull request is closed")
NO_RERUN = Ignored(why="not a request for a re-run")


def read_body(name: str, body: bytes) -> Intent:
    """Returns the intent of the event ``name`` with the raw ``body`` of its delivery. Never raises."""
    try:
        # Strings aren't cached: the cache of the parser would keep pieces of other people's payloads.
        payload: object = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return Ignored(why="the body is not JSON")
    return read_event(name, payload)


def read_event(name: str, payload: object) -> Intent:
    """Returns the intent of the event ``name`` (``X-GitHub-Event``) with its parsed JSON. Never raises."""
    reader = _READERS.get(name)
    if reader is None:
        return Ignored(why="an event that no verdict depends on")
    try:
        return reader(payload)
    except ValidationError as error:
        return Ignored(why=f"the payload has no usable “{invalid_field(error)}”")


def _pull_request(payload: object) -> Intent:
    repo, event = _repo(payload), PullRequestEvent.model_validate(payload)
    number = event.pull_request.number
    if event.action == "closed":
        return PullRequestClosed(repo=repo, number=number)
    if event.new_state is None:
        return SAME_STATE
    if not event.pull_request.is_open:
        return CLOSED
    return PullRequestMoved(repo=repo, number=number, why=event.new_state, left=event.before)


def _review(payload: object) -> Intent:
    repo, event = _repo(payload), ReviewEvent.model_validate(payload)
    if event.decision is None:
        return Ignored(why="the review neither approves nor takes an approval back")
    if not event.pull_request.is_open:
        return CLOSED
    return ReviewGiven(repo=repo, number=event.pull_request.number)


def _check_run(payload: object) -> Intent:
    repo, event = _repo(payload), CheckRunEvent.model_validate(payload)
    pressed = event.requested_action is not None and event.requested_action.identifier == RERUN
    if event.action != "rerequested" and not (event.action == "requested_action" and pressed):
        return NO_RERUN
    if not is_ours(event.check_run.name):
        return Ignored(why="a check run of another App")
    return RerunRequested(
        repo=repo,
        number=_only(event.check_run.pull_requests, repo.repository_id),
        head_sha=event.check_run.head_sha,
        by=event.sender.login,
        check_run_id=event.check_run.id,
    )


def _check_suite(payload: object) -> Intent:
    repo, event = _repo(payload), CheckSuiteEvent.model_validate(payload)
    if event.action != "rerequested":
        return NO_RERUN
    number = _only(event.check_suite.pull_requests, repo.repository_id)
    return RerunRequested(repo=repo, number=number, head_sha=event.check_suite.head_sha, by=event.sender.login)


def _only(associated: list[AssociatedPullRequest], repository_id: int) -> int | None:
    """Returns the single pull request *of this repository*. GitHub also lists those of forks that contain the
    commit."""
    numbers = [pull.number for pull in associated if pull.base.repo.id == repository_id]
    return numbers[0] if len(numbers) == 1 else None


def _comment(payload: object) -> Intent:
    repo, event = _repo(payload), CommentEvent.model_validate(payload)
    comment = event.comment
    if event.action != "created":
        return Ignored(why="only a new comment can be a command")
    if event.issue.pull_request is None:
        return Ignored(why="a comment on an issue, not on a pull request")
    # An App that answers an App, such as ours, could go on forever.
    if comment.user.is_bot:
        return Ignored(why="a comment by an App")
    # A cheap test before the grammar: most comments hold no command.
    if COMMAND not in comment.body.lower():
        return Ignored(why="the comment has no command")
    return CommandPosted(
        repo=repo,
        number=event.issue.number,
        comment_id=comment.id,
        author=comment.user.login,
        body=comment.body,
        url=comment.html_url,
        posted_at=comment.created_at,
    )


def _merge_group(payload: object) -> Intent:
    repo, event = _repo(payload), MergeGroupEvent.model_validate(payload)
    group = event.merge_group
    if event.action == "destroyed":
        return QueueLeft(repo=repo, head_sha=group.head_sha)
    if not event.wants_checks:
        return Ignored(why="the merge queue asks for no checks")
    return QueueEntered(
        repo=repo,
        base_ref=group.base_branch,
        base_sha=group.base_sha,
        head_ref=group.head_branch,
        head_sha=group.head_sha,
        number=group.number,
    )


def _push(payload: object) -> Intent:
    repo, event = _repo(payload), PushEvent.model_validate(payload)
    if event.branch is None:
        return Ignored(why="a tag is no base branch")
    if event.deleted:
        return Ignored(why="the branch was deleted")
    return Pushed(repo=repo, branch=event.branch, sha=event.after, to_default=event.to_default_branch)


def _installation(payload: object) -> Intent:
    event = InstallationEvent.model_validate(payload)
    state = INSTALLATION_STATES.get(event.action)
    if state is None:
        return Ignored(why="the installation did not change")
    return InstallationChanged(
        installation_id=event.installation.id, account=event.installation.account.name, state=state
    )


def _repositories(payload: object) -> Intent:
    event = RepositoriesEvent.model_validate(payload)
    installation = event.installation.id
    return RepositoriesChanged(
        installation_id=installation,
        added=tuple(_ref(installation, repository) for repository in event.repositories_added),
        removed=tuple(_ref(installation, repository) for repository in event.repositories_removed),
    )


def _ping(_: object) -> Intent:
    return Ping()


def _repo(payload: object) -> RepositoryRef:
    event = RepositoryEvent.model_validate(payload)
    return _ref(event.installation.id, event.repository)


def _ref(installation_id: int, repository: Repository) -> RepositoryRef:
    return RepositoryRef(installation_id=installation_id, repository_id=repository.id, full_name=repository.full_name)


_READERS: dict[str, Callable[[object], Intent]] = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "issue_comment": _comment,
    "merge_group": _merge_group,
    "push": _push,
    "installation": _installation,
    "installation_repositories": _repositories,
    "ping": _ping,
}

EVENTS = frozenset(_READERS)
"""The events that the App listens for."""
