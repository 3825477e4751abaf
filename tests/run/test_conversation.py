"""An agent's case: every step is a call of its own, stored and paid once; the conversation ends, whatever it does."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from engine.planning.agents import likely_steps, undefined_tools
from engine.planning.call_cost import estimate, estimate_sizes, size_of
from engine.planning.earlier_runs import history_of
from engine.runner.conversation import MOST_CHARACTERS, follow_up
from engine.runner.experiment import ArmPlan, Endpoint
from evaluators.lineage_evaluator import LineageEvaluator
from evaluators.scripted_tools import NO_RESULT
from evaluators.trajectory import TrajectoryChecks
from schemas.config import RunConfig
from schemas.conversations import ScriptedResult, Step, ToolCall, Trajectory
from schemas.errors import BudgetExceeded
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, Finish, Score
from schemas.prompts import Parameters, Request
from schemas.testsets import TestCase
from tests.run.laboratory import MODEL, PRICE, START, HandClock, Scripted, asked, completion, experiment, run_one

LOOK_UP = ToolCall(name="look_up_order", arguments='{"order_id": "1042"}')
REFUND = ToolCall(name="refund_order", arguments='{"order_id": "1042"}')
CASE = TestCase(
    id="refund",
    inputs={"text": "Where is order 1042?"},
    turns=("Then refund it.",),
    tool_results=(
        ScriptedResult(name="look_up_order", arguments={"order_id": "1042"}, result={"status": "lost"}),
        ScriptedResult(name="refund_order", result="done", set={"refunded": "1042"}),
    ),
    expected={
        "tool_calls": [
            {"name": "look_up_order", "arguments": {"order_id": "1042"}},
            {"name": "refund_order", "arguments": {"order_id": "1042"}},
        ],
        "order": "exact",
        "max_steps": 4,
        "final_state": {"refunded": "1042"},
    },
)


def calling(*calls, text=""):
    return completion(text, finish=Finish.TOOL, tool_calls=calls)


def good_agent(request, *_):
    """Looks up, says it is lost, refunds, says so. The baseline forgets to refund."""
    match len(request.steps):
        case 0:
            return calling(LOOK_UP)
        case 1:
            assert request.steps[0].results == ('{"status": "lost"}',)
            return completion("It is lost.")
        case 2 if request.messages[0].content == "after":
            assert request.steps[1].user == "Then refund it."
            return calling(REFUND)
        case _:
            return completion("Refunded.")


def agents(cases, *, max_steps=10):
    evaluator = LineageEvaluator([TrajectoryChecks()])
    return replace(experiment(len(cases), evaluator=evaluator), cases=cases, max_steps=max_steps)


async def test_a_conversation_is_led_to_its_end_and_scored_as_a_whole(store):
    provider = Scripted(good_agent)
    result = await run_one(agents([CASE]), provider, store)
    before, after = result.outcomes
    assert [score.value for score in after.scores] == [1]
    assert [score.value for score in before.scores] == [0]
    assert before.scores[0].reason == "didn't call refund_order; final state: refunded was never set, expected 1042"
    assert [step.text for step in after.result.trajectory.steps] == ["", "It is lost.", "", "Refunded."]
    assert after.result.text == "Refunded."


async def test_cost_usage_and_latency_are_those_of_all_steps_and_each_is_a_call(store):
    result = await run_one(agents([CASE]), Scripted(good_agent), store)
    assert (result.spending.planned, result.spending.made, result.spending.stored) == (7, 7, 0)
    assert result.spending.cost_usd == Decimal("0.0007")
    seen, _ = result.decision
    assert seen.input_tokens.tolist() == [150, 200]
    assert seen.output_tokens.tolist() == [30, 40]
    assert seen.latency_s.tolist() == [1.5, 2.0]
    assert seen.cost_usd.tolist() == pytest.approx([0.0003, 0.0004])


async def test_a_second_run_makes_no_call_and_a_broken_one_goes_on_where_it_stopped(store):
    def breaks(request, *_):
        if len(request.steps) == 2:
            return CompletionError(kind=ErrorKind.MALFORMED, message="half an answer")
        return good_agent(request)

    first = await run_one(agents([CASE]), Scripted(breaks), store)
    assert all(isinstance(one.result, CompletionError) for one in first.outcomes)
    assert first.spending.made == 4
    resumed = await run_one(agents([CASE]), Scripted(good_agent), store)
    assert (resumed.spending.made, resumed.spending.stored) == (3, 4)
    again = Scripted(good_agent)
    last = await run_one(agents([CASE]), again, store)
    assert (again.calls, last.spending.stored, last.spending.cost_usd) == (0, 7, 0)
    assert [one.scores for one in last.outcomes] == [one.scores for one in resumed.outcomes]


async def test_the_budget_counts_each_step(store):
    result = await run_one(agents([CASE]), Scripted(good_agent), store, budget_usd=Decimal("0.0004"))
    assert isinstance(result.stopped, BudgetExceeded)
    assert 0 < result.spending.made < 7


async def test_steps_share_the_slots_of_the_run(store):
    provider = Scripted(good_agent, takes_s=0.01)
    cases = [CASE.model_copy(update={"id": f"c{at}"}) for at in range(6)]
    await run_one(agents(cases), provider, store, settings=RunConfig(max_concurrency=2), clock=HandClock())
    assert provider.busiest <= 2


async def test_an_agent_that_never_ends_fails_with_a_reason(store):
    result = await run_one(agents([CASE], max_steps=3), Scripted(lambda *_: calling(LOOK_UP)), store)
    assert result.stopped is None
    for outcome in result.outcomes:
        (score,) = outcome.scores
        assert isinstance(score, Score)
        assert score.value == 0
        assert score.reason.startswith("stopped after 3 steps without being done")
        assert len(outcome.result.trajectory.steps) == 3


def started(case=CASE, *steps):
    return asked("after", 0).model_copy(update={"steps": steps})


@pytest.mark.parametrize("arguments", ["{", "[]", "7", '{"a": NaN}', '"x"', '{"a": "\\ud800"}', "[" * 100_000])
def test_arguments_that_no_program_could_read_end_the_conversation(arguments):
    broken = ToolCall(name="refund_order", arguments=arguments)
    ended = follow_up(started(), calling(LOOK_UP, broken), CASE, 10)
    assert isinstance(ended, Trajectory)
    assert ended.problem.startswith("step 1: the arguments of refund_order are not a JSON object: ")
    assert len(ended.problem) < 200


def test_a_call_that_nothing_scripts_gets_an_error_and_runs_nothing():
    unknown = ToolCall(name="look_up_order", arguments='{"order_id": "7"}')
    following = follow_up(started(), calling(unknown, LOOK_UP), CASE, 10)
    assert isinstance(following, Request)
    assert following.steps[0].results == (NO_RESULT, '{"status": "lost"}')


def test_no_arguments_at_all_are_an_empty_map():
    case = TestCase(id="a", inputs={}, tool_results=(ScriptedResult(name="now", result=12),))
    following = follow_up(started(), calling(ToolCall(name="now", arguments="")), case, 10)
    assert following.steps[0].results == ("12",)


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.REFUSAL, Finish.FILTER, Finish.EMPTY])
async def test_an_answer_that_scores_nothing_ends_the_conversation(store, finish):
    result = await run_one(agents([CASE]), Scripted(lambda *_: completion("half", finish=finish)), store)
    assert [one.scores[0].value for one in result.outcomes] == [0, 0]
    assert result.outcomes[0].scores[0].reason == f"step 1: the answer ended with: {finish.value}"
    assert result.spending.made == 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (completion("  ", finish=Finish.TOOL), "step 1: says nothing"),
        (calling(*[LOOK_UP] * 51), "step 1: 51 calls at once, more than 50"),
        (completion("x" * (MOST_CHARACTERS + 1)), "stopped at 200,000 characters"),
    ],
)
def test_conversations_are_bounded(answer, problem):
    assert follow_up(started(), answer, CASE, 10).problem == problem


def test_a_step_more_is_another_request():
    one = started()
    two = follow_up(one, calling(LOOK_UP), CASE, 10)
    assert one.digest != two.digest != follow_up(two, calling(LOOK_UP), CASE, 10).digest


def test_the_estimate_counts_the_steps_and_what_each_reads_again():
    request = asked("after", 0)
    single = estimate([request], PRICE)
    three = estimate_sizes([(size_of(request), 3)], PRICE, max_steps=10)
    assert three.calls == 3
    assert three.output_tokens > 2 * single.output_tokens
    assert three.input_tokens > 3 * single.input_tokens
    assert three.worst_usd > 10 * single.worst_usd
    assert estimate_sizes([(size_of(request), 1)], PRICE) == single


async def test_other_experiments_make_one_call_for_each_cell(store):
    provider = Scripted(lambda *_: calling(LOOK_UP))
    one = replace(agents([CASE]), max_steps=None)
    result = await run_one(one, provider, store)
    assert provider.calls == 2
    assert all(isinstance(each.result, Completion) and each.result.trajectory is None for each in result.outcomes)
    assert {each.cell.arm for each in result.outcomes} == set(Arm)


def test_the_answer_so_far_is_what_the_next_step_reads():
    following = follow_up(started(), completion("Which order?"), CASE, 10)
    assert following.steps == (Step(text="Which order?", user="Then refund it."),)


async def test_a_stored_step_is_no_earlier_result_of_a_case(store):
    one = agents([CASE])
    await run_one(one, Scripted(good_agent), store)
    known = {"arms": one.arms, "cases": [CASE], "identical": (False,), "evaluator": one.evaluator}
    later, age = START + timedelta(days=30), timedelta(hours=72)
    agent = SimpleNamespace(**known, digest="a" * 64, max_steps=10)
    assert await history_of(agent, store, now=later, max_age=age) is None
    single = SimpleNamespace(**known, digest="b" * 64, max_steps=None)
    (found,) = await history_of(single, store, now=later, max_age=age)
    assert found.runs == 1


def test_a_case_takes_a_step_for_each_tool_and_turn_and_one_to_answer():
    assert likely_steps(CASE) == 4
    assert likely_steps(TestCase(id="a", inputs={})) == 1


def test_a_tool_that_neither_version_defines_is_named():
    def arms(*tools):
        request = asked("after", 0, Parameters(max_tokens=10, tools=tools))
        return {Arm.CANDIDATE: ArmPlan(Endpoint(MODEL, PRICE), [request])}

    look, refund = {"name": "look_up_order"}, {"type": "function", "function": {"name": "refund_order"}}
    assert undefined_tools(arms(look, refund), [CASE]) is None
    both = arms(look) | {Arm.BASELINE: arms(refund)[Arm.CANDIDATE]}
    assert undefined_tools(both, [CASE]) is None
    assert undefined_tools(arms(look, {"name": "refund"}), [CASE]) == (
        "The case refund names the tool refund_order, which is not defined (did you mean refund?)."
    )
    placed = CASE.model_copy(update={"path": "agent.jsonl", "line": 7})
    assert undefined_tools(arms(look), [placed]).startswith("agent.jsonl:7: case refund names the tool refund_order")
    assert "name the file that defines it: tools: tools.json" in undefined_tools(arms(), [CASE])
