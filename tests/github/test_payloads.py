"""Every example payload that GitHub's own people publish is read, or refused for a reason."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from action.events import Irrelevant, PullRequestChanged, QueueEntered, read_event
from schemas.errors import UsageError
from tests.fakes.github.openapi import MISSING

SOURCE = Path(__file__).parents[2] / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason=MISSING)


def examples(name):
    if not SOURCE.exists():
        return []
    return next(e["examples"] for e in json.loads(SOURCE.read_text()) if e["name"] == name)


def test_pull_requests():
    events = [(p["action"], read_event("pull_request", p)) for p in examples("pull_request")]
    relevant = {action for action, event in events if isinstance(event, PullRequestChanged)}
    assert len(events) == 29
    assert relevant == {"opened", "synchronize", "reopened", "ready_for_review"}


def test_reviews():
    events = [(p["review"]["state"], read_event("pull_request_review", p)) for p in examples("pull_request_review")]
    assert {state for state, event in events if isinstance(event, Irrelevant)} == {"commented"}


def test_merge_groups():
    assert all(isinstance(read_event("merge_group", p), QueueEntered) for p in examples("merge_group"))


@pytest.mark.parametrize("name", ["push", "workflow_dispatch"])
def test_the_others_are_read_or_refused(name):
    for payload in examples(name):
        with suppress(UsageError):
            assert read_event(name, payload)
