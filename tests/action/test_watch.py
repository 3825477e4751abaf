"""The scheduled watch of the Action: a real SDK, a real repository, a model that changes behind its name."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from action.start import run_action
from tests.action.test_outputs import parse_outputs
from tests.fakes.github import Scene
from tests.watch.model_server import ModelServer, files

pytestmark = pytest.mark.slow
PERMISSIONS = {"contents": "read", "issues": "write"}


class Weeks:
    """Scheduled runs on days that follow each other, with one home, as the workflow's cache keeps it."""

    def __init__(self, github, stage, monkeypatch):
        self.github, self.stage, self.model = github, stage, ModelServer()
        repository = github.repository("acme/shop", mia="maintain")
        repository.git.commit("main", files(self.model.url))
        stage.scene = Scene(github, repository)
        self.repository, self.now = repository, datetime(2026, 6, 1, 5, 30, tzinfo=UTC)
        monkeypatch.setattr("adapters.clock.SystemClock.utc", lambda _: self.now)

    def day(self, permissions=PERMISSIONS):
        self.now += timedelta(days=1)
        self.github.clock = self.now.timestamp
        token = self.github.actions_token(self.repository, **permissions)
        more = {"INPUT_GITHUB-TOKEN": token, "HOUSE_KEY": "k" * 20, "PATH": "/usr/bin:/bin"}
        variables = self.stage.variables("schedule", {"schedule": "30 5 * * *"}, **more)
        stream = io.StringIO()
        assert run_action(variables, stream) == 0, "a scheduled run never turns the default branch red"
        self.outputs = parse_outputs(Path(variables["GITHUB_OUTPUT"]).read_text())
        return stream.getvalue()

    @property
    def issues(self):
        return list(self.repository.issues.values())

    def closed(self, by):
        self.repository.issues[self.issues[-1]["number"]] |= {"state": "closed", "closed_by": {"login": by, "id": 1}}


@pytest.fixture
def weeks(github, stage, monkeypatch):
    made = Weeks(github, stage, monkeypatch)
    yield made
    made.model.close()


def test_a_swap_becomes_one_issue_that_is_updated_and_closed(weeks):
    assert "runs of later days are compared with them" in weeks.day()
    assert "triage: ok." in weeks.day()
    assert (weeks.model.requests, weeks.outputs["verdict"], weeks.outputs["calls"]) == (72, "approved", "36")
    weeks.model.wrong = 2
    assert "triage: alert." in weeks.day()
    assert weeks.outputs["verdict"] == "needs_review"
    (issue,) = weeks.issues
    assert "the score fell by 50.0 points" in issue["body"]
    assert "Open since 2026-06-04, last checked 2026-06-04" in issue["body"]
    weeks.day()
    assert "Open since 2026-06-04, last checked 2026-06-05" in weeks.issues[0]["body"]
    weeks.model.wrong = 0
    for _ in range(3):
        weeks.day()
    assert [one["state"] for one in weeks.issues] == ["closed"]
    assert "The alert is over" in weeks.repository.comments[-1]["body"]


def test_a_person_who_closes_the_issue_takes_the_new_model_for_normal(weeks):
    weeks.day()
    weeks.model.reported = "house-1-1101"
    assert "the provider reports house-1-1101 instead of house-1-0601" in weeks.day()
    weeks.closed("mia")
    assert "runs of later days are compared with them" in weeks.day()
    assert "triage: ok." in weeks.day()
    assert len(weeks.issues) == 1


def test_without_permission_or_a_provider_it_warns_and_stays_green(weeks):
    weeks.day()
    weeks.model.wrong = 2
    log = weeks.day({"contents": "read", "issues": "read", "pull_requests": "write"})
    assert "::warning" in log
    assert "issues: write" in log
    assert weeks.issues == []
    weeks.model.close()
    assert "gave no usable answer" in weeks.day()
    weeks.model = ModelServer()
