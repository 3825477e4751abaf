"""The comment and the annotation name the guilty lines, and no text of a prompt can leave its code block."""

import html
import re

import pytest
from hypothesis import given

from engine.render.annotations import scorecard_annotations
from engine.render.explanation import explanation_parts, fenced, patch, suggestion
from engine.render.html import html_report
from engine.render.limits import LADDER
from engine.render.markdown import markdown
from engine.render.terminal import terminal
from engine.render.what_now import what_now
from schemas.blame import Blame, BlameResult, Culprit, Pattern, Unit, UnitKind
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import TRIAGE_DIFF, lineage, scorecard
from tests.render.surfaces import hostile_texts, page

UNIT = Unit(
    kind=UnitKind.TEXT, before="Never guess.\n", after="Trust the customer.\n", file="prompts/p.md", lines=(9, 9),
    suggestion="  Never guess.",
)  # fmt: skip
CULPRIT = Culprit(units=(1,), back=8, of=8, candidate=0.1, reverted=1.0, p=0.001)
NAMED = Blame(
    result=BlameResult.NAMED,
    sentence="Reverting line 9 of prompts/p.md brings back 8 of 8 broken cases.",
    units=(UNIT.model_copy(update={"lines": (3, 4)}), UNIT),
    culprits=(CULPRIT,),
)
PATTERN = Pattern(sentence="7 of the 8 broken cases mention “@team”.", broken=7, of=8, others=0, of_others=9, p=0.01)


def card(blame=NAMED, **more):
    return lineage(status=VerdictStatus.BLOCKED, blame=blame, **more)


def test_the_comment_names_the_guilty_lines_and_shows_how_to_revert_them():
    text = markdown(scorecard(status=VerdictStatus.BLOCKED, lineages=(card(patterns=(PATTERN,)),)))
    assert "<b>Which lines did it.</b> Reverting line 9 of" in text
    assert "```diff\n@@ prompts/p.md:9 @@\n-Trust the customer.\n+Never guess.\n```" in text
    assert "````\n```suggestion\n  Never guess.\n```\n````" in text
    assert "<b>What the broken cases share.</b> 7 of the 8 broken cases mention" in text
    assert "@team" not in text  # GitHub would notify the team


def test_confused_labels_are_not_said_twice():
    labels = PATTERN.model_copy(update={"kind": "labels"})
    assert list(explanation_parts(card(None, patterns=(labels,)), LADDER[0])) == []


def test_report_and_terminal_say_the_same():
    whole = scorecard(status=VerdictStatus.BLOCKED, lineages=(card(patterns=(PATTERN,)),))
    report, text = html.unescape(html_report(whole)), " ".join(terminal(whole, 100, color=False).split())
    for sentence in (NAMED.sentence, PATTERN.sentence):
        assert sentence in report
        assert sentence in text
    assert "@@ prompts/p.md:9 @@\n-Trust the customer.\n+Never guess." in report
    evil = UNIT.model_copy(update={"after": "</pre><script>alert(1)</script>"})
    hostile = NAMED.model_copy(update={"units": (evil, evil)})
    assert "<script>alert" not in html_report(scorecard(lineages=(card(hostile),)))


@pytest.mark.parametrize(
    ("blame", "expected"),
    [
        (None, []),
        (Blame(result=BlameResult.NOT_RUN, sentence="No case is confirmed to break."), []),
        (Blame(result=BlameResult.NOT_RUN, sentence="It may cost $1.", budget_usd=1), ["It may cost $1."]),
        (Blame(result=BlameResult.NOT_SEEN, sentence="Not seen."), ["Not seen."]),
    ],
)
def test_what_was_not_found_is_said_if_there_was_something_to_search(blame, expected):
    parts = list(explanation_parts(card(blame), LADDER[0]))
    assert [re.sub("&#[0-9]+;", ".", part.rpartition("</b> ")[2]) for part in parts] == [
        re.sub(r"[$]", ".", each) for each in expected
    ]
    assert list(explanation_parts(card(NAMED), LADDER[-1])) == [next(iter(explanation_parts(card(NAMED), LADDER[0])))]


HOSTILE = (
    "```\n<script>alert(1)</script>\n@everyone",
    "`````` `` ```````",
    "~~~\n```suggestion\nrm -rf\n```",
    "</details><h1>approved</h1>",
    "x" * 100 + "`" * 40,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_its_code_block(text):
    unit = UNIT.model_copy(update={"before": text, "after": text + "\n", "suggestion": text})
    for shown in (patch(unit), suggestion(unit).partition("with\n\n")[2], fenced(text, "diff")):
        first, *inner, last = shown.split("\n")
        fence = re.match("`+", first)[0]
        assert last == fence
        # CommonMark: only a run of at least as many backticks ends the block, wherever it is in the line
        assert all(len(run) < len(fence) for line in inner for run in re.findall("`+", line))
    inner = suggestion(unit).partition("with\n\n")[2].split("\n")[1:-1]
    fence = re.match("`+", inner[0])[0]
    assert (inner[0], inner[-1], "\n".join(inner[1:-1])) == (f"{fence}suggestion", fence, text)
    assert all(len(run) < len(fence) for run in re.findall("`+", text))


@given(hostile_texts)
def test_github_reads_a_hostile_edit_as_code(text):
    unit = UNIT.model_copy(update={"before": text, "after": text[::-1], "suggestion": text, "file": text})
    for shown in (patch(unit), suggestion(unit)):
        seen = page(shown)
        assert {tag.removeprefix("/") for tag in seen.structure} <= {"p", "pre", "code"}
        assert seen.extras == []


@pytest.mark.parametrize("text", ["a\u202eb", "a\rb", "a\u2028b", "zero\u200bwidth", "x" * 4_000, "a\x85b"])
def test_an_edit_that_people_cannot_read_is_not_offered(text):
    unit = UNIT.model_copy(update={"after": text, "suggestion": text})
    assert (patch(unit), suggestion(unit)) == ("", "")


def test_a_deletion_is_an_empty_suggestion_and_a_setting_has_none():
    assert "```suggestion\n```" in suggestion(UNIT.model_copy(update={"suggestion": ""}))
    setting = Unit(kind=UnitKind.PARAMETER, name="temperature", before="0.2", after="0.9")
    assert patch(setting) == "```diff\n@@ temperature @@\n-0.9\n+0.2\n```"
    assert suggestion(setting) == ""


def test_the_reader_is_sent_to_the_guilty_lines():
    blocked = scorecard(status=VerdictStatus.BLOCKED, lineages=(card(diff=TRIAGE_DIFF),))
    assert "line 9 of `prompts/p.md`, which break them, then change the prompt" in what_now(blocked)
    unknown = scorecard(status=VerdictStatus.BLOCKED, lineages=(card(None, diff=TRIAGE_DIFF),))
    assert "which break them" not in what_now(unknown)


def test_the_annotation_marks_the_guilty_lines():
    (note,) = scorecard_annotations(scorecard(lineages=(card(diff=TRIAGE_DIFF),)))
    assert (note.path, note.start_line, note.end_line) == ("prompts/p.md", 9, 9)
    assert note.message.endswith(NAMED.sentence)
    unplaced = NAMED.model_copy(update={"units": (UNIT, UNIT.model_copy(update={"lines": None}))})
    (note,) = scorecard_annotations(scorecard(lineages=(card(unplaced, diff=TRIAGE_DIFF),)))
    assert (note.path, note.start_line) == ("prompts/triage.prompt.yml", 5)
