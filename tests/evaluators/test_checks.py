"""Checks: deterministic rules on an output."""

import asyncio
import inspect
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators import json_schema
from evaluators.checks import Checks, rule_of
from evaluators.json_formats import FORMATS
from evaluators.registry import evaluator_for
from schemas.check_config import Check, CheckRule
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.testsets import TestCase
from schemas.use_cases import UseCase


def rule(**kind):
    return rule_of(Check(name="c", **kind), "check “c”", TestCase(id="c", inputs={}))


NESTED = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/n"}},
    "required": ["a"],
    "$defs": {"n": {"type": "integer"}},
}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ({"exact_match": "Yes"}, " Yes\n", "yes"),
        ({"contains": "Kind regards"}, "…\nkind\nregards, Bo", "Regards"),
        ({"not_contains": "as an AI"}, "Hello", "As an  a\u200bi I can't"),
        ({"regex_match": r"^\w+@\w+\.com$"}, "a@b.com", "a at b"),
        ({"not_regex_match": r"\d{3}"}, "12", "123"),
        ({"max_words": 3}, "one two three", "one two three four"),
        ({"min_words": 2}, "one two", " one "),
        ({"max_characters": 3}, " abc ", "abcd"),
        ({"min_characters": 3}, "abc", "ab \n"),
        ({"contains_all": ["yes", "No"]}, "no and YES", "yes"),
        ({"contains_any": ["yes", "no"]}, "NO", "perhaps"),
        ({"starts_with": "Dear"}, " Dear Bo", "My dear"),
        ({"ends_with": "regards."}, "Kind regards.\n", "regards. Bo"),
        ({"contains": 42}, "It is 42.", "It is 43."),
        (
            {"required_fields_present": ["a.b", "c[].d", "e"]},
            '{"a": {"b": 0}, "c": [{"d": "x"}], "e": false}',
            '{"a": {"b": 0}, "c": [{"d": ""}], "e": 1}',
        ),
        ({"required_fields_present": "a"}, 'Here: {"a": [1]}', "none"),
        ({"required_fields_present": ["c[].d"]}, '{"c": [{"d": 1}, {"d": 2}]}', '{"c": []}'),
        ({"set_match": ["red", "Blue"]}, '["blue", "RED"]', "red, blue, green"),
        ({"set_match": "red"}, "red", "red; blue"),
        ({"numeric_range": {"min": 1, "max": 5}}, " 4.5 ", "5.01"),
        ({"numeric_range": {"min": 0, "max": 1}}, "85%", "101%"),
        ({"numeric_range": {"min": 0, "max": 85}}, "85%", "86%"),
        ({"numeric_range": {"field": "a.b", "max": 1}}, '{"a": {"b": "0.5"}}', '{"a": {"b": "one"}}'),
        ({"numeric_range": {"field": "a", "max": 1}}, '{"a": -3}', "0"),
        ({"similarity": {"text": "Yes, of course!", "min": 0.8}}, "yes of cours", "no"),
        ({"rouge_l": {"text": "the cat sat on the mat", "min": 0.7}}, "The cat is on the mat!", "on a mat sat a cat"),
        ({"levenshtein": {"text": "kitten", "max": 3}}, "sitting", "sittings"),
        ({"is_refusal": False}, "I'm sorry, we can't find your order.", "I’m sorry, but I can’t help with that."),
        ({"is_refusal": True}, "As an AI language model, I cannot provide legal advice.", "I can help with that."),
        ({"is_refusal": True}, "As a large language model, I won't be able to help.", "I can't help but smile!"),
        ({"is_refusal": True}, "I must decline.", "I must decline the refund, since 30 days are over."),
        ({"is_refusal": True}, "Lo siento, pero no puedo ayudar con eso.", "Lo siento, su pedido llega tarde."),
        (
            {"is_refusal": True},
            "Es tut mir leid, aber dabei kann ich nicht helfen.",
            "Es tut mir leid, das war unser Fehler.",
        ),
        (
            {"json_schema_valid": {"patternProperties": {"^n": {"type": "integer"}}, "additionalProperties": False}},
            '{"n1": 1}',
            '{"n1": 1, "m": 1}',
        ),
        (
            {
                "json_schema_valid": {
                    "patternProperties": {"^n": {"type": "integer"}},
                    "additionalProperties": {"type": "string"},
                }
            },
            '{"n1": 1, "m": "x"}',
            '{"n1": "x"}',
        ),
        ({"json_schema_valid": {"uniqueItems": True}}, "[1, 2.5]", "[1, 1.0]"),
        ({"json_schema_valid": NESTED}, '```json\n{"a": 1}\n```', '{"a": "x"}'),
        ({"json_schema_valid": NESTED}, 'Here: {"a": 1}!', "nothing"),
        ({"json_schema_valid": {"type": "array", "uniqueItems": True}}, "[1, 2, true]", '[{"a": 1}, {"a": 1}]'),
        ({"json_schema_valid": {"type": "string", "pattern": "^a+$"}}, '"aaa"', '"ab"'),
        ({"json_schema_valid": {"type": "array", "uniqueItems": False}}, "[1, 1]", "{}"),
        ({"json_schema_valid": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"}}, "1", "1.5"),
    ],
)
def test_a_check_passes_or_says_what_is_wrong(kind, good, bad):
    check = rule(**kind)
    assert check(good) == ""
    assert check(bad) != ""


GOOD_AND_BAD = {
    "date": ("2024-02-29", "2023-02-29"),
    "time": ("23:59:60Z", "12:00:00"),
    "date-time": ("2024-01-31T10:00:00+02:00", "2024-01-31 10:00:00Z"),
    "duration": ("P1Y2M3DT4H5M6S", "P1D2H"),
    "email": ('"a b"@[IPv6:::1]', "a@b@c"),
    "uri": ("https://a.example/b?c#d", "/b?c"),
    "uri-reference": ("../b", "a b"),
    "uuid": ("2EB8AA08-aa98-11ea-b4aa-73b441d16380", "2eb8aa08aa9811eab4aa73b441d16380"),
    "ipv4": ("192.168.0.1", "256.1.1.1"),
    "ipv6": ("::ffff:1.2.3.4", "fe80::a%eth1"),
    "hostname": ("xn--bcher-kva.example", "a_b.example"),
    "regex": (r"^(?=a)b{2,}$", r"^\S\Z"),
    "json-pointer": ("/a~1b/0", "/a~2"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_checked(name):
    check = rule(json_schema_valid={"format": name})
    good, bad = GOOD_AND_BAD[name]
    assert (check(json.dumps(good)), check("5")) == ("", "")
    assert f"is no {name}" in check(json.dumps(bad))


def test_a_schema_error_says_where_it_is():
    assert rule(json_schema_valid=NESTED)('{"a": "x"}') == "'x' is not of type 'integer' at ['a']"


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ({}, "has no rule"),
        ({"exact_match": "a", "contains": "b"}, "several rules (contains, exact_match)"),
        ({"similarity": {"text": "a", "min": 0}}, "every answer passes"),
        ({"rouge_l": {"text": "a", "min": 0}}, "every answer passes"),
        ({"regex_match": r"(a)\1"}, "can't be used"),
        ({"regex_match": "(?=a)"}, "can't be used"),
        ({"regex_match": "("}, "can't be used"),
        ({"json_schema_valid": {"type": "wrong"}}, "not a JSON Schema"),
        ({"json_schema_valid": {"$ref": "https://evil.example/schema.json"}}, "refers to “https://evil.example"),
        (
            {"json_schema_valid": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}},
            "refers to “file:///etc/passwd”",
        ),
        ({"json_schema_valid": {"anyOf": [{"$dynamicRef": "other.json"}]}}, "refers to “other.json”"),
        ({"json_schema_valid": {"$ref": "#/$defs/none"}}, "target"),
        ({"json_schema_valid": {"$ref": "#"}}, "target"),
        ({"json_schema_valid": {"pattern": "(?=a)"}}, "can't be used"),
        ({"json_schema_valid": {"patternProperties": {"(?=a)": {}}}}, "can't be used"),
        ({"json_schema_valid": {"$schema": "https://evil.example/meta"}}, "unknown `$schema`"),
    ],
)
def test_a_check_that_can_not_be_run_is_refused(kind, what):
    with pytest.raises(ConfigError) as caught:
        rule(**kind)
    assert what in str(caught.value)
    assert "check “c”" in str(caught.value)
    assert caught.value.hint


def test_a_schema_that_contains_itself_is_followed_as_deep_as_json_is_read():
    check = rule(json_schema_valid={"properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}})
    assert check('{"next": ' * 60 + '{"value": 1}' + "}" * 60) == ""
    assert "is not of type" in check('{"next": ' * 60 + '{"value": "x"}' + "}" * 60)


def test_a_reference_that_only_some_instances_reach_does_not_raise():
    lost = rule(json_schema_valid={"properties": {"a": {"$ref": "#/$defs/none"}}})
    assert lost("{}") == ""
    assert "target" in lost('{"a": 1}')


def test_a_schema_that_recurses_on_some_instances_does_not_raise():
    loop = rule(json_schema_valid={"properties": {"a": {"$ref": "#/properties/a"}}})
    assert "too deeply" in loop('{"a": 1}')


def doubling(levels, **schema):
    """A schema in which each definition refers twice to the next."""
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**twice, f"d{levels}": {"type": "object"}}, **schema}


def test_references_that_multiply_end(monkeypatch):
    monkeypatch.setattr(json_schema, "MAX_FOLLOWED", 2_000)
    with pytest.raises(ConfigError, match="too many references"):
        rule(json_schema_valid=doubling(40, **{"$ref": "#/$defs/d0"}))
    deep = rule(json_schema_valid=doubling(40, properties={"a": {"$ref": "#/$defs/d0"}}))
    assert (deep("{}"), deep('{"a": {}}')) == ("", "the schema follows too many references")
    few = rule(json_schema_valid=doubling(5, **{"$ref": "#/$defs/d0"}))
    assert (few("{}"), "not of type" in few("[]")) == ("", True)


def test_a_number_beyond_a_double_does_not_raise():
    halves = rule(json_schema_valid={"properties": {"a": {"multipleOf": 0.5}}})
    assert (halves('{"a": 1.5}'), "too large" in halves('{"a": 1' + "0" * 400 + "}")) == ("", True)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ({"regex_match": r"(a+)+$"}, "a" * 1_000_000 + "!"),
        ({"json_schema_valid": {"properties": {"x": {"pattern": "(a+)+$"}}}}, json.dumps({"x": "a" * 500_000 + "!"})),
        ({"json_schema_valid": {"uniqueItems": True}}, json.dumps([{"n": n} for n in range(20_000)])),
        (
            {"json_schema_valid": {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False}},
            json.dumps({"a" * 90_000 + "!": 1}),
        ),
        *(
            ({"json_schema_valid": {"format": name}}, json.dumps(text * 40_000))
            for name in FORMATS
            for text in ("a.", "1:", "%4", "(a", "[[")
        ),
        ({"is_refusal": False}, "sorry " * 100_000),
        ({"levenshtein": {"text": "a" * 1000, "max": 50}}, "ab" * 200_000),
        ({"similarity": {"text": "a" * 1000, "min": 0.5}}, "ab" * 200_000),
        ({"rouge_l": {"text": "a b " * 2000, "min": 0.5}}, "b a " * 200_000),
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


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("{ticket}", "ticket"), ("Dear ${ticket},", "ticket"), ("%(ticket)s", "ticket"), ("[[ticket]]", "ticket"),
        ("{{ticket}}", None), ("{other}", None), ('{"ticket": 1}', None), ("a{2}", None),
    ],
)  # fmt: skip
def test_a_placeholder_with_the_name_of_an_input_in_another_syntax_is_a_mistake(value, name):
    asked = TestCase(id="a", inputs={"ticket": "Where is it?"})
    found = Checks([Check(name="c", contains=value)], overall=True).problem(asked)
    assert (None if found is None else found.hint) == (name and "write {{ticket}} for the case's ticket")


PARCEL = TestCase(
    id="c",
    inputs={"name": "C++ (old)", "tags": ["a", "b"], "limit": 2, "deep": {"x": 1}},
    expected={"total": 5, "city": "Rome"},
)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ({"contains": "about {{name}}"}, "All about c++ (OLD).", "All about {{name}}"),
        ({"exact_match": "{{expected}}"}, '{"total": 5, "city": "Rome"}', "{{expected}}"),
        ({"exact_match": "{{ inputs.deep.x }}"}, "1", "2"),
        ({"regex_match": "^{{name}}$"}, "C++ (old)", "C+++ old"),
        ({"not_regex_match": "{{expected.city}}."}, "Rome", "Rome!"),
        ({"contains_all": ["{{tags}}", "c"]}, "a b c", "b c"),
        ({"contains_any": "{{tags}}"}, "b", "c"),
        ({"set_match": "{{tags}}"}, "b, a", "a"),
        ({"max_words": "{{limit}}"}, "one two", "one two three"),
        ({"numeric_range": {"min": 0, "max": "{{expected.total}}"}}, "5", "6"),
        ({"levenshtein": {"text": "{{expected.city}}", "max": 1}}, "rome", "roma"),
        ({"json_schema_valid": {"properties": {"t": {"const": "{{expected.total}}"}}}}, '{"t": 5}', '{"t": "5"}'),
    ],
)
def test_a_check_may_use_the_case(kind, good, bad, scores):
    part = Checks([Check(name="c", **kind)], overall=True)
    assert not part.ignores_case
    assert part.problem(PARCEL) is None
    values = [asyncio.run(part.score(PARCEL, output, None))[0].value for output in (good, bad)]
    assert values == [1, 0]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ({"contains": "{{nme}}"}, "the case has no {{nme}}"),
        ({"max_words": "{{name}}"}, "the case's value doesn't fit"),
        ({"contains": "{{blank}}"}, "is blank"),
        ({"regex_match": "{{bad}}"}, "can't be used"),
        ({"not_contains": "{{list}}"}, "one text is needed"),
        ({"not_regex_match": "{{list}}"}, "one text is needed"),
        ({"similarity": {"text": "a", "min": "{{zero}}"}}, "every answer passes"),
    ],
)
def test_a_case_that_a_check_can_not_use_is_a_finding_before_any_call(kind, what):
    case = PARCEL.model_copy(
        update={"inputs": {**PARCEL.inputs, "blank": " ", "bad": "(", "list": ["a", "b"], "zero": 0}}
    )
    found = Checks([Check(name="c", **kind)], overall=False).problem(case)
    assert (what in found.what, "check “c”" in found.what or what in found.what, bool(found.hint)) == (True, True, True)


@pytest.mark.parametrize(
    ("case", "text", "overall", "forbidden"),
    [
        ({"must": [CheckRule(contains="{{name}}"), CheckRule(max_words=3)]}, "To Ann", 1, False),
        ({"must": [CheckRule(contains="{{name}}"), CheckRule(max_words=3)]}, "To Ann, my dear", 0, False),
        ({"must": [CheckRule(contains="{{name}}")]}, "To Bob", 0, False),
        ({"must_not": ["{{name}}"]}, "To ann", 0, True),
        ({"must_not": ["{{name}}"]}, "To Bob", 1, False),
        ({"must_not": [CheckRule(regex_match="[0-9]{4}")]}, "Your PIN is 1234.", 0, True),
        ({"must_not": [CheckRule(regex_match="[0-9]{4}")]}, "I won't tell.", 1, False),
        ({"must_not": [CheckRule(is_refusal=True)]}, "I can't help with that.", 0, True),
    ],
)
@pytest.mark.parametrize("checks", [[], [Check(name="brief", max_words=9)]])
def test_what_a_case_must_and_must_not(case, text, overall, forbidden, checks, scores):
    case = TestCase(id="c", inputs={"name": "Ann"}, **case)
    lineage = LineageConfig(use_case=UseCase.GENERATION, prompt="p", checks=checks)
    known = [case, TestCase(id="d", inputs={}, must=[CheckRule(contains="x")])]
    evaluator = evaluator_for(lineage, None, None, None, cases=known)
    assert evaluator.problem(case) is None
    found = scores(evaluator, case, text)
    assert (found["overall"].value, found["overall"].forbidden) == (overall, forbidden)
    assert bool(found["overall"].reason) is (overall == 0)


@pytest.mark.parametrize(
    "case",
    [
        {"must": [CheckRule(contains="{{nme}}")]},
        {"must_not": ["{{nme}}"]},
        {"must_not": [" "]},
        {"must": [CheckRule(contains="{{name}}")], "must_not": ["{{name}}"]},
        {},
    ],
)
def test_a_case_whose_rules_can_not_be_applied(case):
    case = TestCase(id="c", inputs={"name": "Ann"}, **case)
    lineage = LineageConfig(use_case=UseCase.GENERATION, prompt="p")
    evaluator = evaluator_for(
        lineage, None, None, None, cases=[TestCase(id="d", inputs={}, must=[CheckRule(contains="x")])]
    )
    assert evaluator.problem(case).hint


def test_a_new_check_is_one_file_and_one_line(tmp_path):
    """Does what CONTRIBUTING.md says, in a copy, and runs its test there."""
    here = Path(__file__).parents[2]
    section = (here / "CONTRIBUTING.md").read_text().partition("**A check.**")[2].partition("**A provider.**")[0]
    file, line, test = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    for folder in ("schemas", "evaluators"):
        shutil.copytree(here / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "evaluators/check_rules/no_digits.py").write_text(file)
    rules = tmp_path / "schemas/check_config.py"
    start = "class CheckRule(Value):"
    before, _, after = rules.read_text().partition(start)
    docstring, _, keys = after.partition('fills in."""\n')
    rules.write_text(f'{before}{start}{docstring}fills in."""\n{line}{keys}')
    helper = f"{inspect.getsource(rule)}\n\n{test}\ntest_no_digits()\n"
    imports = "from evaluators.checks import *\nfrom schemas.check_config import Check\nfrom schemas.testsets import TestCase\n"
    subprocess.run(
        [sys.executable, "-c", imports + helper], check=True, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}
    )


def test_the_version_follows_the_checks():
    one, other = (Checks((Check(name="c", max_words=words),), overall=False).version for words in (1, 2))
    assert one != other


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises(text):
    part = Checks(
        [
            Check(name="a", regex_match="a+"),
            Check(name="b", json_schema_valid=NESTED),
            Check(name="c", contains="x"),
            Check(name="d", max_words=1),
        ],
        overall=True,
    )
    for score in asyncio.run(part.score(TestCase(id="c", inputs={}), text, None)):
        assert score.value in (0, 1)
        assert bool(score.reason) is (score.value == 0)
