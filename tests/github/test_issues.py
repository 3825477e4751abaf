"""Issues that are opened once, whatever gets lost on the way, then updated and closed."""

from datetime import UTC, datetime

import pytest
from github import Auth

from adapters.github import GitHubHost
from schemas.errors import NotFound, PermissionMissing

MARKER = "<!-- prompt-verdict-alert 0a1b"
BODY = f"{MARKER} -->\nDecisions left their past."
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def host(github, scene, naps):
    token = github.actions_token(scene.repository, contents="read", issues="write")
    return GitHubHost("acme/shop", Auth.Token(token), api_url=github.api_url, sleep=naps.append)


def bodies(scene):
    return [one["body"] for one in scene.repository.issues.values()]


def test_an_issue_is_opened_updated_and_closed(host, scene):
    made = host.open_issue("Production of triage", BODY, MARKER, SINCE)
    assert host.open_issue("Production of triage", BODY, MARKER, SINCE) == made
    assert host.find_issue(MARKER, SINCE) == made
    host.comment(made.number, f"{MARKER} told 2026-01-08 -->\nStill open.", f"{MARKER} told 2026-01-08")
    host.comment(made.number, f"{MARKER} told 2026-01-08 -->\nStill open.", f"{MARKER} told 2026-01-08")
    assert len(scene.repository.comments_of(made.number)) == 1
    closed = host.write_issue(made.number, body=BODY + " It is over.", is_open=False)
    assert (closed.is_open, closed.closed_by) == (False, "github-actions[bot]")
    assert host.issue(made.number).body.endswith("It is over.")
    assert bodies(scene) == [BODY + " It is over."]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_lost_answer_makes_no_second_issue(github, host, scene, arrives):
    github.fail("POST", "issues", lost=arrives, cut=not arrives)
    host.open_issue("Production of triage", BODY, MARKER, SINCE)
    assert bodies(scene) == [BODY]


def test_only_our_own_issues_with_the_marker_count(host, scene):
    scene.repository.issues[8] = {
        "number": 8, "title": "a copy", "body": BODY, "author": "mallory", "state": "open", "state_reason": None,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert host.find_issue(MARKER, SINCE) is None
    made = host.open_issue("Production of triage", BODY, MARKER, SINCE)
    assert host.find_issue(f"{MARKER}2", SINCE) is None
    assert host.find_issue(MARKER, SINCE).number == made.number != 8
    with pytest.raises(ValueError, match="marker"):
        host.open_issue("no marker", "text", MARKER, SINCE)


def test_without_the_permission_it_says_which(github, scene):
    token = github.actions_token(scene.repository, contents="read", issues="read")
    reader = GitHubHost("acme/shop", Auth.Token(token), api_url=github.api_url)
    with pytest.raises(PermissionMissing, match="issues"):
        reader.open_issue("Production of triage", BODY, MARKER, SINCE)
    with pytest.raises(NotFound):
        reader.issue(77)
