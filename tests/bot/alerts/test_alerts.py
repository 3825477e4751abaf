"""From hourly figures to an issue: opened once, updated, closed; other channels; pauses. On both databases."""

import asyncio
import threading
from datetime import timedelta

import pytest

from adapters.github.app import GitHubApp
from bot.alerts.evaluation import TURN_FOR, DriftEvaluation
from bot.alerts.publisher import AlertPublisher
from engine.alerts.states import AlertState
from engine.drift.reading import Question
from schemas.errors import HostUnavailable
from tests.bot.alerts.production import QUIET, REPO, SHIFTED, START, at_day, entry, fill

pytestmark = pytest.mark.slow

SHIFT, OVER = 40, 50
"""The days on which the decisions shift, and are as before again."""
ENDS = (OVER + 9, OVER + 10, OVER + 11)
"""Days whose readings end the alert."""


class Killed(BaseException):
    """The process ends here."""


class Inbox:
    """A channel."""

    def __init__(self):
        self.got = []
        self.down = False

    def send(self, title, text):
        if self.down:
            raise HostUnavailable("down")
        self.got.append((title, text))


class Bot:
    """The parts that read and tell, around one repository."""

    def __init__(self, github, records):
        self.github, self.records, self.inbox = github, records, Inbox()
        self.repository = github.repository(REPO.full_name, mia="maintain")
        self.repository.id = REPO.repository_id
        app, number = github.app("prompt-verdict", [self.repository], contents="read", issues="write")
        app.installations[REPO.installation_id] = app.installations.pop(number)
        self.app = app
        self.client = GitHubApp(app.id, app.private_key, api_url=github.api_url, sleep=lambda _: None)
        records.repository(REPO, START)

    def read(self, *days, slot="one"):
        for day in days:
            self.github.clock = lambda day=day: at_day(day).timestamp()
            assert asyncio.run(DriftEvaluation(self.records, slot).evaluate(at_day(day)))

    def tell(self):
        channels = None if self.inbox is None else self.inbox
        asyncio.run(
            AlertPublisher(self.records, self.client, channels, lambda number: f"https://v.example/{number}").publish()
        )

    def past(self):
        return self.records.alert(REPO.repository_id, "triage", Question.PAST)

    @property
    def issues(self):
        return list(self.repository.issues.values())


@pytest.fixture
def bot(github, records):
    fill(records, [QUIET] * SHIFT + [SHIFTED] * (OVER - SHIFT) + [QUIET] * 40)
    return Bot(github, records)


def test_an_alert_opens_one_issue_updates_it_and_closes_it(bot):
    bot.read(SHIFT)
    bot.tell()
    assert bot.past().state is AlertState.OK
    assert bot.issues == []
    bot.read(SHIFT + 3)
    assert bot.past().state is AlertState.ALERT
    bot.tell()
    bot.tell()
    (issue,) = bot.issues
    assert issue["title"] == "triage in production: decisions shifted from the baseline"
    assert "refund 40% → 25%" in issue["body"]
    assert "shows shifts of" in issue["body"]
    assert issue["author"] == "prompt-verdict[bot]"
    bot.read(SHIFT + 4)
    bot.tell()
    assert "2026-02-17" in bot.issues[0]["body"], "updated each day, without a comment"
    assert bot.repository.comments == []
    bot.read(SHIFT + 10)
    bot.tell()
    bot.tell()
    assert [one["body"].split("\n")[1][:26] for one in bot.repository.comments] == ["The alert is still open. T"]
    bot.read(*ENDS)
    bot.tell()
    bot.tell()
    (issue,) = bot.issues
    assert bot.past().state is AlertState.OK
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert bot.repository.comments[-1]["body"].split("\n")[1].startswith("The alert is over.")
    assert len(bot.repository.comments) == 2
    assert [title for title, _ in bot.inbox.got] == ["triage in production: decisions shifted from the baseline"] * 3
    assert bot.inbox.got[-1][1].splitlines()[1].startswith("The alert is over.")


@pytest.mark.slow
@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("ending", [False, True])
def test_killed_anywhere_there_is_still_one_issue(bot, monkeypatch, step, ending):
    """Killed at the ``step``-th write to our database while the issue is opened, or closed."""
    if ending:
        bot.read(SHIFT + 3)
        bot.tell()
        bot.read(*ENDS)
    else:
        bot.read(SHIFT + 3)
    real, left = type(bot.records).episode_told, [step]

    def dies(self, *given, **named):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(self, *given, **named)

    monkeypatch.setattr(type(bot.records), "episode_told", dies)
    with pytest.raises(Killed):
        bot.tell()
    monkeypatch.undo()
    bot.tell()
    assert [one["state"] for one in bot.issues] == ["closed" if ending else "open"]
    assert len(bot.repository.comments) == int(ending)


@pytest.mark.slow
def test_an_alert_that_ended_before_its_issue_was_known_is_closed(bot, monkeypatch):
    bot.read(SHIFT + 3)
    monkeypatch.setattr(type(bot.records), "episode_told", lambda *_, **__: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        bot.tell()
    monkeypatch.undo()
    bot.read(*ENDS)
    bot.tell()
    assert [one["state"] for one in bot.issues] == ["closed"]


@pytest.mark.slow
def test_a_lost_answer_and_two_publishers_at_once_make_one_issue(bot):
    bot.read(SHIFT + 3)
    bot.github.fail("POST", "issues$", lost=True)
    bot.tell()
    assert len(bot.issues) == 1


@pytest.mark.slow
def test_a_person_who_closes_the_issue_hears_no_more_of_it(bot):
    bot.read(SHIFT + 3)
    bot.tell()
    number = bot.issues[0]["number"]
    bot.repository.issues[number] |= {"state": "closed", "closed_by": {"login": "mia", "id": 1}}
    bot.read(SHIFT + 10)
    bot.tell()
    bot.read(*ENDS)
    bot.tell()
    (issue,) = bot.issues
    assert issue["state"] == "closed"
    assert bot.repository.comments == []
    assert bot.past().state is AlertState.OK


@pytest.mark.slow
def test_without_the_permission_the_alert_is_on_its_page_only(bot):
    bot.app.permissions = {"contents": "read", "issues": "read", "metadata": "read"}
    bot.read(SHIFT + 3)
    bot.tell()
    found = bot.past()
    assert found.refused
    assert found.state is AlertState.ALERT
    assert bot.issues == []
    asked = bot.github.count("POST", "issues$")
    bot.tell()
    assert bot.github.count("POST", "issues$") == asked, "a refusal isn't repeated"
    assert len(bot.inbox.got) == 1


@pytest.mark.slow
def test_a_channel_that_is_down_gets_the_message_later(bot):
    bot.inbox.down = True
    bot.read(SHIFT + 3)
    bot.tell()
    assert len(bot.issues) == 1
    bot.inbox.down = False
    bot.tell()
    bot.tell()
    assert len(bot.inbox.got) == 1


@pytest.mark.slow
def test_a_paused_alert_is_quiet_and_a_resumed_one_speaks(bot):
    at = at_day(SHIFT + 4)
    bot.read(SHIFT + 3)
    bot.tell()
    key = ("triage", Question.PAST)
    assert bot.records.pause_alert(*key, entry(at))
    assert not bot.records.pause_alert(*key, entry(at, by="max"))
    bot.tell()
    assert bot.issues[0]["state"] == "closed"
    bot.read(SHIFT + 5)
    found = bot.past()
    assert (found.state, found.by, found.reading.day) == (AlertState.PAUSED, "mia", found.standing.day)
    assert bot.records.resume_alert(*key, entry(at))
    assert not bot.records.resume_alert(*key, entry(at))
    bot.read(SHIFT + 6)
    assert bot.past().state is AlertState.ALERT
    bot.tell()
    assert [one["state"] for one in bot.issues] == ["closed", "open"]


@pytest.mark.slow
def test_what_a_person_takes_for_normal_is_the_new_past(bot):
    bot.read(SHIFT + 3)
    since = bot.past().reading.since
    assert bot.records.restart_alert("triage", Question.PAST, entry(at_day(SHIFT + 4)), start=since)
    bot.read(SHIFT + 5)
    found = bot.past()
    assert found.state is AlertState.NO_DATA
    assert "collecting the baseline" in found.reading.why


@pytest.mark.slow
def test_one_worker_at_a_time_reads_and_another_takes_over(bot):
    at = at_day(SHIFT + 3)
    assert bot.records.take_turn("alerts", "dead", at, at + TURN_FOR)
    other = DriftEvaluation(bot.records, "alive")
    assert not asyncio.run(other.evaluate(at + timedelta(minutes=1)))
    assert bot.past() is None
    assert asyncio.run(other.evaluate(at + TURN_FOR))
    assert bot.past().state is AlertState.ALERT


@pytest.mark.slow
def test_readings_of_several_workers_at_once_make_one_episode(bot):
    """The lease may run out in the middle of slow work: then two read the same day."""
    at = at_day(SHIFT + 3)
    workers = [threading.Thread(target=DriftEvaluation(bot.records, name)._repository,
                                args=(REPO.repository_id, at.date() - timedelta(days=1), at)) for name in "abcd"]  # fmt: skip
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(bot.records.untold_episodes(channels=True)) == 1
    bot.tell()
    assert len(bot.issues) == 1


@pytest.mark.slow
def test_a_new_model_is_shown_and_content_never_told(bot, records):
    canary = "Jane Doe, jane@example.com lives at 5 Elm St; her card is 4111 1111"
    fill(records, [{canary: 9}] * SHIFT)
    fill(records, [{canary: 150, "billing": 150}] * 9, model="m-2", first=SHIFT)
    bot.read(SHIFT + 8)
    bot.tell()
    model = records.alert(REPO.repository_id, "triage", Question.MODEL)
    assert model.state is AlertState.ALERT
    assert "m-2 has answered since 2026-02-14" in model.reading.why
    told = [*(str(one) for one in bot.issues), *map(str, bot.inbox.got)]
    assert len(told) == 4
    assert "Jane" not in "".join(told)
    assert "a label with other characters" in "".join(told)
    raised = records.raised_alerts([REPO.repository_id])
    assert {one.question for one in raised} == {Question.PAST, Question.MODEL}
