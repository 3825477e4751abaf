"""The states of an alert, and its texts."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.alerts.states import CALM, REMIND_DAYS, AlertState, Standing, after, paused, resumed
from engine.alerts.texts import AlertNote, ending_text, issue_text, marker, plain_text, reminder_text, title
from engine.drift.reading import Level, Move, Question, Reading

DAY = date(2026, 3, 1)


def through(levels, standing=None):
    standing, seen = standing or Standing(), []
    for number, level in enumerate(levels):
        standing = after(standing, level, DAY + timedelta(number))
        seen.append(standing.state)
    return standing, seen


def test_an_alert_ends_only_after_several_calm_days():
    _, seen = through([Level.OK, Level.ALERT, Level.OK, Level.OK, Level.WARNING, *[Level.OK] * CALM])
    states = [AlertState.OK, *[AlertState.ALERT] * 6, AlertState.OK]
    assert seen == states
    _, seen = through([Level.WARNING, Level.OK, Level.OK, Level.OK])
    assert seen == [AlertState.WARNING, AlertState.WARNING, AlertState.WARNING, AlertState.OK]


def test_silence_ends_no_alert_and_a_day_is_read_once():
    standing, seen = through([Level.ALERT, Level.NO_DATA, Level.OK])
    assert seen == [AlertState.ALERT] * 3
    assert after(standing, Level.OK, standing.day) == standing
    assert through([Level.WARNING, Level.NO_DATA])[1][-1] is AlertState.NO_DATA


def test_an_open_alert_is_told_again_each_week():
    told = [through([Level.ALERT] * days)[0].told for days in range(1, 2 * REMIND_DAYS + 2)]
    assert sorted(set(told)) == [DAY, DAY + timedelta(7), DAY + timedelta(14)]


@given(st.lists(st.sampled_from(list(Level)), max_size=40))
def test_a_paused_alert_stays_paused_and_a_told_one_is_an_alert(levels):
    standing, seen = through(levels, paused(Standing(), DAY))
    assert set(seen) <= {AlertState.PAUSED}
    assert resumed(standing, DAY).state is AlertState.NO_DATA
    open_one, _ = through(levels)
    assert (open_one.told is not None) == (open_one.state is AlertState.ALERT)


def note(**more):
    reading = Reading(
        question=Question.PAST, level=Level.ALERT, day=DAY, why="The mix left its past: 9.1 points moved.", shift=0.091,
        log_evidence=12.0, sees_from=0.062, per_day=310,
        moves=(Move(label="<img src=x> @ada", before=0.4, after=0.3), Move(label="refund", before=0.2, after=0.3)),
    )  # fmt: skip
    given = {
        "id": "a1", "repository": "acme/shop", "lineage": "tri`age @bob", "question": Question.PAST, "opened": DAY,
        "reading": reading, "page": "https://v.example/alerts",
    }  # fmt: skip
    return AlertNote(**(given | more))


def test_the_texts_say_what_moved_and_what_could_be_seen_and_encode_what_others_wrote():
    text = issue_text(note())
    assert text.startswith(f"{marker('a1')} -->\n")
    for words in (
        "9.1 points moved",
        "162,755 to 1",
        "6.2 points or more",
        "| refund | 20.0% | 30.0% |",
        "Close this issue",
    ):
        assert words in text.replace("&#46;", ".").replace("&#44;", ","), words
    assert "<img" not in text
    assert "@ada" not in text
    assert "a label with other characters" in text
    assert len(title(note(lineage="x" * 500))) == 200
    ended = note(ended=DAY + timedelta(9))
    assert "The alert is over" in ending_text(ended)
    assert "Close this issue" not in issue_text(ended)
    assert "still open" in reminder_text(note(), DAY)
    assert plain_text(ended).splitlines()[-1] == "https://v.example/alerts"
