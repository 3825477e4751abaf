"""Tool calls: which tools, with which arguments, how often and in which order."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.registry import check_expectations, evaluator_for
from evaluators.tool_calls import ToolCalls
from schemas.config import LineageConfig
from schemas.outcomes import Completion, Finish, ToolCall, Usage
from schemas.testsets import TestCase

WEATHER = {
    "name": "get_weather",
    "arguments": {
        "city": {"any_of": ["Paris", "Paris, FR"]},
        "unit": {"any_of": ["celsius"], "optional": True},
        "days": 3,
    },
}
MAIL = {"name": "send_mail", "arguments": {"to": ["a@b.c"], "message": {"title": "Hi", "body": {"any_of": ["x", "y"]}}}}
SENT = {"to": ["a@b.c"], "message": {"title": "hi", "body": "y"}}
ASKED = {"city": "Paris", "days": 3}


def called(*calls, text=""):
    given = tuple(ToolCall(name=name, arguments=json.dumps(arguments)) for name, arguments in calls)
    finish = Finish.TOOL if given else Finish.STOP
    return Completion(
        text=text, finish=finish, usage=Usage(input=1, output=1), model="m", latency_s=0, tool_calls=given
    )


def expecting(case, *calls, **more):
    return case({"tool_calls": list(calls), **more})


def evaluator(*cases):
    lineage = LineageConfig(use_case="extraction", prompt="p.md", tests="t.jsonl")
    return evaluator_for(lineage, None, None, None, cases=cases)


WRONG = [
    ([WEATHER], [("get_time", ASKED)], (0, 0, 0), "called get_time instead of get_weather"),
    ([WEATHER], [("get_weather", {"days": 3})], (0, 1, 0), "get_weather: city is missing: expected Paris or Paris, FR"),
    ([WEATHER], [("get_weather", ASKED | {"city": "Rome"})], (0, 1, 0), "get_weather: city is Rome, expected Paris or Paris, FR"),
    ([WEATHER], [("get_weather", ASKED | {"unit": "kelvin"})], (0, 1, 0), "get_weather: unit is kelvin, expected celsius"),
    ([WEATHER], [("get_weather", ASKED | {"days": "3"})], (0, 1, 0), "get_weather: days is 3, expected 3"),
    ([WEATHER], [("get_weather", ASKED | {"x": 1})], (0, 1, 0), "get_weather: x was not expected"),
    ([WEATHER], [("get_weather", [1])], (0, 1, 0), "get_weather: arguments are not a JSON object: [1]"),
    ([WEATHER], [], (0, 0, 0), "didn't call get_weather"),
    ([WEATHER], [("get_weather", ASKED)] * 2, (0, 0, 1 / 2), "unexpected call of get_weather"),
    ([WEATHER], [("get_weather", ASKED)] * 51, (0, 0, 0), "51 calls, more than 50"),
    ([], [("get_weather", ASKED)], (0, 0, 0), "unexpected call of get_weather"),
    ([MAIL], [("send_mail", SENT | {"to": []})], (0, 1, 0), 'send_mail: to is [], expected ["a@b.c"]'),
    ([MAIL], [("send_mail", {"to": ["a@b.c"], "message": {"title": "hi"}})], (0, 1, 0), "send_mail: message is"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "calls", "values", "reason"), WRONG)
def test_a_wrong_call_is_never_right_and_says_why(case, scores, expected, calls, values, reason):
    wanted = expecting(case, *expected)
    found = scores(evaluator(wanted), wanted, called(*calls))
    assert found["tool_calls"].reason.startswith(reason)
    for score, value in zip(found.values(), values, strict=True):
        assert score.value == pytest.approx(value)


RIGHT = [
    ([WEATHER], [("get_weather", {"city": "paris, fr", "unit": "Celsius", "days": 3.0})]),
    ([WEATHER], [("get_weather", ASKED)]),
    ([MAIL, WEATHER], [("get_weather", ASKED), ("send_mail", SENT)]),
    ([], []),
]


@pytest.mark.parametrize(("expected", "calls"), RIGHT)
def test_other_right_values_legal_omissions_and_any_order_are_right(case, scores, expected, calls):
    wanted = expecting(case, *expected)
    written = json.dumps({"tool_calls": [{"function": {"name": n, "arguments": json.dumps(a)}} for n, a in calls]})
    for answer in (called(*calls), called(text=written), called(text=f"```json\n{written}\n```")):
        found = scores(evaluator(wanted), wanted, answer)
        assert [score.value for score in found.values()] == [1, 1, 1], found["tool_calls"].reason


def test_the_order_counts_where_the_case_says_so(case, scores):
    wanted = expecting(case, WEATHER, MAIL, ordered=True)
    one, two = ("get_weather", ASKED), ("send_mail", SENT)
    assert scores(evaluator(wanted), wanted, called(one, two))["tool_calls"].value == 1
    turned = scores(evaluator(wanted), wanted, called(two, one))
    assert (turned["tool_calls"].value, turned["tool names"].value) == (0, 1)
    assert turned["tool_calls"].reason.startswith("called send_mail instead of get_weather")


def test_a_text_calls_no_tool_and_a_strict_format_accepts_calls(case, scores):
    wanted = expecting(case, WEATHER)
    assert scores(evaluator(wanted), wanted, called(text="It is sunny."))["tool_calls"].value == 0
    lineage = LineageConfig(use_case="extraction", prompt="p.md", tests="t.jsonl", output={"strict": True})
    strict = evaluator_for(lineage, None, None, None, cases=[wanted])
    two = scores(strict, wanted, called(("get_weather", ASKED), ("get_weather", ASKED)))
    assert two["output format"].value == 1
    assert scores(strict, wanted, called(text="It is sunny."))["output format"].value == 0
    nothing = scores(strict, expecting(case), called(text="Hello! How can I help?"))
    assert [score.value for score in nothing.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "calls",
    [
        "x",
        [{"arguments": {}}],
        [{"name": ""}],
        [{"name": "t"}] * 51,
        [{"name": "t", "arguments": []}],
        [{"name": "t", "arguments": {"a": {"any_of": []}}}],
        [{"name": "t", "arguments": {"a": {"any_of": "x"}}}],
        [{"name": "t", "arguments": {"a": {"any_of": [1], "option": True}}}],
        [{"name": "t", "arguments": {"a": [{"b": {"any_of": []}}]}}],
        [{"name": "t", "arguments": {"a": {"any_of": [{"b": {"any_of": []}}]}}}],
    ],
)
def test_an_expectation_that_cant_be_read_is_found_before_any_call(case, calls):
    wrong, right = case({"tool_calls": calls}), expecting(case, WEATHER)
    (problem,) = check_expectations(evaluator(wrong, right), [wrong, right])
    assert "expected can't be read" in problem.what
    assert '`expected: {"tool_calls"' in problem.hint


@pytest.mark.parametrize("key", ["arguments", "input", "parameters"])
def test_arguments_under_any_known_key_count(case, scores, key):
    written = json.dumps([{"name": "get_weather", key: ASKED}])
    asked, bare = expecting(case, WEATHER), expecting(case, {"name": "get_weather"})
    assert scores(evaluator(asked), asked, called(text=written))["tool_calls"].value == 1
    assert scores(evaluator(bare), bare, called(text=written))["tool_calls"].value == 0


def test_a_call_beside_something_unreadable_is_still_a_call(case, scores):
    nothing = expecting(case)
    found = scores(evaluator(nothing), nothing, called(text='[{"name": "delete"}, {"bad": 1}]'))
    assert (found["tool_calls"].value, found["tool names"].value) == (0, 0)


def test_any_of_may_stand_inside_any_of(case, scores):
    nested = expecting(case, {"name": "t", "arguments": {"a": {"any_of": [{"any_of": [1, 2]}, 3]}}})
    values = [scores(evaluator(nested), nested, called(("t", {"a": one})))["tool_calls"].value for one in (1, 2, 3, 4)]
    assert values == [1, 1, 1, 0]


CALLS = st.lists(
    st.tuples(st.sampled_from("ab"), st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))), max_size=4
)


@given(CALLS, CALLS)
def test_all_scores_agree_and_stay_within_0_and_1(expected, calls):
    case = TestCase(id="c", inputs={}, expected={"tool_calls": [{"name": n, "arguments": a} for n, a in expected]})
    found = {s.metric: s.value for s in run(ToolCalls(), case, calls)}
    assert all(0 <= value <= 1 for value in found.values())
    same = sorted(map(json.dumps, sorted(expected, key=str))) == sorted(map(json.dumps, sorted(calls, key=str)))
    assert found["tool_calls"] <= min(found["tool names"], found["right calls"])
    assert same <= found["tool_calls"]
    assert found == {s.metric: s.value for s in run(ToolCalls(), case, calls[::-1])}


def run(part, case, calls):
    written = json.dumps([{"name": name, "arguments": arguments} for name, arguments in calls])
    return asyncio.run(part.score(case, written, None))
