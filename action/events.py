"""What happened, read from the event's JSON: pure, and only a hint. What counts is read again from GitHub.

docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue

from schemas.errors import UsageError
from schemas.values import Value

SHA = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
QUEUE_REF = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]+)-[0-9a-f]+")
NEW_HEAD = {"opened", "synchronize", "reopened", "ready_for_review"}
DECIDES = {"approved", "changes_requested"}
FOREIGN = ("pull_request_target", "workflow_run")
"""Events that run with secrets on behalf of anybody's pull request."""


class PullRequestChanged(Value):
    """A pull request has a new head or a new base, or somebody's review may clear it."""

    number: int
    head_sha: str
    """Of the moment: a newer head has a run of its own."""
    why: str


class QueueEntered(Value):
    """The merge queue asks about a merge that it made."""

    number: int | None
    """The pull request that was merged last into the group."""
    base_ref: str
    base_sha: str
    head_ref: str
    head_sha: str


class Pushed(Value):
    """The default branch moved."""

    branch: str
    sha: str


class Dispatched(Value):
    """A person with write permission asks for a run: of a pull request, or of two commits."""

    number: int | None
    head_sha: str | None
    """The approval of exactly this head of a fork."""
    base: str | None
    head: str | None


class Irrelevant(Value):
    """Nothing that could change a verdict. ``about``: the open pull request that it happened to."""

    why: str
    about: PullRequestChanged | None = None


Event = PullRequestChanged | QueueEntered | Pushed | Dispatched | Irrelevant

Payload = Mapping[str, JsonValue]


def read_event(name: str, payload: Payload) -> Event:
    """The event ``name`` with its JSON. Raises UsageError for an event that we don't run in, and says why."""
    if name == "pull_request":
        return _pull_request(payload)
    if name == "pull_request_review":
        return _review(payload)
    if name == "merge_group":
        return _merge_group(payload)
    if name == "push":
        return _push(payload)
    if name == "workflow_dispatch":
        return _dispatch(payload)
    if name in FOREIGN:
        raise UsageError(
            f"refusing to run in {name}: it would hand this repository's secrets to code that nobody has reviewed",
            where="on",
            hint="use `on: pull_request`; for forks a maintainer dispatches the workflow with the head's full sha",
        )
    if name == "issue_comment":
        raise UsageError(
            "commands in comments are for the bot, not for the Action",
            where="on",
            hint="install the GitHub App, or dispatch the workflow by hand",
        )
    raise UsageError(
        f"the event «{name}» says nothing about a pull request",
        where="on",
        hint="use pull_request, pull_request_review, merge_group, push or workflow_dispatch",
    )


def _pull_request(payload: Payload) -> Event:
    action = _text(payload, "action")
    if action == "edited" and "base" not in _map(payload, "changes"):
        return _beside(payload, "the title or the description was edited")
    if action not in NEW_HEAD | {"edited"}:
        return _beside(payload, f"«{action}» changes nothing that is measured")
    why = "the base was changed" if action == "edited" else action
    return _changed(_map(payload, "pull_request"), why)


def _review(payload: Payload) -> Event:
    action = _text(payload, "action")
    review = _map(payload, "review")
    state = _text(review, "state").lower()
    if action == "dismissed" or (action == "submitted" and state in DECIDES):
        return _changed(_map(payload, "pull_request"), f"a review: {'dismissed' if action == 'dismissed' else state}")
    return _beside(payload, "the review neither approves nor takes an approval back")


def _beside(payload: Payload, why: str) -> Irrelevant:
    found = _changed(_map(payload, "pull_request"), why)
    return Irrelevant(why=why, about=found if isinstance(found, PullRequestChanged) else None)


def _changed(pull: Payload, why: str) -> PullRequestChanged | Irrelevant:
    if _text(pull, "state") != "open":
        return Irrelevant(why="the pull request is closed")
    return PullRequestChanged(number=_number(pull, "number"), head_sha=_sha(_map(pull, "head"), "sha"), why=why)


def _merge_group(payload: Payload) -> Event:
    if _text(payload, "action") != "checks_requested":
        return Irrelevant(why="the merge queue asks for no checks")
    group = _map(payload, "merge_group")
    found = QUEUE_REF.fullmatch(_text(group, "head_ref"))
    return QueueEntered(
        number=int(found[1]) if found else None,
        base_ref=_text(group, "base_ref").removeprefix("refs/heads/"),
        base_sha=_sha(group, "base_sha"),
        head_ref=_text(group, "head_ref").removeprefix("refs/heads/"),
        head_sha=_sha(group, "head_sha"),
    )


def _push(payload: Payload) -> Event:
    branch = _text(payload, "ref").removeprefix("refs/heads/")
    if branch != _text(_map(payload, "repository"), "default_branch"):
        return Irrelevant(why="only the default branch keeps what was measured")
    if payload.get("deleted"):
        return Irrelevant(why="the branch was deleted")
    return Pushed(branch=branch, sha=_sha(payload, "after"))


def _dispatch(payload: Payload) -> Event:
    given = payload.get("inputs")
    inputs = {
        name: text.strip()
        for name, text in (given.items() if isinstance(given, dict) else ())
        if isinstance(text, str) and text.strip()
    }
    number, head_sha = inputs.get("pull-request"), inputs.get("head-sha")
    base, head = inputs.get("base"), inputs.get("head")
    if (number is None) == (base is None or head is None):
        raise UsageError(
            "say what to run: a pull request, or two commits",
            where="inputs",
            hint="pull-request: 12 (and head-sha for a fork), or base: main and head: my-branch",
        )
    if number is not None and not number.removeprefix("#").isdecimal():
        raise UsageError(f"{number!r} is no pull request's number", where="inputs.pull-request", hint="for example 12")
    if head_sha is not None and not SHA.fullmatch(head_sha):
        raise UsageError("head-sha is not a full commit id", where="inputs.head-sha", hint="give all 40 digits")
    return Dispatched(
        number=int(number.removeprefix("#")) if number is not None else None, head_sha=head_sha, base=base, head=head
    )


def _broken(name: str) -> UsageError:
    return UsageError(f"the event's JSON has no usable «{name}»", where="GITHUB_EVENT_PATH", hint="is this a runner?")


def _map(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    if value is None and name == "changes":
        return {}
    if not isinstance(value, dict):
        raise _broken(name)
    return value


def _text(payload: Payload, name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise _broken(name)
    return value


def _sha(payload: Payload, name: str) -> str:
    value = _text(payload, name)
    if not SHA.fullmatch(value):
        raise _broken(name)
    return value


def _number(payload: Payload, name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _broken(name)
    return value
