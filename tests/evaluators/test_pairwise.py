"""A judge that compares two answers: both orders, ties, and what no answer can do."""

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.calibration import calibrate_pairs, pairs_of
from evaluators.lineage_evaluator import USABLE
from evaluators.pairwise import PairwiseJudge, read_preferences
from evaluators.registry import evaluator_for
from schemas.config import Check, JudgeConfig, LineageConfig, ModelConfig
from schemas.outcomes import Completion, CompletionError, ErrorKind, EvaluatorFailure, Finish, Usage
from schemas.rubrics import Dimension, LabeledAnswer, Rubric
from schemas.testsets import TestCase

RUBRIC = Rubric(
    dimensions={
        "brevity": Dimension(description="Short enough?", anchors={5: "three sentences"}, weight=3),
        "tone": Dimension(description="Friendly?"),
    }
)
MODELS = [ModelConfig(provider="openai", model=f"judge-{number}") for number in range(3)]
ONE = PairwiseJudge(RUBRIC, MODELS[:1], gates=True)
CASE = TestCase(id="c", inputs={"name": "Ann"}, expected="a ref", rubric="mind the name")
ANSWERS = re.compile(r"<answer-([ab])-(\w+)>\n(.*?)\n</answer-\1-\2>", re.DOTALL)


def reply(text, finish=Finish.STOP):
    return Completion(text=text, finish=finish, usage=Usage(input=1, output=1), model="judge", latency_s=0)


def choices(**chosen):
    return reply(
        json.dumps({name: {"reason": f"because of {name}", "better": which} for name, which in chosen.items()})
    )


def shown(request):
    """The texts of A and B."""
    return [text for _, _, text in ANSWERS.findall(request.messages[1].content)]


def prefers(wanted, tone="same", asked=None):
    """A judge that finds the answer ``wanted`` shorter. ``None``: it always prefers A."""

    async def ask(request, repetition):
        if asked is not None:
            asked.append((request, repetition))
        first, second = shown(request)
        return choices(brevity="A" if wanted in (None, first) else "B" if wanted == second else "same", tone=tone)

    return ask


def compare(judge, ask, baseline="old", candidate="new"):
    return {score.metric: score for score in asyncio.run(judge.compare(CASE, baseline, candidate, ask))}


@pytest.mark.parametrize(("wanted", "value"), [("new", 1), ("old", 0), ("another", 0.5), (None, 0.5)])
def test_the_preference_is_that_of_both_orders_and_a_place_is_none(wanted, value):
    found = compare(ONE, prefers(wanted))
    assert (found["brevity"].value, found["tone"].value) == (value, 0.5)
    assert found["preference"].value == (3 * value + 0.5) / 4
    assert found["brevity"].votes == ((1, 0) if wanted is None else (value, value))
    assert "A is the old answer, B the new one: because of" in found["preference"].reason


def test_the_request_is_strict_fenced_and_tells_no_version():
    asked = []
    compare(ONE, prefers("new", asked=asked))
    compare(ONE, prefers("new", asked=asked), "new", "old")
    one, other, *again = asked
    assert again == [one, other]  # the same two calls, whichever answer is new
    assert [shown(request) for request, _ in (one, other)] == [["new", "old"], ["old", "new"]]
    request, repetition = one
    assert (repetition, request.parameters.json_schema["name"]) == (0, "preferences")
    choice = request.parameters.json_schema["schema"]["properties"]["tone"]
    assert choice["properties"]["better"]["enum"] == ["A", "B", "same"]
    system, user = (message.content for message in request.messages)
    (mark,) = {mark for _, mark, _ in ANSWERS.findall(user)}
    assert mark in system
    assert f"<reference-{mark}>\na ref\n</reference-{mark}>" in user
    assert f"<note-{mark}>\nmind the name\n" in user
    assert not re.search("baseline|candidate|version", system + user)
    assert [request for request, _ in asked[:2]] == [request for request, _ in ONE.requests(CASE, "old", "new")]


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[st.sampled_from(["A", "B", "same"])] * 12), st.sampled_from([1, 2, 3]))
def test_exchanging_the_versions_exactly_mirrors_every_score(replies, judges):
    """The gate's test needs nothing else: without a difference, both signs are equally likely."""
    judge = PairwiseJudge(RUBRIC, MODELS[:judges], gates=True)

    async def ask(request, repetition):
        place = MODELS.index(next(one for one in MODELS if one.model == request.model)) * 4 + 2 * (
            shown(request)[0] == "new"
        )
        return choices(brevity=replies[place], tone=replies[place + 1])

    one, other = compare(judge, ask), compare(judge, ask, "new", "old")
    assert [1 - score.value for score in one.values()] == pytest.approx([score.value for score in other.values()])


def test_equal_answers_are_equally_good_and_cost_nothing():
    asked = []
    found = compare(ONE, prefers("x", asked=asked), "same text", "same text")
    assert ([score.value for score in found.values()], asked) == ([0.5] * 3, [])
    assert ONE.requests(CASE, "x", "x") == []


async def test_the_median_of_a_jury_counts_and_an_unreadable_judge_is_never_left_out():
    def jury(**special):
        async def ask(request, repetition):
            said = special.get(request.model.replace("-", "_"), "new")
            return said if not isinstance(said, str) else await prefers(said)(request, repetition)

        return PairwiseJudge(RUBRIC, MODELS, gates=True).compare(CASE, "old", "new", ask)

    assert (await jury(judge_1="old"))[1].value == 1
    assert (await jury(judge_1="old"))[1].votes == (1, 1, 0, 0, 1, 1)
    down = CompletionError(kind=ErrorKind.SERVER, message="down")
    assert (await jury(judge_2=down))[1].votes == (1, 1, 1, 1, None, None)
    for failed in ({"judge_2": down, "judge_0": down}, {"judge_2": reply("B")}):
        assert all(isinstance(score, EvaluatorFailure) for score in await jury(**failed))


GOOD = {"brevity": {"reason": "r", "better": "A"}, "tone": {"reason": "r", "better": "same"}}


@pytest.mark.parametrize(
    "text",
    [
        "", "A", "[]", "null", json.dumps({"brevity": GOOD["brevity"]}), json.dumps(GOOD | {"more": 1}),
        json.dumps(GOOD) * 2, json.dumps(GOOD)[:-1], *(json.dumps(GOOD | {"tone": {"reason": "r", "better": said}}) for said in ("a", "C", "", "tie", "A or B", 1, None, ["A"], {"A": 1})),
        json.dumps(GOOD | {"tone": {"better": "A"}}), json.dumps(GOOD | {"tone": {"reason": " ", "better": "A"}}), json.dumps(GOOD | {"tone": "A"}),
    ],
)  # fmt: skip
def test_a_reply_that_is_no_preference_is_an_error_and_never_a_tie(text):
    assert read_preferences(text, ("brevity", "tone")).problem.startswith("the judge's reply ")

    async def ask(request, repetition):
        return reply(text)

    found = compare(ONE, ask)
    assert all(isinstance(score, EvaluatorFailure) and score.kind for score in found.values())


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet='{}":[]brevity tone better reason AB same', max_size=100))
def test_no_reply_raises_and_no_answer_leaves_its_fence(text):
    reading = read_preferences(text, ("brevity", "tone"))
    assert (reading.value is None) is bool(reading.problem)
    for request, _ in ONE.requests(CASE, "old", text):
        user = request.messages[1].content
        mark = re.search(r"<task-([0-9a-f]{16})>", user)[1]
        assert (user.count(f"</answer-a-{mark}>"), user.count(f"</answer-b-{mark}>")) == (1, 1)


def evaluator(**more):
    lineage = LineageConfig(use_case="generation", prompt="p", judge=JudgeConfig(model="j", mode="pairwise"), **more)
    return evaluator_for(lineage, None, RUBRIC, MODELS[:1], calibrated=True)


@pytest.mark.parametrize(
    ("old", "new", "value"), [("too long", "ok", 1), ("ok", "too long", 0), ("too long", "long too", 0.5)]
)
def test_an_answer_that_breaks_a_hard_rule_loses_whatever_a_judge_would_say(old, new, value):
    one = evaluator(checks=(Check(name="short", max_words=1),))
    assert [(spec.name, spec.kind) for spec in one.metrics][-1] == (USABLE, "usable")
    asked = []

    async def scored():
        both = []
        for text in (old, new):
            scores = await one.score(CASE, reply(text), ask=prefers(None, asked=asked), repetition=0)
            both.append((reply(text), scores))
        return await one.compare(CASE, *both, ask=prefers(None, asked=asked)), both

    found, both = asyncio.run(scored())
    assert ({score.metric: score.value for score in found}["preference"], asked) == (value, [])
    assert [scores[-1].value for _, scores in both] == [float(text == "ok") for text in (old, new)]
    # An answer alone is no tie.
    assert isinstance(both[1][1][1], EvaluatorFailure)
    assert {score.metric: score.value for score in one.as_baseline(both[0][1])}["preference"] == 0.5


def labeled(name, grade, task=0):
    return LabeledAnswer(id=name, inputs={"n": task}, output=f"{name}", grades={"brevity": grade, "tone": 3})


def test_pairs_are_of_one_task_and_share_no_answer():
    answers = [labeled(f"{letter}{task}", 3, task) for task in range(5) for letter in "abc"[: 1 + task % 3]]
    pairs = pairs_of(answers)
    assert len(pairs) == 3
    assert all(one.inputs == other.inputs and one.output != other.output for one, other in pairs)
    assert pairs_of(answers[::-1]) == pairs


@pytest.mark.parametrize(("kind", "agrees"), [("as people", True), ("opposite", False), ("first place", False)])
async def test_a_judge_is_calibrated_by_what_peoples_grades_prefer(kind, agrees):
    answers = [
        labeled(f"{letter}{task}", 1 + (task + 2 * (letter == "b")) % 5, task) for task in range(40) for letter in "ab"
    ]
    grades = {one.output: one.grades["brevity"] for one in answers}

    async def ask(request, repetition):
        first, second = (grades[text] for text in shown(request))
        ways = {"as people": first > second, "opposite": first < second, "first place": True}
        return choices(brevity="A" if ways[kind] else "B")

    brevity = Rubric(dimensions={"brevity": RUBRIC.dimensions["brevity"]})
    found = await calibrate_pairs(PairwiseJudge(brevity, MODELS[:1], gates=False), pairs_of(answers), ask)
    assert (found.dimensions["brevity"].pairs, found.dimensions["brevity"].compared) == (40, True)
    assert found.calibrated is agrees
