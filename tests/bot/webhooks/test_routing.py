"""From a webhook's JSON to what is to be done: whatever is in it, an intent and never an exception."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.values import RepositoryRef
from bot.webhooks.intents import (
    CommandPosted,
    Ignored,
    InstallationChanged,
    InstallationState,
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
from bot.webhooks.routing import EVENTS, read_body, read_event
from tests.fakes.github.openapi import MISSING

EXAMPLES = Path(__file__).parents[3] / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"

HEAD, OTHER = "a" * 40, "b" * 40
HERE = {"installation": {"id": 5}, "repository": {"id": 9, "full_name": "acme/shop", "default_branch": "main"}}
REPO = RepositoryRef(installation_id=5, repository_id=9, full_name="acme/shop")
PULL = {"number": 7, "state": "open", "head": {"sha": HEAD}}
ADA = {"login": "ada", "type": "User"}


def pull_request(action, **more):
    return {**HERE, "action": action, "number": 7, "pull_request": PULL, **more}


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_new_head_is_measured(action):
    assert read_event("pull_request", pull_request(action)) == PullRequestMoved(repo=REPO, number=7, why=action)


def test_a_push_says_which_head_it_left():
    pushed = pull_request("synchronize", before="b" * 40, after="c" * 40)
    assert read_event("pull_request", pushed).left == "b" * 40


def test_a_new_base_is_measured_and_a_new_title_is_not():
    moved = read_event("pull_request", pull_request("edited", changes={"base": {"ref": {"from": "main"}}}))
    assert moved == PullRequestMoved(repo=REPO, number=7, why="the base was changed")
    assert isinstance(read_event("pull_request", pull_request("edited", changes={"title": {"from": "x"}})), Ignored)


def test_a_closed_pull_request_needs_nothing_any_more():
    closed = {**PULL, "state": "closed"}
    event = read_event("pull_request", pull_request("closed", pull_request=closed))
    assert event == PullRequestClosed(repo=REPO, number=7)
    assert isinstance(read_event("pull_request", pull_request("edited", pull_request=closed)), Ignored)
    assert isinstance(read_event("pull_request", pull_request("synchronize", pull_request=closed)), Ignored)


@pytest.mark.parametrize("action", ["labeled", "locked", "assigned", "enqueued", ""])
def test_what_changes_nothing_is_left_alone(action):
    assert isinstance(read_event("pull_request", pull_request(action)), Ignored)


@pytest.mark.parametrize(
    ("action", "state", "kind"),
    [
        ("submitted", "approved", ReviewGiven),
        ("submitted", "CHANGES_REQUESTED", ReviewGiven),
        ("dismissed", "dismissed", ReviewGiven),
        ("submitted", "commented", Ignored),
        ("edited", "approved", Ignored),
    ],
)
def test_reviews_that_may_change_a_clearance(action, state, kind):
    assert isinstance(read_event("pull_request_review", pull_request(action, review={"state": state})), kind)


def check_run(action, **more):
    run = {"id": 31, "name": "prompt-verdict", "head_sha": HEAD, "pull_requests": [named(7)]} | more.pop("run", {})
    return {**HERE, "action": action, "check_run": run, "sender": ADA, **more}


def named(number, repository_id=9):
    return {"number": number, "base": {"repo": {"id": repository_id}}}


RERUN = RerunRequested(repo=REPO, number=7, head_sha=HEAD, by="ada", check_run_id=31)


def test_both_buttons_of_our_check_ask_for_a_rerun():
    assert read_event("check_run", check_run("rerequested")) == RERUN
    assert read_event("check_run", check_run("requested_action", requested_action={"identifier": "rerun"})) == RERUN


def test_other_buttons_and_other_checks_are_not_ours():
    assert isinstance(
        read_event("check_run", check_run("requested_action", requested_action={"identifier": "x"})), Ignored
    )
    assert isinstance(read_event("check_run", check_run("requested_action")), Ignored)
    assert isinstance(
        read_event("check_run", check_run("completed", requested_action={"identifier": "rerun"})), Ignored
    )
    assert isinstance(read_event("check_run", check_run("rerequested", run={"name": "lint"})), Ignored)


@pytest.mark.parametrize(
    ("pulls", "number"),
    [([], None), ([named(7), named(8)], None), ([named(3, repository_id=1)], None), ([named(3, 1), named(8)], 8)],
    ids=["a fork's", "two", "another repository's", "one of ours"],
)
def test_the_pull_request_of_a_check_is_named_only_when_it_is_certain(pulls, number):
    assert read_event("check_run", check_run("rerequested", run={"pull_requests": pulls})).number == number


def test_a_suite_is_run_again():
    suite = {"head_sha": HEAD, "pull_requests": [named(7)]}
    payload = {**HERE, "action": "rerequested", "check_suite": suite, "sender": ADA}
    assert read_event("check_suite", payload) == RerunRequested(repo=REPO, number=7, head_sha=HEAD, by="ada")
    assert isinstance(read_event("check_suite", {**payload, "action": "requested"}), Ignored)


def comment(body="/verdict rerun", action="created", pull=True, user=ADA, **more):
    issue = {"number": 7, "pull_request": {"url": "x"}} if pull else {"number": 7}
    posted = {
        "id": 77, "body": body, "html_url": "https://github.com/acme/shop/pull/7#issuecomment-77", "user": user,
        "created_at": "2026-11-21T05:00:00Z",
    }  # fmt: skip
    return {**HERE, "action": action, "issue": issue, "comment": posted | more}


def test_a_comment_that_may_be_a_command_is_handed_on_whole():
    assert read_event("issue_comment", comment("/verdict rerun\nplease")) == CommandPosted(
        repo=REPO, number=7, comment_id=77, author="ada", body="/verdict rerun\nplease",
        url="https://github.com/acme/shop/pull/7#issuecomment-77", posted_at="2026-11-21T05:00:00Z",
    )  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        comment(action="edited"),
        comment(action="deleted"),
        comment(pull=False),
        comment("looks good"),
        comment(user={"login": "prompt-verdict[bot]", "type": "Bot"}),
        comment(user={"login": "renovate[bot]"}),
        comment(user=None),
        comment(created_at="yesterday"),
        comment(html_url="javascript:alert(1)"),
        comment(html_url="https://x/<img>"),
        comment(user={"login": "a/../b", "type": "User"}),
        comment("/verdict " + "x" * 65_536),
    ],
    ids=[
        "edited",
        "deleted",
        "issue",
        "chat",
        "bot",
        "named bot",
        "ghost",
        "undated",
        "script",
        "markup",
        "path",
        "long",
    ],
)
def test_other_comments_are_not_commands(payload):
    assert isinstance(read_event("issue_comment", payload), Ignored)


GROUP = {
    "head_sha": HEAD, "base_sha": OTHER, "base_ref": "refs/heads/main",
    "head_ref": f"refs/heads/gh-readonly-queue/main/pr-12-{OTHER}",
}  # fmt: skip


def test_the_merge_queue_names_its_pull_request():
    event = read_event("merge_group", {**HERE, "action": "checks_requested", "merge_group": GROUP})
    assert event == QueueEntered(
        repo=REPO, base_ref="main", base_sha=OTHER, head_ref=f"gh-readonly-queue/main/pr-12-{OTHER}", head_sha=HEAD,
        number=12,
    )  # fmt: skip
    odd = read_event("merge_group", {**HERE, "action": "checks_requested", "merge_group": {**GROUP, "head_ref": "x"}})
    assert odd.number is None


def test_the_merge_queue_gives_up():
    event = read_event("merge_group", {**HERE, "action": "destroyed", "merge_group": GROUP})
    assert event == QueueLeft(repo=REPO, head_sha=HEAD)
    assert isinstance(read_event("merge_group", {**HERE, "action": "x", "merge_group": GROUP}), Ignored)


@pytest.mark.parametrize("ref", ["refs/heads/--upload-pack=x", "refs/heads/a b", "refs/heads/a\nb", "refs/heads/"])
def test_a_branch_that_git_would_misunderstand_is_no_branch(ref):
    group = {**GROUP, "base_ref": ref}
    assert isinstance(read_event("merge_group", {**HERE, "action": "checks_requested", "merge_group": group}), Ignored)


def test_only_a_push_to_the_default_branch_counts():
    payload = {**HERE, "ref": "refs/heads/main", "after": HEAD, "deleted": False}
    assert read_event("push", payload) == Pushed(repo=REPO, branch="main", sha=HEAD, to_default=True)
    topic = read_event("push", {**payload, "ref": "refs/heads/topic/a"})
    assert topic == Pushed(repo=REPO, branch="topic/a", sha=HEAD)
    assert isinstance(read_event("push", {**payload, "ref": "refs/tags/main"}), Ignored)
    assert isinstance(read_event("push", {**payload, "deleted": True}), Ignored)


@pytest.mark.parametrize(
    ("action", "state"),
    [("created", "active"), ("unsuspend", "active"), ("new_permissions_accepted", "active"),
     ("suspend", "suspended"), ("deleted", "removed")],
)  # fmt: skip
def test_an_installation_comes_and_goes(action, state):
    payload = {"action": action, "installation": {"id": 5, "account": {"login": "acme", "type": "Organization"}}}
    event = read_event("installation", payload)
    assert event == InstallationChanged(installation_id=5, account="acme", state=InstallationState(state))


@pytest.mark.parametrize("account", [{"slug": "acme-inc"}, {}])
def test_an_enterprise_that_leaves_is_heard(account):
    event = read_event("installation", {"action": "deleted", "installation": {"id": 5, "account": account}})
    assert (event.state, event.account) == (InstallationState.REMOVED, account.get("slug", ""))


def test_an_installation_covers_other_repositories():
    payload = {
        "action": "added", "installation": {"id": 5}, "repositories_removed": [],
        "repositories_added": [{"id": 9, "full_name": "acme/shop"}],
    }  # fmt: skip
    event = read_event("installation_repositories", payload)
    assert event == RepositoriesChanged(installation_id=5, added=(REPO,), removed=())


def test_a_ping_is_a_ping():
    assert read_event("ping", {"zen": "Keep it logically awesome."}) == Ping()


def test_what_was_not_sent_to_an_app_is_ignored():
    payload = {name: value for name, value in pull_request("opened").items() if name != "installation"}
    assert read_event("pull_request", payload) == Ignored(why="the payload has no usable “installation”")


@pytest.mark.parametrize("name", ["../shop", "acme/..", "acme/.", "acme", "acme/shop/x", "acme/sh op", "acme/shöp", ""])
def test_a_repository_whose_name_leads_elsewhere_is_ignored(name):
    repository = {"id": 9, "full_name": name}
    assert isinstance(read_event("pull_request", pull_request("opened", repository=repository)), Ignored)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nan", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b"[]", b"3", b"null",
     b'{"action": ' + b"9" * 1_000_000 + b"}"],
    ids=lambda body: repr(body[:8]),
)  # fmt: skip
def test_a_body_that_is_no_payload_is_ignored(body):
    assert isinstance(read_body("pull_request", body), Ignored)


def test_an_unknown_event_is_ignored_whatever_it_holds():
    assert isinstance(read_event("sponsorship", None), Ignored)
    assert isinstance(read_event("pull_request_target", pull_request("opened")), Ignored)


def test_why_it_was_ignored_quotes_nothing_from_outside():
    payload = pull_request("opened", installation={"id": "::error::evil"})
    assert read_event("pull_request", payload).why == "the payload has no usable “installation.id”"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([HEAD, "created"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
VALID = [
    ("pull_request", pull_request("opened")), ("check_run", check_run("rerequested")), ("issue_comment", comment()),
    ("pull_request_review", pull_request("submitted", review={"state": "approved"})),
    ("merge_group", {**HERE, "action": "checks_requested", "merge_group": GROUP}),
    ("push", {**HERE, "ref": "refs/heads/main", "after": HEAD}),
    ("installation", {"action": "deleted", "installation": {"id": 5, "account": ADA}}),
]  # fmt: skip


@given(st.data())
def test_a_payload_that_was_tampered_with_anywhere_never_crashes(data):
    name, payload = data.draw(st.sampled_from(VALID))
    assert not isinstance(read_event(name, payload), Ignored)
    broken = json.loads(json.dumps(payload))
    inner = broken
    while True:
        key = data.draw(st.sampled_from(sorted(inner)))
        if not isinstance(inner[key], dict) or not inner[key] or data.draw(st.booleans()):
            inner[key] = data.draw(JUNK)
            break
        inner = inner[key]
    read_event(name, broken)


@given(st.sampled_from([*sorted(EVENTS), "star"]), st.binary(max_size=40))
def test_any_bytes_are_an_intent(name, body):
    assert read_body(name, body) is not None


@pytest.mark.skipif(not EXAMPLES.exists(), reason=MISSING)
def test_every_example_that_github_publishes_is_accepted_or_ignored_for_a_reason_of_ours():
    """The examples are those of a repository's webhook; an App's differ in carrying the installation."""
    kinds = Counter()
    for event in json.loads(EXAMPLES.read_text()):
        for payload in event["examples"]:
            intent = read_event(event["name"], {"installation": {"id": 5}, **payload})
            kinds[event["name"], type(intent).__name__] += 1
            assert not (isinstance(intent, Ignored) and intent.why.startswith("the payload has no usable")), intent
    assert sum(kinds.values()) == 329
    assert {key: count for key, count in kinds.items() if key[1] != "Ignored"} == {
        ("check_suite", "RerunRequested"): 2,
        ("installation", "InstallationChanged"): 7,
        ("installation_repositories", "RepositoriesChanged"): 3,
        ("merge_group", "QueueEntered"): 2,
        ("ping", "Ping"): 4,
        ("pull_request", "PullRequestMoved"): 10,
        ("pull_request", "PullRequestClosed"): 2,
        ("pull_request_review", "ReviewGiven"): 1,
        ("push", "Pushed"): 2,
    }
