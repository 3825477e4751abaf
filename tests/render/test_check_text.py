"""The scorecard as a check run."""

import pytest

from engine.render.check_text import check_text
from engine.render.limits import CHECK_FIELD
from tests.render.golden import check_golden
from tests.render.scorecards import STATES, blocked, scorecard


@pytest.mark.parametrize("state", STATES)
def test_every_state_fits_a_check_run(state):
    text = check_text(STATES[state]())
    assert len(text.title) <= 255
    assert CHECK_FIELD.hold(text.summary)
    assert CHECK_FIELD.hold(text.text)


def test_the_summary_says_why_and_the_text_has_the_lineages():
    text = check_text(blocked())
    check_golden("check-summary.md", text.summary)
    check_golden("check-text.md", text.text)


def test_a_title_is_one_visible_line():
    assert check_text(scorecard(title="a\nb\u202ec")).title == "a⏎b⟨U+202E⟩c"
