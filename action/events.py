"""Reads the request of the workflow's event. Pure. It is only a hint: the job reads the current state from GitHub
again.

docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import ValidationError

from schemas.errors import UsageError
from schemas.payloads import (
    Branch,
    DispatchEvent,
    EventPullRequest,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    ReviewEvent,
    Sha,
    invalid_field,
)
from schemas.values import Value

FULL_SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
FOREIGN = ("pull_request_target", "workflow_run")
"""Events that run with the repository's secrets on behalf of anyone's pull request."""


class PullRequestChanged(Value):
    """A pull request has a new head or base, or a review may change whether its verdict is approved."""

    number: int
    head_sha: Sha
    """The head at the time of the event. A newer head has a run of its own."""
    why: str


class QueueEntered(Value):
    """The merge queue waits for a check of a merge commit."""

    number: int | None
    """The last pull request of the group."""
    base_ref: Branch
    base_sha: Sha
    head_ref: Branch
    head_sha: Sha


class Pushed(Value):
    """The default branch moved."""

    branch: str
    sha: Sha


class Dispatched(Value):
    """A person with write access asks for a run of a pull request, or of two commits."""

    number: int | None
    head_sha: str | None
    """Approves a run of exactly this head of a fork."""
    base: str | None
    head: str | None


class Irrelevant(Value):
    """An event that can't change a verdict. ``about`` is its open pull request."""

    why: str
    about: PullRequestChanged | None = None


Event = PullRequestChanged | QueueEntered | Pushed | Dispatched | Irrelevant


def read_event(name: str, payload: object) -> Event:
    """Returns the request of the event ``name`` with its parsed JSON.

    Raises UsageError for a payload that isn't GitHub's, and for an event that the Action doesn't run in.
    """
    reader = _READERS.get(name)
    if reader is None:
        raise _refusal(name)
    try:
        return reader(payload)
    except ValidationError as error:
        raise UsageError(
            f"the event's JSON has no usable “{invalid_field(error)}”",
            where="GITHUB_EVENT_PATH",
            hint="run the Action in GitHub Actions; use promptverdict check elsewhere",
        ) from None


def _refusal(name: str) -> UsageError:
    if name in FOREIGN:
        return UsageError(
            f"refusing to run in {name}: it would expose this repository's secrets to unreviewed code",
            where="on",
            hint="use `on: pull_request`; for forks, a maintainer dispatches the workflow with the head's full sha",
        )
    if name == "issue_comment":
        return UsageError(
            "the Action does not read commands in comments; the bot does",
            where="on",
            hint="install the GitHub App, or dispatch the workflow by hand",
        )
    return UsageError(
        f"the event “{name}” is not about a pull request",
        where="on",
        hint="use pull_request, pull_request_review, merge_group, push, workflow_dispatch or schedule",
    )


def _pull_request(payload: object) -> Event:
    event = PullRequestEvent.model_validate(payload)
    if event.new_state is not None:
        return _changed(event.pull_request, event.new_state)
    if event.action == "edited":
        return _unrelated(event.pull_request, "the title or the description was edited")
    return _unrelated(event.pull_request, f"“{event.action}” changes nothing that is measured")


def _review(payload: object) -> Event:
    event = ReviewEvent.model_validate(payload)
    if event.decision is not None:
        return _changed(event.pull_request, f"a review: {event.decision}")
    return _unrelated(event.pull_request, "the review neither gives nor withdraws an approval")


def _unrelated(pull: EventPullRequest, why: str) -> Irrelevant:
    """Returns an irrelevant event with its pull request. Without a status of ours it must be measured, since this job's
    result is then the gate."""
    found = _changed(pull, why)
    return Irrelevant(why=why, about=found if isinstance(found, PullRequestChanged) else None)


def _changed(pull: EventPullRequest, why: str) -> PullRequestChanged | Irrelevant:
    if not pull.is_open:
        return Irrelevant(why="the pull request is closed")
    return PullRequestChanged(number=pull.number, head_sha=pull.head.sha, why=why)


def _merge_group(payload: object) -> Event:
    event = MergeGroupEvent.model_validate(payload)
    if not event.wants_checks:
        return Irrelevant(why="the merge queue asks for no checks")
    group = event.merge_group
    return QueueEntered(
        number=group.number,
        base_ref=group.base_branch,
        base_sha=group.base_sha,
        head_ref=group.head_branch,
        head_sha=group.head_sha,
    )


def _push(payload: object) -> Event:
    event = PushEvent.model_validate(payload)
    # A cache of another branch isn't visible to later pull requests.
    if event.branch is None or not event.to_default_branch:
        return Irrelevant(why="answers are kept only for the default branch")
    if event.deleted:
        return Irrelevant(why="the branch was deleted")
    return Pushed(branch=event.branch, sha=event.after)


def _dispatch(payload: object) -> Event:
    given = DispatchEvent.model_validate(payload).given
    number, head_sha = given.get("pull-request"), given.get("head-sha")
    base, head = given.get("base"), given.get("head")
    if (number is None) == (base is None or head is None):
        raise UsageError(
            "give a pull request or two commits to run",
            where="inputs",
            hint="pull-request: 12 (and head-sha for a fork), or base: main and head: my-branch",
        )
    if number is not None and not number.removeprefix("#").isdecimal():
        raise UsageError(
            f"{number!r} is not the number of a pull request", where="inputs.pull-request", hint="for example 12"
        )
    # A short id could name another commit by the time it is read.
    if head_sha is not None and not FULL_SHA.fullmatch(head_sha):
        raise UsageError("head-sha is not a full commit id", where="inputs.head-sha", hint="give all 40 digits")
    return Dispatched(
        number=int(number.removeprefix("#")) if number is not None else None, head_sha=head_sha, base=base, head=head
    )


_READERS: dict[str, Callable[[object], Event]] = {
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "merge_group": _merge_group,
    "push": _push,
    "workflow_dispatch": _dispatch,
}
