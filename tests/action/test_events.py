"""From an event's JSON to what is to be done; refusals say why and how to fix it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.events import (
    Dispatched,
    Irrelevant,
    PullRequestChanged,
    Pushed,
    QueueEntered,
    read_event,
)
from engine.approvals.trust import pull_request_of
from schemas.errors import UsageError
from schemas.host import HostedPullRequest
from schemas.pullrequests import Trust

HEAD, OTHER = "a" * 40, "b" * 40
PULL = {"number": 7, "state": "open", "head": {"sha": HEAD}}
HOSTED = HostedPullRequest(
    number=7, is_open=True, merged=False, author="ada", base_ref="main", default_branch="main", head_ref="change", head_sha=HEAD,
    head_repository="acme/shop",
)  # fmt: skip


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_new_head_is_measured(action):
    event = read_event("pull_request", {"action": action, "pull_request": PULL})
    assert event == PullRequestChanged(number=7, head_sha=HEAD, why=action)


def test_a_new_base_is_measured_and_a_new_title_is_not():
    payload = {"action": "edited", "pull_request": PULL, "changes": {"base": {"ref": {"from": "main"}}}}
    assert isinstance(read_event("pull_request", payload), PullRequestChanged)
    assert isinstance(read_event("pull_request", {**payload, "changes": {"title": {"from": "x"}}}), Irrelevant)


@pytest.mark.parametrize("action", ["labeled", "closed", "locked", "assigned"])
def test_what_changes_nothing_is_left_alone(action):
    assert isinstance(read_event("pull_request", {"action": action, "pull_request": PULL}), Irrelevant)


def test_a_closed_pull_request_is_left_alone():
    pull = {**PULL, "state": "closed"}
    assert isinstance(read_event("pull_request", {"action": "opened", "pull_request": pull}), Irrelevant)


@pytest.mark.parametrize(
    ("action", "state", "kind"),
    [
        ("submitted", "approved", PullRequestChanged),
        ("submitted", "APPROVED", PullRequestChanged),
        ("submitted", "changes_requested", PullRequestChanged),
        ("dismissed", "dismissed", PullRequestChanged),
        ("submitted", "commented", Irrelevant),
        ("edited", "approved", Irrelevant),
    ],
)
def test_reviews_that_may_change_a_clearance(action, state, kind):
    payload = {"action": action, "review": {"state": state}, "pull_request": PULL}
    assert isinstance(read_event("pull_request_review", payload), kind)


def test_the_merge_queue_names_its_pull_request():
    group = {
        "head_sha": HEAD, "base_sha": OTHER, "base_ref": "refs/heads/main",
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-12-{OTHER}",
    }  # fmt: skip
    event = read_event("merge_group", {"action": "checks_requested", "merge_group": group})
    assert isinstance(event, QueueEntered)
    assert (event.number, event.base_ref, event.head_sha) == (12, "main", HEAD)
    assert isinstance(read_event("merge_group", {"action": "destroyed", "merge_group": group}), Irrelevant)


def test_only_a_push_to_the_default_branch_counts():
    payload = {"ref": "refs/heads/main", "after": HEAD, "repository": {"default_branch": "main"}}
    assert read_event("push", payload) == Pushed(branch="main", sha=HEAD)
    assert isinstance(read_event("push", {**payload, "ref": "refs/heads/topic"}), Irrelevant)


@pytest.mark.parametrize(
    ("inputs", "event"),
    [
        ({"pull-request": " #12 "}, Dispatched(number=12, head_sha=None, base=None, head=None)),
        ({"pull-request": "12", "head-sha": HEAD}, Dispatched(number=12, head_sha=HEAD, base=None, head=None)),
        (
            {"pull-request": "", "base": "main", "head": "x"},
            Dispatched(number=None, head_sha=None, base="main", head="x"),
        ),
    ],
)
def test_a_dispatch_says_what_to_run(inputs, event):
    assert read_event("workflow_dispatch", {"inputs": inputs}) == event


@pytest.mark.parametrize(
    "inputs",
    [None, {}, {"base": "main"}, {"pull-request": "12", "base": "a", "head": "b"}, {"pull-request": "twelve"},
     {"pull-request": "12", "head-sha": "abc"}, {"pull-request": "12", "head-sha": HEAD.upper()}],
)  # fmt: skip
def test_a_dispatch_that_is_unclear_says_what_is_missing(inputs):
    with pytest.raises(UsageError) as refusal:
        read_event("workflow_dispatch", {"inputs": inputs})
    assert refusal.value.hint


@pytest.mark.parametrize("name", ["pull_request_target", "workflow_run"])
def test_privileged_events_are_refused(name):
    with pytest.raises(UsageError, match="refusing to run"):
        read_event(name, {"action": "opened", "pull_request": PULL})


def test_a_comment_is_pointed_to_the_bot():
    with pytest.raises(UsageError, match="bot"):
        read_event("issue_comment", {})


def test_any_other_event_is_named():
    with pytest.raises(UsageError, match="schedule"):
        read_event("schedule", {})


def test_trust_follows_from_where_the_head_lies():
    fork = HOSTED.model_copy(update={"head_repository": "eve/shop"})
    deleted = HOSTED.model_copy(update={"head_repository": None})
    assert pull_request_of(HOSTED, "acme/shop", OTHER).trust is Trust.SAME_REPOSITORY
    assert pull_request_of(fork, "acme/shop", OTHER).trust is Trust.FORK
    assert pull_request_of(deleted, "acme/shop", OTHER).trust is Trust.FORK
    assert pull_request_of(fork, "acme/shop", OTHER, HEAD).trust is Trust.FORK_APPROVED
    assert pull_request_of(HOSTED, "acme/shop", OTHER, HEAD).trust is Trust.SAME_REPOSITORY


def test_an_approval_of_another_head_is_no_approval():
    with pytest.raises(UsageError, match="no longer bbbbbbbbbbbb"):
        pull_request_of(HOSTED, "acme/shop", OTHER, OTHER)


JUNK = st.sampled_from(
    [None, 1, True, "", "x", [], {}, {"sha": 1}, PULL, {"state": "open"}, {"state": None, "number": "7"}]
)
KEYS = ["action", "pull_request", "review", "merge_group", "ref", "after", "repository", "inputs", "changes"]


@given(
    st.sampled_from(["pull_request", "pull_request_review", "merge_group", "push", "workflow_dispatch"]),
    st.sampled_from(["opened", "edited", "submitted", "checks_requested", "refs/heads/main"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JUNK)),
)
def test_broken_json_is_a_refusal_never_a_crash(name, word, payload):
    with suppress(UsageError):
        read_event(name, {"action": word, "ref": word, **payload})
