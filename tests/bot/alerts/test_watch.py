"""The scheduled watch with a real SDK, real git and a model server whose model changes behind its name."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import SystemClock
from bot.alerts.publisher import AlertPublisher
from bot.alerts.watch_steps import WatchSteps
from bot.runs.default_branch import DefaultBranch
from bot.runs.evaluation import LiveEvaluation
from bot.store.values import RepositoryRef, RunState
from bot.worker import app_and_sources
from engine.alerts.states import AlertState
from engine.drift.reading import Question
from tests.bot.alerts.production import entry
from tests.bot.whole import Whole
from tests.watch.model_server import PROMPT, ModelServer, files

pytestmark = pytest.mark.slow


class Days(SystemClock):
    """A clock that can be moved by days."""

    def __init__(self):
        self.ahead = datetime(2026, 6, 1, 8, tzinfo=UTC) - datetime.now(UTC)

    def utc(self):
        return datetime.now(UTC) + self.ahead

    def forward(self, days):
        self.ahead += timedelta(days=days)


class Queue:
    def __init__(self):
        self.waiting = []

    async def enqueue(self, run_id):
        self.waiting.append(run_id)


class Town:
    """The bot's parts around one repository."""

    def __init__(self, github, folder, url):
        self.model, self.clock, self.queue = ModelServer(), Days(), Queue()
        self.whole = Whole(
            github, folder, url=url, HOUSE_KEY="k" * 20, PROMPTVERDICT_KEY_ORIGINS=f"HOUSE_KEY={self.model.url}"
        )
        self.whole.move_to("acme/shop", files(self.model.url))
        self.records, self.repository = self.whole.records, self.whole.scene.repository
        self.repo = RepositoryRef(
            installation_id=self.whole.installation, repository_id=self.repository.id, full_name="acme/shop"
        )
        self.records.repository(self.repo, self.clock.utc())
        self.app, self.sources = app_and_sources(self.whole.settings, lambda _: None)
        branch = DefaultBranch(self.app, self.sources)
        self.evaluation = LiveEvaluation(self.whole.settings, self.records, self.sources, self.clock)
        self.steps = WatchSteps(self.records, self.evaluation, branch, self.clock)
        self.publisher = AlertPublisher(self.records, self.app, None, lambda _: None)
        self.loop = asyncio.Runner()

    def close(self):
        self.loop.run(self.evaluation.aclose())
        self.loop.close()
        self.model.close()
        self.records.close()

    def day(self, *, kill=False):
        """One day of the watch; with ``kill`` the worker dies after it measured, and another repeats everything."""
        self.clock.forward(1)

        async def work():
            await self.steps.start(self.queue, self.clock.utc())
            await self.steps.start(self.queue, self.clock.utc())
            (run_id,) = set(self.queue.waiting) or (None,)
            for _ in range(2 if kill else 1) if run_id else ():
                await self.steps.measure(run_id)
            for _ in range(2) if run_id else ():
                await self.steps.publish(run_id)
            self.queue.waiting.clear()
            await self.publisher.publish()

        self.loop.run(work())
        return self.records.alert(self.repo.repository_id, "triage", Question.WATCH)

    def entry(self):
        return entry(self.clock.utc(), repository_id=self.repo.repository_id)

    @property
    def issues(self):
        return list(self.repository.issues.values())


@pytest.fixture
def town(github, tmp_path, url):
    made = Town(github, tmp_path / "data", url)
    yield made
    made.close()


def test_a_model_that_changes_behind_its_name_is_found_and_told_once(town):
    town.records.set_watch("triage", town.entry(), every_days=1)
    first = town.day()
    assert (first.state, town.model.requests) == (AlertState.NO_DATA, 36)
    assert "runs of later days are compared with them" in first.reading.why
    quiet = town.day(kill=True)
    assert quiet.state is AlertState.OK
    assert town.model.requests == 72, "each day asks anew, and a killed worker's answers are not paid twice"
    assert "With 36 cases, one run can show changes of" in quiet.reading.why

    town.model.wrong, town.model.fingerprint = 2, "fp_b"
    found = town.day()
    assert found.state is AlertState.ALERT
    assert "the score fell by 50.0 points" in found.reading.why
    assert "The two runs share no build (fingerprint)" in found.reading.why
    (issue,) = town.issues
    assert issue["title"] == "triage in production: the model behind the name changed"
    assert "stored answers of 2026-06-02" in issue["body"]
    later = town.day()
    assert (later.state, later.reading.since) == (AlertState.ALERT, found.reading.since)
    assert "ticket" not in issue["body"]

    town.model.wrong = 0
    assert [town.day().state for _ in range(3)] == [AlertState.ALERT, AlertState.ALERT, AlertState.OK]
    assert [one["state"] for one in town.issues] == ["closed"]
    runs = [one.run for one in town.records.run_rows(town.repo.repository_id)]
    assert {one.state for one in runs} == {RunState.DONE}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_outage_is_neither_a_finding_nor_a_baseline(town):
    town.records.set_watch("triage", town.entry(), every_days=1)
    town.model.refuses = 3
    first = town.day()
    assert first.state is AlertState.NO_DATA
    assert "can't be compared" in first.reading.why
    town.model.refuses = 0
    assert "runs of later days are compared with them" in town.day().reading.why
    assert town.day().state is AlertState.OK
    town.model.refuses = 3
    assert town.day().state is AlertState.NO_DATA
    town.model.refuses, town.model.wrong = 0, 2
    assert town.day().state is AlertState.ALERT
    assert len(town.issues) == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_another_name_is_a_finding_and_a_person_may_take_it_for_normal(town):
    town.records.set_watch("triage", town.entry(), every_days=1)
    town.day()
    town.model.reported = "house-1-1101"
    found = town.day()
    assert found.state is AlertState.ALERT
    assert "the provider reports house-1-1101 instead of house-1-0601" in found.reading.why
    assert "house-1-1101" in town.issues[0]["body"]
    town.records.restart_alert("triage", Question.WATCH, town.entry(), start=found.reading.since)
    assert town.day().state is AlertState.NO_DATA
    assert town.day().state is AlertState.OK
    assert [one["state"] for one in town.issues] == ["closed"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_changed_prompt_gets_a_new_baseline_and_trouble_is_said(town):
    town.records.set_watch("triage", town.entry(), every_days=1)
    town.day()
    town.repository.git.commit(
        "main", {"prompts/triage.prompt.yml": PROMPT.replace("alone", "only")}, parents=("main",)
    )
    changed = town.day()
    assert changed.state is AlertState.NO_DATA
    assert "the prompt or its test set changed" in changed.reading.why
    assert town.day().state is AlertState.OK
    town.repository.git.commit("main", {"promptverdict.yaml": "version: 1\nlineages: {}\n"}, parents=("main",))
    asked = town.model.requests
    town.day()
    (watch,) = town.records.watches(town.repo.repository_id)
    assert "no lineage is configured" in watch.trouble
    assert town.model.requests == asked
    town.records.set_watch("triage", town.entry(), every_days=None)
    assert town.records.watches(town.repo.repository_id) == []
