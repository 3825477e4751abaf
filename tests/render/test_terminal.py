"""The scorecard in a terminal."""

import pytest

from engine.render.terminal import terminal
from schemas.diffs import DiffHunk, DiffLine
from schemas.effects import Answer, CaseEffect
from schemas.prompts import Finding
from schemas.verdicts import VerdictStatus
from tests.render.golden import check_golden
from tests.render.scorecards import STATES, TRIAGE_DIFF, approved, blocked, lineage, scorecard


@pytest.mark.parametrize("state", STATES)
def test_the_text_of_every_state_at_80_columns(state):
    check_golden(f"{state}.txt", terminal(STATES[state]()))


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    from rich.cells import cell_len

    assert all(cell_len(line) <= width for line in terminal(blocked(), width).splitlines())


@pytest.mark.parametrize("width", [40, 56, 71])
def test_a_narrow_terminal_squeezes_no_name_and_no_verdict(width):
    lines = terminal(blocked(), width).splitlines()
    at = lines.index("support-triage")
    assert lines[at + 1 : at + 3] == ["claude-haiku-4-5", lines[at + 2]]
    assert lines[at + 2].startswith("  verdict ❌ blocked · score")
    at = lines.index("adversarial")
    assert lines[at + 1].startswith("  cases 12 · score 83.3 → 50.0")


def test_without_color_there_is_no_escape_sequence():
    assert "\x1b" not in terminal(blocked(), color=False)


def test_with_color_the_words_stay_the_same():
    import re

    plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal(approved(), color=True))
    assert "\x1b[" in terminal(approved(), color=True)
    assert plain.split() == terminal(approved()).split()


def test_untrusted_text_cannot_steer_the_terminal():
    attack = "\x1b]0;owned\x07\x1b[2J[bold]x[/bold] :smile: \u202eabc\r"
    text = terminal(scorecard(summary=attack, lineages=(lineage(headline=attack),)), color=True)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "\r" not in text
    assert "[bold]x[/bold] :smile:" in text


def test_long_lists_are_cut_and_counted():
    cases = tuple(CaseEffect(id=f"c{n}", slices=(), change=-1.0, expected="x", result="regressed") for n in range(12))
    overall = blocked().lineages[0].overall
    slices = tuple(overall.model_copy(update={"slice": f"s{n}"}) for n in range(33))
    lines = tuple(DiffLine(kind="added", text=f"line {n}", before=None, after=n) for n in range(45))
    diff = TRIAGE_DIFF.model_copy(update={"hunks": (DiffHunk(lines=lines),), "omitted": 2})
    card = lineage(status=VerdictStatus.BLOCKED, cases=cases, slices=slices, diff=diff)
    text = terminal(scorecard(lineages=(card,), warnings=(Finding(what="look here"),)))
    assert "and 2 more" in text
    assert "and 3 more" in text
    assert "… and 7 lines more" in text
    assert "no answer" in text
    assert "warning: look here" in text
    many = tuple(lineage(lineage=f"prompt-{n:03}", status=VerdictStatus.BLOCKED) for n in range(60))
    text = terminal(scorecard(lineages=many))
    # Each has a row, and fifty have a section too.
    assert text.count("prompt-") == 60 + 50
    assert "10 more prompts: --output FOLDER" in text


def test_cases_without_an_expectation_are_a_line_each():
    """Their answers are whole texts: a terminal says how they were graded and why."""
    answers = tuple(Answer(text="Dear Ada, " * 40, count=n, of=4, score=score) for n, score in ((1, 0.875), (3, 0.5)))
    case = CaseEffect(
        id="kiln", slices=(), change=-0.3, result="regressed", baseline=answers[:1], candidate=answers, reason="Hype."
    )
    text = terminal(scorecard(lineages=(lineage(status=VerdictStatus.BLOCKED, cases=(case,)),)))
    assert "kiln  87.5 → 59.4  Hype." in text
    assert "Dear Ada" not in text
    none = case.model_copy(update={"candidate": (), "reason": ""})
    assert "87.5 → –" in terminal(scorecard(lineages=(lineage(cases=(none,)),)))
