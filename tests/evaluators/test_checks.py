"""Checks: deterministic rules on an output."""

import asyncio
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.checks import Checks, rule_of
from evaluators.registry import evaluator_for
from schemas.config import Check, LineageConfig
from schemas.errors import ConfigError
from schemas.testsets import TestCase
from schemas.use_cases import UseCase


def rule(**kind):
    return rule_of(Check(name="c", **kind))


NESTED = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/n"}},
    "required": ["a"],
    "$defs": {"n": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ({"equals": "Yes"}, " Yes\n", "yes"),
        ({"contains": "Kind regards"}, "…\nkind\nregards, Bo", "Regards"),
        ({"not_contains": "as an AI"}, "Hello", "As an  a\u200bi I can't"),
        ({"regex": r"^\w+@\w+\.com$"}, "a@b.com", "a at b"),
        ({"max_words": 3}, "one two three", "one two three four"),
        ({"json_schema": NESTED}, '```json\n{"a": 1}\n```', '{"a": "x"}'),
        ({"json_schema": NESTED}, 'Here: {"a": 1}!', "nothing"),
        ({"json_schema": {"type": "array", "uniqueItems": True}}, "[1, 2, true]", '[{"a": 1}, {"a": 1}]'),
        ({"json_schema": {"type": "string", "pattern": "^a+$"}}, '"aaa"', '"ab"'),
        ({"json_schema": {"type": "array", "uniqueItems": False}}, "[1, 1]", "{}"),
        ({"json_schema": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"}}, "1", "1.5"),
    ],
)
def test_a_check_passes_or_says_what_is_wrong(kind, good, bad):
    check = rule(**kind)
    assert check(good) == ""
    assert check(bad) != ""


def test_a_schema_error_says_where_it_is():
    assert rule(json_schema=NESTED)('{"a": "x"}') == "'x' is not of type 'integer' at ['a']"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ({}, "has no rule"),
        ({"equals": "a", "contains": "b"}, "several rules (equals, contains)"),
        ({"regex": r"(a)\1"}, "can't be used"),
        ({"regex": "(?=a)"}, "can't be used"),
        ({"regex": "("}, "can't be used"),
        ({"json_schema": {"type": "wrong"}}, "not a JSON Schema"),
        ({"json_schema": {"$ref": "https://evil.example/schema.json"}}, "refers to “https://evil.example"),
        ({"json_schema": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}}, "refers to “file:///etc/passwd”"),
        ({"json_schema": {"anyOf": [{"$dynamicRef": "other.json"}]}}, "refers to “other.json”"),
        ({"json_schema": {"$ref": "#/$defs/none"}}, "target"),
        ({"json_schema": {"$ref": "#"}}, "target"),
        ({"json_schema": {"pattern": "(?=a)"}}, "can't be used"),
        ({"json_schema": {"patternProperties": {"(a+)+$": {}}}}, "uses `patternProperties`"),
        ({"json_schema": {"$schema": "https://evil.example/meta"}}, "unknown `$schema`"),
    ],
)
def test_a_check_that_can_not_be_run_is_refused(kind, what):
    with pytest.raises(ConfigError) as caught:
        rule(**kind)
    assert what in str(caught.value)
    assert "check “c”" in str(caught.value)
    assert caught.value.hint


def test_a_reference_that_only_some_instances_reach_does_not_raise():
    lost = rule(json_schema={"properties": {"a": {"$ref": "#/$defs/none"}}})
    assert lost("{}") == ""
    assert "target" in lost('{"a": 1}')


def test_a_schema_that_recurses_on_some_instances_does_not_raise():
    loop = rule(json_schema={"properties": {"a": {"$ref": "#/properties/a"}}})
    assert "too deeply" in loop('{"a": 1}')


def doubling(levels, **schema):
    """A schema in which each definition refers twice to the next."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**twice, f"d{levels}": {"type": "object"}}, **schema}


def test_references_that_multiply_end():
    with pytest.raises(ConfigError, match="too many references"):
        rule(json_schema=doubling(40, **{"$ref": "#/$defs/d0"}))
    deep = rule(json_schema=doubling(40, properties={"a": {"$ref": "#/$defs/d0"}}))
    assert (deep("{}"), deep('{"a": {}}')) == ("", "the schema follows too many references")
    few = rule(json_schema=doubling(5, **{"$ref": "#/$defs/d0"}))
    assert (few("{}"), "not of type" in few("[]")) == ("", True)


def test_a_number_beyond_a_double_does_not_raise():
    halves = rule(json_schema={"properties": {"a": {"multipleOf": 0.5}}})
    assert (halves('{"a": 1.5}'), "too large" in halves('{"a": 1' + "0" * 400 + "}")) == ("", True)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ({"regex": r"(a+)+$"}, "a" * 1_000_000 + "!"),
        ({"json_schema": {"properties": {"x": {"pattern": "(a+)+$"}}}}, json.dumps({"x": "a" * 500_000 + "!"})),
        ({"json_schema": {"uniqueItems": True}}, json.dumps([{"n": n} for n in range(20_000)])),
        ({"not_contains": "a" * 1000 + "b"}, "a" * 1_000_000),
    ],
)
def test_no_output_can_hang_a_check(kind, text):
    check = rule(**kind)
    start = time.process_time()
    check(text)
    assert time.process_time() - start < 1


def test_checks_alone_score_generated_text_and_all_must_pass(case, scores):
    checks = (Check(name="polite", contains="please"), Check(name="short", max_words=3))
    lineage = LineageConfig(use_case=UseCase.GENERATION, prompt="p", checks=checks)
    evaluator = evaluator_for(lineage, None, None, None)
    assert [(spec.name, spec.kind, spec.gates) for spec in evaluator.metrics] == [
        ("overall", "metric", True),
        ("polite", "check", True),
        ("short", "check", True),
    ]
    found = scores(evaluator, case(), "please do")
    assert {name: score.value for name, score in found.items()} == {"overall": 1, "polite": 1, "short": 1}
    found = scores(evaluator, case(), "please do it now")
    assert {name: score.value for name, score in found.items()} == {"overall": 0, "polite": 1, "short": 0}


def test_checks_attach_to_any_use_case(case, scores):
    lineage = LineageConfig(
        use_case=UseCase.CLASSIFICATION, prompt="p", labels=("a", "b"), checks=(Check(name="bare", max_words=1),)
    )
    evaluator = evaluator_for(lineage, None, None, None)
    found = scores(evaluator, case("a"), "It is a clear: a")
    assert (found["label"].value, found["bare"].value) == (0, 0)
    found = scores(evaluator, case("a"), "Answer: a")
    assert (found["label"].value, found["label"].answer) == (0, "a")
    assert "“bare” failed" in found["label"].reason
    assert evaluator.problem(case("a")) is None


def test_the_version_follows_the_checks():
    one, other = (Checks((Check(name="c", max_words=words),), overall=False).version for words in (1, 2))
    assert one != other


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises(text):
    part = Checks(
        [
            Check(name="a", regex="a+"),
            Check(name="b", json_schema=NESTED),
            Check(name="c", contains="x"),
            Check(name="d", max_words=1),
        ],
        overall=True,
    )
    for score in asyncio.run(part.score(TestCase(id="c", inputs={}), text, None)):
        assert score.value in (0, 1)
        assert bool(score.reason) is (score.value == 0)
