"""Trajectories of agents: tools, order, arguments, parallel calls, steps, final state; the reason names the step."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.expected_trajectory import expected_in_words
from evaluators.registry import check_expectations, evaluator_for
from evaluators.trajectory import in_lines
from schemas.check_config import CheckRule
from schemas.config import LineageConfig
from schemas.conversations import ScriptedResult, Step, ToolCall, Trajectory
from schemas.outcomes import Completion, Finish, Usage
from schemas.testsets import TestCase

LINEAGE = LineageConfig(use_case="agent", prompt="p.md", tests="t.jsonl")
LOOK = ("look_up", {"id": "7"})
REFUND = ("refund", {"id": "7", "amount": 20})
ASK = ("ask_human", {"reason": "angry"})
SCRIPTS = (
    ScriptedResult(name="look_up", result="lost"),
    ScriptedResult(name="refund", arguments={"id": {"any_of": ["7", "8"]}}, result="ok", set={"refunded": "7"}),
)
WANTED = [
    {"name": "look_up", "arguments": {"id": "7"}},
    {
        "name": "refund",
        "arguments": {"id": "7", "amount": {"any_of": [20, "20"]}, "note": {"any_of": ["x"], "optional": True}},
    },
]
EXACT = {"tool_calls": WANTED, "order": "exact"}
ANY = {"tool_calls": WANTED}
SUBSEQUENCE = {"tool_calls": WANTED, "order": "subsequence"}


def step(*calls, text=""):
    made = tuple(ToolCall(name=name, arguments=json.dumps(arguments)) for name, arguments in calls)
    return Step(text=text, calls=made, results=("ok",) * len(made))


def ended(*steps, problem="", text="Done."):
    trajectory = Trajectory(steps=(*steps, Step(text=text)), problem=problem)
    usage = Usage(input=1, output=1)
    return Completion(text=text, finish=Finish.STOP, usage=usage, model="m", latency_s=0, trajectory=trajectory)


def scored(scores, case, completion):
    evaluator = evaluator_for(LINEAGE, None, None, None, cases=[case])
    assert check_expectations(evaluator, [case]) == ()
    return scores(evaluator, case, completion)["trajectory"]


RIGHT = [
    (ANY, [step(LOOK), step(REFUND)]),
    (ANY, [step(REFUND), step(LOOK)]),
    (EXACT, [step(LOOK), step(REFUND)]),
    (EXACT, [step(LOOK, REFUND)]),
    (SUBSEQUENCE, [step(LOOK), step(ASK), step(LOOK), step(REFUND)]),
    (SUBSEQUENCE, [step(("refund", {})), step(LOOK), step(("look_up", {"id": "9"})), step(REFUND)]),
    ({"tool_calls": []}, []),
    ({"used": ["look_up"], "not_used": ["refund"]}, [step(LOOK), step(ASK)]),
    ({"parallel": [["refund", "look_up"]]}, [step(LOOK), step(LOOK, ASK, REFUND)]),
    ({"min_steps": 2, "max_steps": 2}, [step(LOOK)]),
    ({"final_state": {"refunded": {"any_of": ["6", "7"]}}}, [step(REFUND)]),
    ({"final_state": {}}, [step(LOOK), step(("refund", {"id": "9"}))]),
]


@pytest.mark.parametrize(("expected", "steps"), RIGHT)
def test_a_right_conversation(case, scores, expected, steps):
    score = scored(scores, case(expected, tool_results=SCRIPTS), ended(*steps))
    assert (score.value, score.reason) == (1, "")


WRONG = [
    (EXACT, [step(REFUND), step(LOOK)], "didn't call look_up before step 1; step 2: unexpected call of look_up"),
    (EXACT, [step(LOOK)], "didn't call refund"),
    (EXACT, [step(LOOK), step(ASK)], "step 2: called ask_human instead of refund"),
    (EXACT, [step(("refund", {"id": "7", "amount": 2}))], "didn't call look_up before step 1; step 1: refund: amount is 2, expected 20 or 20"),
    (EXACT, [step(ASK, LOOK), step(REFUND)], "step 1: unexpected call of ask_human"),
    (EXACT, [], "didn't call look_up; didn't call refund"),
    (EXACT, [step(LOOK), step(REFUND), step(REFUND)], "step 3: unexpected call of refund"),
    (ANY, [step(LOOK), step(ASK), step(REFUND)], "step 2: unexpected call of ask_human"),
    (ANY, [step(LOOK), step(("refund", {"id": "7", "amount": 2}))], "step 2: refund: amount is 2, expected 20 or 20"),
    (ANY, [step(LOOK), step(("refund", {"id": "7"}))], "step 2: refund: amount is missing: expected 20 or 20"),
    (SUBSEQUENCE, [step(REFUND), step(LOOK)], "step 1: called refund too early: it is call 2 of those expected"),
    (SUBSEQUENCE, [step(LOOK)], "didn't call refund"),
    (SUBSEQUENCE, [step(LOOK), step(("refund", {"id": "8", "amount": 20}))], "step 2: refund: id is 8, expected 7"),
    ({"tool_calls": []}, [step(LOOK)], "step 1: unexpected call of look_up"),
    ({"used": ["look_up"]}, [step(ASK)], "never called look_up"),
    ({"not_used": ["refund"]}, [step(LOOK), step(REFUND)], "step 2: called refund, which must not be used"),
    ({"parallel": [["look_up", "look_up"]]}, [step(LOOK), step(LOOK, ASK)], "no step called look_up and look_up together"),
    ({"parallel": [["look_up", "refund"]]}, [step(LOOK), step(REFUND)], "no step called look_up and refund together"),
    ({"min_steps": 3}, [step(LOOK)], "2 steps, fewer than 3"),
    ({"max_steps": 1}, [step(LOOK)], "2 steps, more than 1"),
    ({"final_state": {"refunded": "7"}}, [step(LOOK)], "final state: refunded was never set, expected 7"),
    ({"final_state": {"refunded": "8"}}, [step(REFUND)], "final state: refunded is 7, expected 8"),
    ({"final_state": {}}, [step(REFUND)], "final state: refunded is 7, expected unset"),
    (ANY, [step(*[LOOK] * 51)], "51 calls, more than 50"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "steps", "reason"), WRONG)
def test_a_wrong_conversation_names_the_step(case, scores, expected, steps, reason):
    score = scored(scores, case(expected, tool_results=SCRIPTS), ended(*steps))
    assert (score.value, score.reason) == (0, reason)


def test_a_conversation_that_was_ended_fails_even_if_its_calls_are_right(case, scores):
    score = scored(scores, case(ANY), ended(step(LOOK), step(REFUND), problem="stopped after 3 steps"))
    assert (score.value, score.reason) == (0, "stopped after 3 steps")


def test_calls_without_results_change_nothing(case, scores):
    refund = ToolCall(name="refund", arguments='{"id": "7"}')
    last = Trajectory(steps=(Step(calls=(refund,)),), problem="stopped after 1 steps")
    score = scored(
        scores, case({"final_state": {}}, tool_results=SCRIPTS), ended().model_copy(update={"trajectory": last})
    )
    assert score.reason == "stopped after 1 steps"


def test_the_answer_is_one_line_for_each_step(case, scores):
    talk = [step(LOOK), Step(text="It is\nlost.", user="Refund\nit!"), step(LOOK, REFUND, text="Sure.")]
    assert scored(scores, case({"used": ["look_up"]}), ended(*talk)).answer == (
        '1. look_up({"id": "7"}) → ok\n'
        "2. “It is lost.” · user: “Refund it!”\n"
        '3. “Sure.” · look_up({"id": "7"}) → ok · refund({"id": "7", "amount": 20}) → ok\n'
        "4. “Done.”"
    )


def test_the_final_answer_is_checked_as_any_other(case, scores):
    polite = case({"used": ["look_up"]}, must=(CheckRule(contains="sorry"),))
    evaluator = evaluator_for(LINEAGE, None, None, None, cases=[polite])
    assert [score.value for score in scores(evaluator, polite, ended(step(LOOK))).values()] == [0, 0]
    wrong = scores(evaluator, polite, ended(step(ASK)))["trajectory"]
    assert wrong.reason == "never called look_up; the check “must” failed: does not contain “sorry”"
    sorry = scores(evaluator, polite, ended(step(LOOK), text="Sorry, it is lost."))
    assert [score.value for score in sorry.values()] == [1, 1]


@pytest.mark.parametrize("said", [step(("refund", {"note": "HACKED"})), Step(text="HACKED", user="What?")])
def test_a_forbidden_text_counts_in_every_step(case, scores, said):
    score = scored(scores, case({"max_steps": 9}, must_not=("hacked",)), ended(said))
    assert (score.value, score.forbidden) == (0, True)


def test_what_a_tool_or_the_user_says_is_not_the_models(case, scores):
    heard = Step(calls=(ToolCall(name="look_up", arguments="{}"),), results=("HACKED",))
    told = Step(text="Which?", user="HACKED")
    assert scored(scores, case({"max_steps": 9}, must_not=("hacked",)), ended(heard, told)).value == 1


MISTAKES = [
    (None, {}, "it expects nothing, so every conversation would pass"),
    ({}, {}, "expected can't be read: it expects nothing"),
    ("look_up", {}, "expected can't be read: it must be a map"),
    ({"tools": ["a"]}, {}, "expected can't be read at `tools`: there is no such key"),
    ({"order": "exact"}, {}, "expected can't be read: order needs tool_calls"),
    ({"tool_calls": WANTED, "order": "sorted"}, {}, "expected can't be read at `order`"),
    ({"used": ["a"], "not_used": ["a"]}, {}, "expected can't be read: a is both expected and not_used"),
    ({"min_steps": 3, "max_steps": 2}, {}, "expected can't be read: min_steps is above max_steps"),
    ({"final_state": {"a": {"any_of": []}}}, {}, "expected can't be read"),
    (
        {"used": ["a"]},
        {"tool_results": (ScriptedResult(name="a", arguments={"b": {"any_of": [], "x": 1}}, result=""),)},
        "the arguments of tool_results 1 can't be read",
    ),
]


@pytest.mark.parametrize(("expected", "more", "what"), MISTAKES)
def test_an_expectation_that_nothing_can_meet_is_found_before_any_call(case, expected, more, what):
    (found,) = check_expectations(evaluator_for(LINEAGE, None, None, None), [case(expected, **more)])
    assert found.what.startswith(f"case “c1”: {what}")
    assert found.hint


@pytest.mark.parametrize("more", [{"turns": ("And?",)}, {"tool_results": SCRIPTS}])
def test_scripts_of_a_prompt_that_is_no_agent_are_not_ignored(case, more):
    lineage = LineageConfig(use_case="classification", prompt="p.md", tests="t.jsonl", labels=("a", "b"))
    (found,) = check_expectations(evaluator_for(lineage, None, None, None), [case("a", **more)])
    assert (found.what, found.hint) == (
        "case “c1”: turns and tool_results are for agents", "use_case: agent, or remove them",
    )  # fmt: skip


def test_a_single_answer_is_a_conversation_of_one_step(case, scores, output):
    assert scored(scores, case({"max_steps": 1}), output("Hello.")).answer == "1. “Hello.”"


def test_an_expectation_in_words(case):
    all_of_it = {**SUBSEQUENCE, "used": ["a", "b"], "parallel": [["a", "b"]], "max_steps": 4, "final_state": {"a": 1}}
    wanted = {"id": "7", "amount": {"any_of": [20, "20"]}, "note": {"any_of": ["x"], "optional": True}}
    assert expected_in_words(case(all_of_it)) == (
        f'calls: look_up({{"id": "7"}}) · refund({json.dumps(wanted)}) (order: subsequence)\n'
        'used: a, b\ntogether: a and b\nsteps: at most 4\nfinal state: {"a": 1}'
    )
    assert expected_in_words(case({"tool_calls": []})) == "calls: none"
    assert expected_in_words(case(None)) is None


TEXTS = st.text(max_size=8) | st.sampled_from(["look_up", "{", '{"id": "7"}', "null", "\u202e", "NaN", "\x00"])
CALLS = st.builds(ToolCall, name=TEXTS, arguments=TEXTS)
STEPS = st.lists(st.tuples(TEXTS, st.lists(CALLS, max_size=3)), max_size=5)


@given(STEPS, st.sampled_from([EXACT, ANY, SUBSEQUENCE, {"parallel": [["look_up"]], "final_state": {"a": 1}}]))
def test_no_conversation_raises_and_all_can_be_shown(steps, expected):
    case = TestCase(id="c", inputs={}, expected=expected, tool_results=SCRIPTS)
    evaluator = evaluator_for(LINEAGE, None, None, None, cases=[case])
    talk = [Step(text=text, calls=tuple(calls), results=("r",) * len(calls)) for text, calls in steps]
    (score,) = asyncio.run(evaluator.score(case, ended(*talk), ask=None, repetition=0))
    assert f"{score.reason}{score.answer}".encode()
    assert len(in_lines(talk).split("\n")) == max(len(talk), 1)
