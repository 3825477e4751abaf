"""Cases as people read them: input, expectation, both answers with the words that differ."""

import html
import re

import pytest

from engine.render.case_blocks import case_blocks, tally
from engine.render.confusions import confusion_sentences
from engine.render.encode import passage
from engine.render.links import Files
from engine.render.markdown import markdown
from schemas.effects import Answer, CaseEffect, CaseMetric, Confusion
from tests.render.scorecards import BASE, HEAD, LABELS, blocked, generation, lineage, triage
from tests.render.surfaces import page

HOME = Files("https://github.com/o/r", BASE, HEAD)


def answer(text, score=1.0, count=1, of=1):
    return Answer(text=text, count=count, of=of, score=score)


def case(**changes):
    values = {"id": "c-1", "slices": ("edge",), "line": 7, "inputs": (("q", "Where is it?"),), "result": "regressed"}
    return CaseEffect.model_validate({**values, **changes})


def block(limit=400, files=HOME, **changes):
    (made,) = case_blocks(lineage(tests="tests/t.jsonl"), files, limit, [case(**changes)])
    return made


def test_short_answers_share_a_paragraph_and_are_exact():
    made = block(
        expected="refunds", baseline=(answer("refunds", 1.0, 3, 3),), candidate=(answer("a  b", 0.0, 2, 3), answer("c", 0.0, 1, 3))
    )  # fmt: skip
    assert "<b>3&#47;3 → 0&#47;3 right</b>" in made
    assert made.endswith(
        "<br><b>Expected</b> <code>refunds</code><br><b>Baseline said</b> (3/3) <code>refunds</code>"
        "<br><b>Candidate says</b> (2/3) <code>a&#32;&#32;b</code>"
    )  # fmt: skip
    assert page(made).code_texts[-1] == "a  b"


def test_words_that_differ_are_marked_and_long_answers_have_paragraphs():
    before = (
        "Dear Ada,\n\nThank you for your letter about the late parcel. It will be with you on Monday.\nBest regards"
    )
    after = before.replace("Thank you for your letter", "We got your complaint").replace("Monday", "Friday")
    made = block(baseline=(answer(before, 0.9),), candidate=(answer(after, 0.4),))
    assert "Dear Ada,<br><b>Thank you for</b> your <b>letter</b> about" in made
    assert "<b>We got</b> your <b>complaint</b>" in made
    assert "on <b>Friday</b>.<br>Best" in made
    assert made.count("\n>\n> ") == 2


def test_a_difference_late_in_a_long_answer_is_what_is_shown():
    same = "The parcel left our house and is on its way to you. " * 30
    made = block(
        200, baseline=(answer(f"{same}It comes on Monday."),), candidate=(answer(f"{same}It comes on Friday."),)
    )
    assert "[…]" in made.replace("&#91;", "[").replace("&#93;", "]")
    assert "<b>Monday</b>" in made
    assert "<b>Friday</b>" in made
    assert len(made) < 2_000


def test_a_text_of_many_lines_stays_low():
    listed = "\n\n".join(f"{n}" for n in range(60))
    made = block(baseline=(answer(listed),), candidate=(answer("short"),))
    assert "<b>Baseline said</b> 0<br>1<br>2<br>3<br>4<br>5 … (+" in made
    assert "\n\n59" not in made


def test_a_case_links_to_the_version_of_its_test_set_that_ran():
    home = "https&#58;&#47;&#47;github&#46;com&#47;o&#47;r&#47;blob&#47;"
    assert f'href="{home}{BASE}&#47;tests&#47;t&#46;jsonl&#63;plain&#61;1&#35;L7"' in block()
    assert f'href="{home}{HEAD}&#47;tests' in block(added=True)
    assert "href" not in block(line=None)
    assert "<code>tests&#47;t&#46;jsonl&#58;7</code>" in block(files=Files(None, BASE, HEAD))


def test_fields_stand_beside_what_was_expected():
    fields = tuple(CaseMetric(name=f"f{n}", kind="field", expected=n, baseline=f"{n}", candidate="9") for n in range(8))
    made = block(metrics=fields, expected={"f0": 0}, baseline=(answer("{}"),), candidate=(answer("{}", 0.5),))
    assert "<b><code>f0</code></b> expected <code>0</code>: baseline <code>0</code>, candidate <code>9</code>" in made
    assert "and 3 more fields" in made
    assert "Baseline said" not in made


def test_grades_checks_and_the_reason_follow_the_answers():
    (made,) = case_blocks(generation().lineages[0], HOME, 400, generation().lineages[0].cases[:1])
    assert "<b>Grades</b> (1–5) tone 5 → 1 and 2 · brevity 4 → 4<br><b>max&#95;words</b> passed → failed" in made
    assert "<br><b>Why</b> tone: It promises too much" in made


def test_a_reason_that_repeats_the_answers_is_left_out():
    said = {"expected": "billing", "baseline": (answer("billing"),), "candidate": (answer("refunds", 0.0),)}
    assert "Why" not in block(**said, reason="expected billing, said refunds")
    said["candidate"] = (answer("refunds, read in “Refunds, I say”", 0.0),)
    assert "Why" not in block(**said, reason="expected billing, said refunds")
    assert "<b>Why</b> the answer is forbidden" in block(**said, reason="the answer is forbidden")


def test_many_inputs_are_named_and_counted():
    made = block(inputs=tuple((f"name_{n}", f"value {n}") for n in range(11)))
    assert "name&#95;0: value 0 · name&#95;1: value 1" in made
    assert "and 3 more inputs" in made


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        ((answer("a", 1.0, 7, 7),), (answer("a", 1.0, 4, 7), answer("b", 0.0, 3, 7)), "7/7 → 4/7 right"),
        ((answer("a", 0.75, 2, 2),), (answer("b", 0.5, 1, 2), answer("c", 0.0, 1, 2)), "75.0 → 25.0 points"),
        ((answer("a", None),), (answer("b", None),), ""),
        ((), (answer("b"),), ""),
    ],
)
def test_all_runs_of_a_case_are_one_tally(baseline, candidate, said):
    assert tally(case(baseline=baseline, candidate=candidate)) == said


def test_an_old_scorecard_without_inputs_still_renders():
    old = block(inputs=(), line=None, baseline=(answer("yes"),), candidate=(answer("no", 0.0),))
    assert old.startswith("<b>1.</b> <b><code>c&#45;1</code></b> · edge · <b>1&#47;1 → 0&#47;1 right</b>")
    assert "Input" not in old


def read_as(*moves):
    """A card whose cases were read as (expected, baseline, candidate, number)."""
    cases = [
        case(expected=expected, baseline=(answer(before),), candidate=(answer(after),), change=0.0)
        for expected, before, after, number in moves
        for _ in range(number)
    ]
    confusion = Confusion(labels=LABELS, columns=LABELS, baseline=(), candidate=())
    return lineage(cases=tuple(cases), confusion=confusion)


def test_confusions_are_counted_in_whole_cases_the_largest_first():
    card = read_as(
        ("refunds", "billing", "refunds", 8), ("refunds", "billing", "billing", 3), ("billing", "billing", "no idea", 2)
    )  # fmt: skip
    assert confusion_sentences(card) == [
        "`refunds` read as `billing`: 11 → 3 cases.",
        "`billing` read as no label: 0 → 2 cases.",
    ]
    assert confusion_sentences(read_as(("refunds", "billing", "refunds", 1))) == []
    assert confusion_sentences(lineage()) == []


def test_a_tie_between_runs_counts_for_no_label():
    tied = (answer("billing", 0.0, 1, 2), answer("refunds", 1.0, 1, 2))
    cases = [case(expected="refunds", baseline=tied, candidate=(answer("billing", 0.0),), change=-0.5)] * 2
    card = triage().model_copy(update={"cases": tuple(cases)})
    assert confusion_sentences(card) == ["`refunds` read as `billing`: 0 → 2 cases."]


@pytest.mark.parametrize(
    ("text", "marks", "shown"),
    [
        ("a b", (), "a b"),
        ("a\n\n b\r\nc", (), "a<br> b<br>c"),
        ("by @team", ((0, 2),), "<b>by</b> <code>&#64;team</code>"),
        ("one two", ((4, 99), (0, 1)), "one <b>two</b>"),
        ("a\nb", ((0, 3),), "<b>a</b><br><b>b</b>"),
        (" \n", (), "<i>empty</i>"),
    ],
)
def test_a_passage_keeps_lines_and_marks(text, marks, shown):
    assert passage(text, 100, marks) == shown


def test_a_passage_says_what_was_cut():
    assert passage("abcdef", 3, ((1, 6),)) == "a<b>bc</b> … (+3 characters)"


def test_the_evidence_of_a_reason_comes_first():
    text = markdown(blocked())
    order = [text.index(f"<b><code>{name}</code></b>") for name in ("inject&#45;03", "inject&#45;01", "ticket&#45;01")]
    assert order == sorted(order)


@pytest.mark.parametrize(("path", "named"), [(None, "tests/t.jsonl"), ("evals/more.csv", "evals/more.csv")])
def test_a_case_links_to_its_line_in_its_own_file(path, named):
    assert re.search(rf"/{named}[^/ ]*#L7", html.unescape(block(path=path)))
