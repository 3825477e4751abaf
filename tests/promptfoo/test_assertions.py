"""promptfoo's assertions give what promptfoo gives. What it says is recorded by benchmarks/promptfoo_reference.py."""

import asyncio
import json
from itertools import groupby

import pytest

from engine.readers.assertions import in_cell
from engine.readers.bounded import Source
from engine.readers.testsets import read_test_set
from evaluators.assertions import objects_in
from evaluators.registry import check_expectations, evaluator_for
from schemas.config import Check, LineageConfig
from schemas.errors import ConfigError
from schemas.outcomes import Completion, Finish, Usage
from tests.promptfoo.pairs import ANSWERS, ours, pairs, written

PAIRS = list(pairs())
RECORDED = json.loads(ANSWERS.read_text())
GROUPS = {name: list(group) for name, group in groupby(PAIRS, key=lambda pair: pair.group)}


def test_the_record_is_of_these_pairs():
    assert written(PAIRS, [None] * len(PAIRS))["pairs"] == RECORDED["pairs"]


@pytest.mark.parametrize("group", GROUPS)
def test_each_answer_is_promptfoos(group):
    asked = GROUPS[group]
    mine = written(asked, [ours(pair) for pair in asked])[group].split()
    differing = [
        (pair.test["assert"], pair.output, own, theirs)
        for pair, own, theirs in zip(asked, mine, RECORDED[group].split(), strict=True)
        if own != theirs and pair.why is None
    ]
    assert differing == []


@pytest.mark.parametrize(
    ("cell", "assertion"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        ("Note: Paris", {"type": "equals", "value": "Note: Paris"}),
        ("Contains: Paris", {"type": "equals", "value": "Contains: Paris"}),
        ("contains: Paris ", {"type": "contains", "value": "Paris"}),
        ("not-contains:Paris", {"type": "not-contains", "value": "Paris"}),
        ('icontains-any: a, "b, c"', {"type": "icontains-any", "value": ["a", "b, c"]}),
        ("levenshtein: a", {"type": "levenshtein", "value": "a", "threshold": 0.75}),
        ("levenshtein(3): a", {"type": "levenshtein", "value": "a", "threshold": 3.0}),
        ("is-json", {"type": "is-json"}),
        ("similar(0.8): Paris", {"type": "similar", "value": "Paris", "threshold": 0.8}),
        ("grade: is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("fn: output > 3", {"type": "javascript", "value": "output > 3"}),
        ("javascript: output > 3", {"type": "javascript", "value": "output > 3"}),
        ("file://checks/a.py", {"type": "python", "value": "file://checks/a.py"}),
    ],
)
def test_a_cell_is_read_as_promptfoo_reads_it(cell, assertion):
    assert in_cell(Source("t.csv", ""), cell, 2) == assertion


def test_a_threshold_that_is_no_finite_number_is_not_imported():
    cell = f"levenshtein({'9' * 400}): a"
    tests = read_test_set("t.csv", f"q,__expected\nWhere?,{cell}\n".encode())
    assert [str(warning) for warning in tests.warnings] == [
        "t.csv:2: the assertion levenshtein is not imported (its threshold is not a number)",
        "t.csv:2: no assertion is left that says what is right here (give the case one that can be evaluated)",
    ]


def read_rows(*rows):
    return read_test_set("t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())


def asserting(*assertions, **keys):
    return {"vars": {"q": "Where?"}, "assert": list(assertions), **keys}


CONTAINS = {"type": "contains", "value": "Paris"}
NOT = {"type": "not-icontains", "value": "sorry"}
CODE = {"type": "javascript", "value": "true"}


def test_what_is_not_imported_is_listed_with_every_place():
    tests = read_rows(
        asserting(CODE, CONTAINS, id="a"),
        asserting({"type": "not-similar", "value": "x"}, id="b"),
        asserting(CODE, {"type": "regex", "value": "(?=a)b"}, id="c"),
        asserting({"type": "latency", "threshold": 5}, CONTAINS, id="d"),
        asserting({"type": "contains", "value": "{% if q %}"}, CONTAINS, id="e"),
        asserting({"type": "contains", "value": "{{ other }}"}, CONTAINS, id="f"),
        asserting({"type": "contains", "value": "file://a.txt"}, CONTAINS, id="g"),
        asserting({"type": "assert-set", "assert": [CODE]}, CONTAINS, id="h"),
        asserting({"type": "llm-rubric", "value": "kind", "provider": "openai:x"}, CONTAINS, id="i"),
        asserting({"type": "not-llm-rubric", "value": "kind"}, CONTAINS, id="j"),
        asserting({**CONTAINS, "transform": "output.x"}, CONTAINS, id="k"),
    )
    assert [str(warning) for warning in tests.warnings] == [
        "t.jsonl:1: the assertion javascript is not imported, nor at t.jsonl:3, t.jsonl:8 (it runs code, which is never done)",
        "t.jsonl:2: the assertion not-similar is not imported (it isn't evaluated here)",
        "t.jsonl:3: the assertion regex is not imported (the expression “(?=a)b” looks around, or has flags, which RE2 can't match as JavaScript does)",
        "t.jsonl:4: the assertion latency is not imported (latency is compared by the gate, not for single cases)",
        "t.jsonl:5: the assertion contains is not imported (it has template logic)",
        "t.jsonl:6: the assertion contains is not imported (it uses {{other}}, which the case doesn't have)",
        "t.jsonl:7: the assertion contains is not imported (it names a file, which only a promptfoo configuration can)",
        "t.jsonl:8: the assertion assert-set is not imported (it has no assertion that is evaluated)",
        "t.jsonl:9: provider of llm-rubric is not imported (the lineage's judge is asked)",
        "t.jsonl:10: the assertion not-llm-rubric is not imported (a judge grades how well an answer fits, not that it doesn't)",
        "t.jsonl:11: the assertion contains is not imported (its transform isn't read)",
        "t.jsonl:2: no assertion is left that says what is right here, nor at t.jsonl:3 (give the case one that can be evaluated)",
    ]  # fmt: skip
    assert tests.unread["b"] == {"assert": [{"type": "not-similar", "value": "x"}]}  # so that a change of it is seen


def scored(tests, output, **keys):
    """The scores of the first case by metric, with its reasons."""
    lineage = LineageConfig(**{"use_case": "generation", "prompt": "p.md"} | keys)
    evaluator = evaluator_for(lineage, None, None, None, cases=tests.cases)
    assert check_expectations(evaluator, tests.cases) == ()
    answer = Completion(text=output, finish=Finish.STOP, usage=Usage(input=1, output=1), model="m", latency_s=0.1)
    scores = asyncio.run(evaluator.score(tests.cases[0], answer, ask=None, repetition=0))
    return {score.metric: (score.value, score.reason, score.forbidden) for score in scores}


PASSED = (1, "", False)


@pytest.mark.parametrize(
    ("row", "keys", "output", "expected"),
    [
        (asserting(CONTAINS, NOT), {}, "In Paris.", {"overall": PASSED}),
        (asserting(CONTAINS, NOT), {}, "In paris.", {"overall": (0, "fails contains “Paris”", False)}),
        (asserting(CONTAINS, NOT), {}, "Paris, SORRY", {"overall": (0, "fails not-icontains “sorry”", True)}),
        (asserting(CONTAINS, NOT, threshold=0.5), {}, "Paris, SORRY", {"overall": PASSED}),
        (asserting({"type": "levenshtein", "value": "Paris", "threshold": 1e30}), {}, "Rome", {"overall": PASSED}),
        (
            asserting(CONTAINS, NOT, threshold=0.75),
            {},
            "Paris, SORRY",
            {"overall": (0, "fails not-icontains “sorry” (score 0.50 of 0.75)", True)},
        ),
        (
            asserting(CONTAINS),
            {"checks": (Check(name="short", max_words=3),)},
            "Rome",
            {
                "overall": (0, "the check “assert” failed: fails contains “Paris”", False),
                "short": PASSED,
                "assert": (0, "fails contains “Paris”", False),
            },
        ),
        # the label is read by the use case, everything else is asserted
        (asserting({"type": "equals", "value": "yes"}), CLASSES := {"use_case": "classification", "labels": ("yes", "no")}, "**Yes.**", {"label": PASSED}),
        (
            asserting({"type": "equals", "value": "yes"}, NOT),
            CLASSES,
            "Sorry! The label: yes",
            {
                "label": (0, "the check “assert” failed: fails not-icontains “sorry”", False),
                "assert": (0, "fails not-icontains “sorry”", True),
            },
        ),
    ],
)  # fmt: skip
def test_a_case_is_scored_by_its_assertions(row, keys, output, expected):
    assert scored(read_rows(row), output, **keys) == expected


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [asserting(CONTAINS), asserting(CODE, id="b")],
            ("t.jsonl:2: case “b”: it has no assertion, so every answer would pass "
            "(add an assertion that can be evaluated, or remove the case)"),
        ),
        (
            [asserting(CONTAINS), {"input": "x", "id": "b"}],
            ("t.jsonl:2: case “b”: it has no assertion, so every answer would pass "
            "(add an assertion that can be evaluated, or remove the case)"),
        ),
    ],
)  # fmt: skip
def test_a_case_without_an_assertion_never_passes_silently(rows, said):
    tests = read_rows(*rows)
    lineage = LineageConfig(use_case="generation", prompt="p.md")
    evaluator = evaluator_for(lineage, None, None, None, cases=tests.cases)
    assert [str(found) for found in check_expectations(evaluator, tests.cases)] == [said]


def test_cases_that_keep_no_assertion_leave_nothing_to_score_by():
    tests = read_rows(asserting(CODE))
    with pytest.raises(ConfigError, match="nothing scores the generated text"):
        evaluator_for(LineageConfig(use_case="generation", prompt="p.md"), None, None, None, cases=tests.cases)


def test_a_case_that_a_pull_request_adds_is_scored_by_its_assertions_too():
    base, added = (
        read_rows({"input": "x", "expected": "yes"}).cases,
        read_rows(asserting(CONTAINS, expected="yes")).cases,
    )
    lineage = LineageConfig(use_case="classification", prompt="p.md", labels=("yes", "no"))
    evaluator = evaluator_for(lineage, None, None, None, cases=base, added=added)
    assert [spec.name for spec in evaluator.metrics] == ["label", "assert"]


@pytest.mark.parametrize("text", ["{" * 50_000, '{"a":' * 20_000, '{"a": "' + "{" * 100_000])
def test_objects_are_looked_for_in_bounded_work(text):
    assert len(objects_in(text)) <= 1
