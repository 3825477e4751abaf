"""The page of alerts: who sees them, and what maintainers do."""

import re
from datetime import date

import pytest
from sqlalchemy import text as sql

from engine.drift.reading import Level, Move, Question, Reading
from tests.bot.pages.site import FROM_US
from tests.bot.pages.stage import NOW

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("staged", ["sqlite"], indirect=True)]
ADDRESS = "/repositories/11/alerts"
RAISED = Reading(
    question=Question.PAST, level=Level.ALERT, day=date(2026, 11, 20), since=date(2026, 11, 18), shift=0.1,
    log_evidence=9.0, sees_from=0.062, per_day=300,
    why="The mix of decisions left its past since about 2026-11-18: 10.0 points moved.",
    moves=(Move(label="<b>refund", before=0.4, after=0.3),),
)  # fmt: skip


@pytest.fixture
def raised(staged):
    staged.keep_reading(11, "support-triage", RAISED, start=date(2026, 9, 1), episode_id="e1", at=NOW)
    yield staged
    with staged._database.writing() as session:
        for table in ("alerts", "alert_episodes"):
            session.execute(sql(f"DELETE FROM {table}"))


def words(answer):
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", answer.text))


def form(action, **more):
    return {"action": action, "lineage": "support-triage", "question": "past", **more}


def test_readers_see_the_alert_and_maintainers_pause_and_resume_it(web, raised):
    ada, mia = web.signed_in("ada"), web.signed_in("mia")
    shown = words(ada.get(ADDRESS))
    assert "10.0 points moved" in shown
    assert "This volume shows shifts of 6.2 points or more" in shown
    assert "Pause" not in shown
    assert "support-triage its own past" in words(ada.get("/"))
    assert "10.0 points moved" not in words(web.signed_in("eve").get("/"))
    assert mia.post(ADDRESS, data=form("pause"), headers={"origin": "https://evil.example"}).status_code == 403


def test_a_pause_names_who_made_it(made, raised):
    mia, ada = made.signed_in("mia"), made.signed_in("ada")
    assert "Only maintainers" in words(ada.post(ADDRESS, data=form("pause"), headers=FROM_US))
    assert "Paused. No messages are sent" in words(mia.post(ADDRESS, data=form("pause"), headers=FROM_US))
    assert "by mia" in words(mia.get(ADDRESS))
    assert "This alert is already paused" in words(mia.post(ADDRESS, data=form("pause"), headers=FROM_US))
    assert "Resumed" in words(mia.post(ADDRESS, data=form("resume"), headers=FROM_US))
    said = words(mia.post(ADDRESS, data=form("restart"), headers=FROM_US))
    assert "The baseline now starts on 2026-11-18" in said
    assert raised.alert(11, "support-triage", Question.PAST).start == date(2026, 11, 18)
    for bad in (form("pause", lineage="nothing"), form("pause", question="x"), {"action": "pause"}):
        assert "There is no such alert" in words(mia.post(ADDRESS, data=bad, headers=FROM_US))
    assert "has no action" in words(mia.post(ADDRESS, data=form("restart me"), headers=FROM_US))
    log = words(mia.get("/repositories/11/audit"))
    did = [log.index(f"mia (maintain) {action} alert") for action in ("restart", "resume", "pause")]
    assert did == sorted(did)
    assert log.count("support-triage compared with its own past") == 3, "what was refused changed nothing"


def test_maintainers_set_a_watch_and_see_its_cost_first(made, raised):
    mia, watch = made.signed_in("mia"), {"action": "watch", "lineage": "support-triage"}
    assert re.search(r"support-triage off – about \$", words(mia.get(ADDRESS)))
    assert "is watched every day" in words(mia.post(ADDRESS, data=watch | {"every": "1"}, headers=FROM_US))
    assert "every day by mia 2026-11-21" in words(mia.get(ADDRESS))
    for bad in ({"every": "0"}, {"every": "1", "lineage": "x"}):
        assert "no such prompt or pace" in words(mia.post(ADDRESS, data=watch | bad, headers=FROM_US))
    assert "not watched any more" in words(mia.post(ADDRESS, data=watch | {"every": ""}, headers=FROM_US))
    assert "Only maintainers" in words(made.signed_in("ada").post(ADDRESS, data=watch, headers=FROM_US))
    assert raised.watches(11) == []
    assert re.search(
        r"mia \(maintain\) stop watch .*mia \(maintain\) watch .*support-triage",
        words(mia.get("/repositories/11/audit")),
    )


@pytest.fixture
def made(raised, tmp_path):
    """A site whose forms do something."""
    from tests.bot.pages.site import site
    from tests.fakes.github import FakeGitHub

    with FakeGitHub(tmp_path) as github:
        yield site(raised, github, [("acme/shop", 11, {"mia": "maintain", "ada": "read"})], hub=object())
