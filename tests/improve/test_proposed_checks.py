"""Proposed checks: what each catches, rightly and wrongly, is what running it shows; chance proposes nothing."""

import asyncio
import random
from pathlib import Path

import pytest

from engine.proposals.answers import JudgedAnswer, labelled
from engine.proposals.cases import proposed_cases
from engine.proposals.checks import proposed_checks
from engine.readers.config import read_config
from engine.readers.labels import read_labels
from engine.readers.rubrics import read_rubric
from engine.readers.testsets import read_test_set
from engine.test_edits import NoEditError
from engine.test_edits.config_text import with_checks, with_dimensions
from evaluators.checks import Checks
from schemas.check_config import Check
from schemas.rubrics import Dimension
from schemas.testsets import TestCase

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIG = (EXAMPLES / "promptverdict.yaml").read_bytes()
RUBRIC = (EXAMPLES / "prompts/outreach/rubric.yaml").read_bytes()


@pytest.fixture(scope="module")
def graded():
    data = (EXAMPLES / "tests/prompts/outreach.labels.jsonl").read_bytes()
    return labelled(read_labels("labels", data, read_rubric("rubric", RUBRIC)))


def test_what_a_check_catches_on_the_examples_is_what_running_it_shows(graded):
    found = proposed_checks(graded)
    assert [one.check.name for one in found[:1]] == ["no exclamation mark"]
    assert len(found) >= 4
    # As a person accepts them: in the configuration, from which a run makes its checks.
    accepted = with_checks("promptverdict.yaml", CONFIG, "outreach-email", [one.check for one in found])
    checks = Checks(read_config("promptverdict.yaml", accepted).lineages["outreach-email"].checks, overall=False)
    fails = {spec.name: ([], []) for spec in checks.metrics}
    for one in graded:
        for score in asyncio.run(checks.score(one.case, one.text, None)):
            if score.value < 1:
                fails[score.metric][not one.fails].append(one.case.id)
    assert {one.check.name: ([*one.found.caught], [*one.found.wrongly]) for one in found} == fails
    assert all(len(one.found.wrongly) <= 2 < len(one.found.caught) for one in found)


def test_checks_that_the_lineage_has_are_not_proposed_again(graded):
    first, *_ = proposed_checks(graded)
    again = proposed_checks(graded, [first.check])
    assert first.check.name not in {one.check.name for one in again}
    caught = set(first.found.caught)
    assert all(len(caught & {*one.found.caught}) < 0.9 * len(caught | {*one.found.caught}) for one in again)


WORDS = [
    "the",
    "order",
    "was",
    "sent",
    "on",
    "time",
    "and",
    "we",
    "thank",
    "you",
    "for",
    "your",
    "patience",
    "with",
    "our",
    "small",
    "team",
    "in",
    "spring",
]


def answers(seed, *, planted=""):
    draw = random.Random(seed)
    made = []
    for number in range(40):
        fails = draw.random() < 0.4
        text = " ".join(draw.choices(WORDS, k=draw.randint(5, 25)))
        if planted and fails:
            text += f" {planted}"
        made.append(JudgedAnswer(TestCase(id=f"c-{number}", inputs={"name": f"Ann {number}"}), text, fails))
    return made


def test_answers_that_are_bad_at_random_give_no_check():
    assert sum(bool(proposed_checks(answers(seed))) for seed in range(12)) <= 1


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("[Your Name]", "not_regex_match"),
        ("As an AI language model, so", "not_regex_match"),
        ("kindly do the needful", "not_contains"),
        ("yes " * 80, "max_words"),
    ],
)
def test_what_is_wrong_with_all_bad_answers_is_found(planted, rule):
    first, *_ = proposed_checks(answers(1, planted=planted))
    assert getattr(first.check, rule) is not None
    assert len(first.found.caught) == first.found.bad
    assert first.found.wrongly == ()


def test_forms_and_variables_of_good_answers_are_proposed():
    made = []
    for number in range(30):
        fails = number % 3 == 0
        case = TestCase(id=f"c-{number}", inputs={"name": f"Name-{number}"})
        text = "plainly no" if fails else f'{{"to": "Name-{number}", "total": {number}}}'
        made.append(JudgedAnswer(case, text, fails))
    names = {one.check.name for one in proposed_checks(made)}
    assert names & {"a JSON object", "has the name", "has the field to", "starts with “{”"}


def test_answers_that_are_numbers_of_any_size_give_no_range_that_no_float_can_hold():
    for number in ("9" * 400, "1e999", "NaN"):
        texts = [number] * 6 + ["none"] * 6
        found = [JudgedAnswer(TestCase(id=f"c-{n}", inputs={}), text, text == "none") for n, text in enumerate(texts)]
        assert all(one.check.numeric_range is None for one in proposed_checks(found))


def test_too_few_answers_give_nothing():
    assert proposed_checks(answers(1, planted="TODO")[:4]) == ()
    assert proposed_checks([]) == ()


def test_cases_are_those_that_no_case_repeats(graded):
    tests = read_test_set("t.jsonl", (EXAMPLES / "tests/prompts/outreach.jsonl").read_bytes())
    bad = [one for one in graded if one.fails]
    assert proposed_cases(bad, tests) == []
    fewer = tests.model_copy(update={"cases": tests.cases[:30]})
    rows = proposed_cases(bad, fewer)
    assert rows
    assert {row["slice"] for row in rows} == {"known_failure"}
    assert len({row["inputs"]["company"] for row in rows}) == len(rows)


PLAIN = """\
version: 1
models: {toy: {provider: offline, model: m}}
lineages:
  one:  # ours
    use_case: generation
    prompt: p.txt
    tests: t.jsonl
    checks:
    - {name: short, max_words: 9}   # for phones

    # the end
  two: {use_case: generation, prompt: q.txt, tests: u.jsonl, checks: [{name: a, contains: b}]}
"""
NEW = [Check(name="no “x: y”", not_contains="x: # 'y'"), Check(name="form", required_fields_present=("a.b", "no"))]


def test_checks_are_added_after_those_there_are_and_nothing_else_changes():
    edited = with_checks("promptverdict.yaml", PLAIN.encode(), "one", NEW).decode()
    old = PLAIN.splitlines()
    assert [line for line in edited.splitlines() if line not in old] == [
        """    - {name: "no “x: y”", not_contains: "x: # 'y'"}""",
        """    - {name: form, required_fields_present: [a.b, "no"]}""",
    ]
    assert [line for line in edited.splitlines() if line in old] == old
    flow = with_checks("promptverdict.yaml", PLAIN.encode(), "two", NEW[1:]).decode()
    assert "checks: [{name: a, contains: b}, {name: form, required_fields_present: [a.b, " in flow
    bare = with_checks(
        "promptverdict.yaml", PLAIN.replace(", checks: [{name: a, contains: b}]", "").encode(), "two", NEW
    )
    assert "tests: u.jsonl, checks: [{name: " in bare.decode()
    for text in (PLAIN.replace("[{name: a, contains: b}]", "[]"), PLAIN.replace("\n", "\r\n")):
        with pytest.raises(NoEditError):
            with_checks("promptverdict.yaml", text.encode(), "two", NEW)


def test_dimensions_are_added_to_a_rubric():
    new = {"honesty": Dimension(description="Whether it: promises", anchors={5: "nothing false", 1: "“all”"})}
    edited = with_dimensions("rubric.yaml", RUBRIC, new)
    assert edited.startswith(RUBRIC.rstrip(b"\n"))
    assert read_rubric("rubric.yaml", edited).dimensions["honesty"] == new["honesty"]
