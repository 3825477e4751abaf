"""JSON out of what a model wrote."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.json_answers import read_json, read_object


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '  \n{"a": 1}\n',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        'Sure! Here it is: {"a": 1} Anything else?',
        'I fill the {braces} in.\n{"a": 1}',
        'An example is {"a": 2}.\n```json\n{"a": 1}\n```',
        '<think>{"a": 2}</think>{"a": 1}',
        '{} is empty, but {"a": 1} is not',
        'See [1] and {x}:\n{"a": 1}\n(from [2])',
        '{"a": 1}\n```json\n{"a": 1}\n```',
    ],
)
def test_the_only_object_is_found_wherever_it_is(text):
    assert read_object(text).value == {"a": 1}


def test_braces_in_texts_do_not_end_an_object():
    assert read_object('{"a": "}{", "b": "\\"}"}').value == {"a": "}{", "b": '"}'}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nothing here", "no JSON object"),
        ("{'a': 1}", "no JSON object"),
        ("", "no JSON object"),
        ('{"a": 1, "a": 2}', "the key “a” occurs twice"),
        ('{"b": {"a": 1, "a": 1}}', "the key “a” occurs twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1', "not valid JSON"),
        ('{"a": 1,}', "not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a": 1, "a": 2} {"a": 3}', "occurs twice"),
        ('{\n "a": 1\n} {"a": 2}', "several JSON objects"),
        ('{"a": 1}\n{"b":', "several JSON objects"),
        ('```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```', "several JSON objects"),
        ('```json\n{"a": 1}\n{"a": 2}\n```', "several JSON objects"),
        ('[{"a": 1}, {"a": 2}]', "several JSON objects"),
        ('[{"a": 1}]', "part of a list or of code"),
        ('[{"a": 1}', "part of a list or of code"),
        ('```json\n[{"a": 1}\n```', "part of a list or of code"),
        ('{ok: true, data: {"a": 1}}', "part of a list or of code"),
        ('{"a": 1} }', "part of a list or of code"),
        ('{"a": 1}{', "part of a list or of code"),
        ('<think>{"a": 1}</think>', "no JSON object"),
        ('<think>It is {"a": 1}', "no JSON object"),
        ('{"a":' * 100_000, "JSON"),
        ('{"a":' * 70 + "1" + "}" * 70, "nested deeper than 64"),
        ('{"a": "' + "x" * 5_000_000 + '"}', "longer than"),
    ],
)
def test_what_is_not_strict_json_is_a_failure_with_a_reason(text, problem):
    reading = read_object(text)
    assert not reading.found
    assert problem in reading.problem


def test_an_empty_object_counts_when_there_is_no_other():
    assert read_object("The answer is {}.").value == {}


@pytest.mark.parametrize(("text", "value"), [("[1, 2]", [1, 2]), ("```json\n3\n```", 3), ('"x"', "x")])
def test_a_whole_answer_may_be_any_value(text, value):
    assert read_json(text).value == value


@pytest.mark.parametrize("text", ["1 2", "", "x", "[1] ```", "9" * 5_000_000])
def test_a_whole_answer_is_one_value(text):
    assert not read_json(text).found


@pytest.mark.parametrize(
    "text", ["{" * 1_000_000, '{"' * 500_000, "{ " * 500_000, '{"a":{' * 170_000, "```json\n" * 120_000, "{}" * 500_000]
)
def test_hostile_megabytes_take_linear_time(text):
    start = time.process_time()
    read_object(text)
    assert time.process_time() - start < 0.5


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text(alphabet='{}[]":,a1\\`\n ', max_size=200)))
def test_no_text_raises(text):
    reading = read_object(text)
    assert reading.found is isinstance(reading.value, dict)
    assert reading.found or reading.problem
    read_json(text)
