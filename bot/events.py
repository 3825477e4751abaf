"""What a webhook says happened, reduced to what is to be done. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import ValidationError
from pydantic_core import from_json

from bot.intents import (
    CommandPosted,
    Ignored,
    InstallationChanged,
    InstallationState,
    Intent,
    Ping,
    Place,
    PullRequestClosed,
    PullRequestMoved,
    Pushed,
    QueueEntered,
    QueueLeft,
    RepositoriesChanged,
    RerunAsked,
    ReviewGiven,
)
from bot.payloads import (
    CheckRunEvent,
    CheckSuiteEvent,
    CommentEvent,
    Here,
    InstallationEvent,
    MergeGroupEvent,
    NamedPull,
    PullRequestEvent,
    PushEvent,
    RepositoriesEvent,
    Repository,
    ReviewEvent,
)
from engine.publishing.check_names import is_ours

RERUN = "rerun"
"""The identifier of the check run's button."""
COMMAND = "/verdict"
QUEUE_REF = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,18})-[0-9a-f]+")
BRANCHES = "refs/heads/"


def read_body(name: str, body: bytes) -> Intent:
    """The intent of the event ``name`` with the raw ``body`` of its delivery. Raises nothing."""
    try:
        payload: object = from_json(body, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return Ignored(why="the body is not JSON")
    return read_event(name, payload)


def read_event(name: str, payload: object) -> Intent:
    """The intent of the event ``name`` (``X-GitHub-Event``) with its parsed JSON. Raises nothing."""
    reader = _READERS.get(name)
    if reader is None:
        return Ignored(why="an event that says nothing about a verdict")
    try:
        return reader(payload)
    except ValidationError as error:
        return Ignored(why=f"the payload has no usable {_places(error)}")


def _places(error: ValidationError) -> str:
    """Where the payload is wrong, in names of ours only: never with a value from it."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
    return "«{}»".format(".".join(str(step) for step in first) or "JSON object")


NEW_STATE = {"opened", "synchronize", "reopened", "ready_for_review"}
DECIDES = {"approved", "changes_requested"}
INSTALLATION_STATES = {
    "created": InstallationState.ACTIVE,
    "unsuspend": InstallationState.ACTIVE,
    "new_permissions_accepted": InstallationState.ACTIVE,
    "suspend": InstallationState.SUSPENDED,
    "deleted": InstallationState.REMOVED,
}


def _pull_request(payload: object) -> Intent:
    event = PullRequestEvent.model_validate(payload)
    number = event.pull_request.number
    if event.action == "closed":
        return PullRequestClosed(place=_place(event), number=number)
    rebased = event.action == "edited" and event.changes.base is not None
    if event.action not in NEW_STATE and not rebased:
        return Ignored(why="the pull request has the same head and the same base")
    if event.pull_request.state != "open":
        return Ignored(why="the pull request is closed")
    why = "the base was changed" if rebased else event.action
    return PullRequestMoved(place=_place(event), number=number, why=why, left=event.before)


def _review(payload: object) -> Intent:
    event = ReviewEvent.model_validate(payload)
    submitted = event.action == "submitted" and event.review.state.lower() in DECIDES
    if not submitted and event.action != "dismissed":
        return Ignored(why="the review neither approves nor takes an approval back")
    if event.pull_request.state != "open":
        return Ignored(why="the pull request is closed")
    return ReviewGiven(place=_place(event), number=event.pull_request.number)


def _check_run(payload: object) -> Intent:
    event = CheckRunEvent.model_validate(payload)
    pressed = event.requested_action is not None and event.requested_action.identifier == RERUN
    if event.action != "rerequested" and not (event.action == "requested_action" and pressed):
        return Ignored(why="nobody asks for a re-run")
    if not is_ours(event.check_run.name):
        return Ignored(why="a check run that is not ours")
    return RerunAsked(
        place=_place(event),
        number=_only(event.check_run.pull_requests, event.repository.id),
        head_sha=event.check_run.head_sha,
        by=event.sender.login,
        check_run_id=event.check_run.id,
    )


def _check_suite(payload: object) -> Intent:
    event = CheckSuiteEvent.model_validate(payload)
    if event.action != "rerequested":
        return Ignored(why="nobody asks for a re-run")
    return RerunAsked(
        place=_place(event),
        number=_only(event.check_suite.pull_requests, event.repository.id),
        head_sha=event.check_suite.head_sha,
        by=event.sender.login,
    )


def _only(named: list[NamedPull], repository_id: int) -> int | None:
    """The one pull request *of this repository*: the list may name those of forks that contain the commit."""
    numbers = [pull.number for pull in named if pull.base.repo.id == repository_id]
    return numbers[0] if len(numbers) == 1 else None


def _comment(payload: object) -> Intent:
    event = CommentEvent.model_validate(payload)
    if event.action != "created":
        return Ignored(why="only a new comment is a command")
    if event.issue.pull_request is None:
        return Ignored(why="a comment below an issue, not a pull request")
    if event.comment.user.type == "Bot" or event.comment.user.login.endswith("[bot]"):
        return Ignored(why="an App's comment is no command")
    if COMMAND not in event.comment.body.lower():
        return Ignored(why="the comment holds no command")
    return CommandPosted(
        place=_place(event),
        number=event.issue.number,
        comment_id=event.comment.id,
        author=event.comment.user.login,
        body=event.comment.body,
        url=event.comment.html_url,
        posted_at=event.comment.created_at,
    )


def _merge_group(payload: object) -> Intent:
    event = MergeGroupEvent.model_validate(payload)
    group = event.merge_group
    if event.action == "destroyed":
        return QueueLeft(place=_place(event), head_sha=group.head_sha)
    if event.action != "checks_requested":
        return Ignored(why="the merge queue asks for no checks")
    found = QUEUE_REF.fullmatch(group.head_ref)
    return QueueEntered(
        place=_place(event),
        base_ref=group.base_ref.removeprefix(BRANCHES),
        base_sha=group.base_sha,
        head_ref=group.head_ref.removeprefix(BRANCHES),
        head_sha=group.head_sha,
        number=int(found[1]) if found else None,
    )


def _push(payload: object) -> Intent:
    event = PushEvent.model_validate(payload)
    if not event.ref.startswith(BRANCHES):
        return Ignored(why="a tag is nobody's base")
    if event.deleted:
        return Ignored(why="the branch was deleted")
    return Pushed(place=_place(event), branch=event.ref.removeprefix(BRANCHES), sha=event.after)


def _installation(payload: object) -> Intent:
    event = InstallationEvent.model_validate(payload)
    state = INSTALLATION_STATES.get(event.action)
    if state is None:
        return Ignored(why="the installation is as it was")
    return InstallationChanged(
        installation_id=event.installation.id, account=event.installation.account.name, state=state
    )


def _repositories(payload: object) -> Intent:
    event = RepositoriesEvent.model_validate(payload)
    here = event.installation.id
    return RepositoriesChanged(
        installation_id=here,
        added=tuple(_place_of(here, repository) for repository in event.repositories_added),
        removed=tuple(_place_of(here, repository) for repository in event.repositories_removed),
    )


def _ping(_: object) -> Intent:
    return Ping()


def _place(event: Here) -> Place:
    return _place_of(event.installation.id, event.repository)


def _place_of(installation_id: int, repository: Repository) -> Place:
    return Place(installation_id=installation_id, repository_id=repository.id, repository=repository.full_name)


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
