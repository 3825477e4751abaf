"""The scorecard in a terminal."""

import pytest

from engine.render.terminal import terminal
from tests.render.golden import check_golden
from tests.render.scorecards import STATES, approved, blocked, lineage, scorecard


@pytest.mark.parametrize("state", STATES)
def test_the_text_of_every_state_at_80_columns(state):
    check_golden(f"{state}.txt", terminal(STATES[state]()))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    from rich.cells import cell_len

    assert all(cell_len(line) <= width for line in terminal(blocked(), width).splitlines())


def test_without_colour_there_is_no_escape_sequence():
    assert "\x1b" not in terminal(blocked(), colour=False)


def test_with_colour_the_words_stay_the_same():
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal(approved(), colour=True))
    assert "\x1b[" in terminal(approved(), colour=True)
    assert plain.split() == terminal(approved()).split()


def test_untrusted_text_cannot_steer_the_terminal():
    attack = "\x1b]0;owned\x07\x1b[2J[bold]x[/bold] :smile: \u202eabc\r"
    text = terminal(scorecard(summary=attack, lineages=(lineage(headline=attack),)), colour=True)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "\r" not in text
    assert "[bold]x[/bold] :smile:" in text
