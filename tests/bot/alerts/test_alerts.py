"""From hourly figures to an issue: opened once, updated, closed; other channels; pauses. On both databases."""

import asyncio
import threading
from datetime import timedelta

import pytest

from adapters.github.app import GitHubApp
from bot.alerts.evaluation import LATE, LOOKS_BACK, TURN_FOR, DriftEvaluation
from bot.alerts.publisher import AlertPublisher
from bot.production.default_settings import settings_of
from bot.production.span_reader import RepositoryReader
from bot.store.production_writing import KEEP_HOURS, OTHER
from engine.alerts.states import AlertState
from engine.drift.reading import Question
from engine.readers.config import read_config
from schemas.errors import HostUnavailable
from schemas.production import SpanRecord
from tests.bot.alerts.production import QUIET, REPO, SHIFTED, START, at_day, entry, fill
from tests.bot.production.conftest import CONFIG

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


def test_no_setting_deletes_the_days_that_drift_needs(bot):
    """Hourly figures have no setting. The shortest of all others leaves them."""
    assert LOOKS_BACK + timedelta(days=2) + LATE < KEEP_HOURS
    from bot.store.retention import Retention

    at = START + LOOKS_BACK
    bot.records.prune(Retention(deliveries_days=7, texts_days=30, spans_days=1), at)
    kept = bot.records.decision_counts(REPO.repository_id, "triage", since=START.date(), until=at.date())
    assert kept[0].day == START.date()


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
def test_invented_names_neither_fill_the_alerts_nor_pass_for_a_new_model(bot, records, monkeypatch):
    monkeypatch.setattr("bot.store.production_records.MOST_PROMPTS", 2)
    for number in range(6):
        fill(records, [{"x": 1}], lineage=f"<b>invented {number}", first=SHIFT - 1)
    fill(records, [{"x": 500}], lineage=OTHER, model=OTHER, digest=OTHER, first=SHIFT - 1)
    fill(records, [{"billing": 20}], model=OTHER, digest=OTHER, first=SHIFT - 1)
    bot.read(SHIFT)
    assert {one.lineage for one in records.alerts(REPO.repository_id)} == {"triage", "<b>invented 0"}
    model = records.alert(REPO.repository_id, "triage", Question.MODEL)
    assert (model.state, "No new model" in model.reading.why) == (AlertState.OK, True)


@pytest.mark.slow
def test_while_github_is_down_the_other_channels_work(bot):
    bot.read(SHIFT + 3)
    bot.github.fail("POST", "issues$", status=503, times=20)
    bot.tell()
    assert (bot.issues, len(bot.inbox.got)) == ([], 1)


@pytest.mark.slow
def test_old_alerts_that_need_no_message_keep_no_new_one_back(bot, monkeypatch):
    monkeypatch.setattr("bot.store.alert_records.TOGETHER", 1)
    inbox, bot.inbox = bot.inbox, None
    bot.read(SHIFT + 3)
    bot.tell()
    bot.records.pause_alert("triage", Question.PAST, entry(at_day(SHIFT + 4)))
    bot.tell()
    # Now the operator adds a channel. That alert was over before.
    bot.inbox = inbox
    bot.records.resume_alert("triage", Question.PAST, entry(at_day(SHIFT + 4)))
    bot.read(SHIFT + 5)
    bot.tell()
    assert len(inbox.got) == 1


def test_a_span_s_content_reaches_no_alert_no_issue_and_no_channel(bot, records):
    """Spans with content in every place that can hold some, through the intake's reader, while content is off."""
    canary = "Jane Doe jane@example.com 4111-1111"
    config = read_config("promptverdict.yaml", CONFIG.format(more="").encode())
    reader = RepositoryReader.of(settings_of(config), lambda *_: None, timedelta(days=30))
    fill(records, [{"billing": 150, "technical": 150}] * SHIFT, lineage="reply", model="m-1")
    for day in range(SHIFT, SHIFT + 6):
        at = at_day(day, 12)
        start = int(at.timestamp()) * 10**9
        given = {
            "gen_ai.operation.name": "chat", "prompt_verdict.lineage": "reply", "gen_ai.response.model": "m-2",
            "gen_ai.request.model": canary, "gen_ai.response.finish_reasons": [canary], "error.type": canary,
            "gen_ai.system_instructions": canary, "gen_ai.prompt.0.role": canary, "gen_ai.prompt.0.content": canary,
            "input.value": canary, "ai.prompt": canary, "llm.invocation_parameters": canary, canary: canary,
        }  # fmt: skip
        spans = [
            SpanRecord(
                trace_id=f"{day * 1_000 + n + 1:032x}", span_id=f"{1:016x}", parent_id=None, name=canary,
                start_ns=start, end_ns=start + 10**9, failed=True, body={"content": canary},
                attributes={**given, "gen_ai.completion.0.content": f"Label: {'billing' if n % 4 else 'technical'}. {canary}"},
                events=[("exception", {"exception.message": canary, "exception.type": canary})],
            )
            for n in range(200)
        ]  # fmt: skip
        with_lineage = [
            one._replace(attributes={**one.attributes, "prompt_verdict.lineage": "triage"}) for one in spans
        ]
        records.write_spans(REPO.repository_id, reader.read([*spans, *with_lineage], at).spans)
    fill(records, [{"billing": 150, "technical": 150}] * 6, lineage="reply", model="m-2", first=SHIFT)
    bot.read(SHIFT + 6)
    bot.tell()
    told = "".join(
        [*(str(one) for one in bot.issues), *map(str, bot.inbox.got), *map(str, records.alerts(REPO.repository_id))]
    )
    assert len(bot.inbox.got) >= 2
    assert "technical" in told
    for part in ("Jane", "example.com", "4111"):
        assert part not in told


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
