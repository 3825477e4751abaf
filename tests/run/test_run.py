"""The run: every cell that the gate asks for is answered from the store or paid for once, scored, and told to the gate."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from adapters.clock import SystemClock
from engine.gate.cells import Batch
from engine.runner.access import Access
from engine.runner.experiment import ArmPlan, Endpoint, Progress
from engine.runner.failures import Failures
from engine.runner.run import run
from schemas.config import RunConfig
from schemas.errors import BudgetExceeded, ConfigError, ProviderError, StoreError
from schemas.outcomes import (
    Arm,
    CompletionError,
    ErrorKind,
    EvaluatorFailure,
    Finish,
    MetricSpec,
    Score,
)
from schemas.pricing import Price
from tests.run.laboratory import MODEL, PRICE, HandClock, SaysYes, Scripted, asked, completion, experiment, run_one


async def test_the_gate_is_told_every_cell_it_asked_for(store):
    provider = Scripted(lambda request, *_: completion("yes" if request.messages[0].content == "after" else "no"))
    result = await run_one(experiment(10), provider, store)
    seen, means = result.decision
    assert means == [0.0, 1.0]
    assert not seen.missing.any()
    assert not np.isnan(seen.made_at).any()
    assert seen.input_tokens.tolist() == [50] * 20
    assert [(one.cell.case, one.cell.arm) for one in result.outcomes[:3]] == [
        (0, Arm.BASELINE),
        (0, Arm.CANDIDATE),
        (1, Arm.BASELINE),
    ]
    assert (result.spending.planned, result.spending.made, result.spending.stored) == (20, 20, 0)
    assert str(result.spending.cost_usd) == "0.0020"
    assert result.served_by == {(Arm.BASELINE, "m-1", None), (Arm.CANDIDATE, "m-1", None)}


async def test_a_second_run_makes_no_call_and_gives_the_same_scores(store):
    provider = Scripted()
    first = await run_one(experiment(10), provider, store)
    second = await run_one(experiment(10), provider, store)
    assert provider.calls == 20
    assert (second.spending.made, second.spending.stored, second.spending.cost_usd) == (0, 20, 0)
    assert second.decision[0].made_at.tolist() == first.decision[0].made_at.tolist()
    assert second.decision[1] == first.decision[1]


async def test_a_repetition_is_its_own_sample(store):
    provider = Scripted()
    await run_one(experiment(2, repetitions=3), provider, store)
    assert provider.calls == 12
    await run_one(experiment(2, repetitions=4), provider, store)
    assert provider.calls == 16


async def test_one_request_is_paid_once_however_many_cases_send_it(store):
    provider = Scripted(takes_s=0.01)
    result = await run_one(experiment(8, request=lambda prompt, case: asked("same", 0)), provider, store)
    assert provider.calls == 1
    assert not result.decision[0].missing.any()


async def test_stored_answers_that_are_too_old_serve_planning_only(store):
    clock, provider = HandClock(), Scripted()
    await run_one(experiment(2), provider, store, clock=clock)
    clock.offset = timedelta(hours=71)
    await run_one(experiment(2), provider, store, clock=clock)
    assert provider.calls == 4
    clock.offset = timedelta(hours=73)
    result = await run_one(experiment(2), provider, store, clock=clock)
    assert provider.calls == 8
    assert result.spending.made == 4
    digest = asked("before", 0).digest
    assert len((await store.history([digest]))[digest]) == 2


async def test_answers_from_the_future_are_not_used(store):
    """Whoever stored them had a wrong clock: how old they are can't be told."""
    clock, provider = HandClock(), Scripted()
    clock.offset = timedelta(days=400)
    await run_one(experiment(2), provider, store, clock=clock)
    clock.offset = timedelta(minutes=-9)
    await run_one(experiment(2), provider, store, clock=clock)
    assert provider.calls == 8
    clock.offset = timedelta(minutes=-18)  # of two machines one may be a little ahead
    await run_one(experiment(2), provider, store, clock=clock)
    assert provider.calls == 8


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.REFUSAL, Finish.FILTER, Finish.EMPTY])
async def test_a_finish_that_is_no_answer_scores_zero_is_stored_and_is_named(store, finish):
    provider = Scripted(lambda *_: completion("yes", finish=finish))
    result = await run_one(experiment(2), provider, store)
    assert result.decision[1] == [0.0, 0.0]
    assert finish.value in result.outcomes[0].scores[0].reason
    await run_one(experiment(2), provider, store)
    assert provider.calls == 4


async def test_a_cell_without_an_answer_is_missing_never_zero_and_never_stored(store):
    lost = CompletionError(kind=ErrorKind.MALFORMED, message="not JSON")
    provider = Scripted(lambda request, *_: lost if request == asked("after", 1) else completion())
    result = await run_one(experiment(3), provider, store)
    seen, means = result.decision
    assert seen.missing.tolist() == [False, False, False, True, False, False]
    assert np.isnan(seen.scores[3, 0])
    assert means == [1.0, 2 / 3]
    assert result.outcomes[3].result.attempts == 2
    await run_one(experiment(3), provider, store)
    assert provider.tries[asked("after", 1).digest, 0] == 4


async def test_a_request_that_could_not_be_rendered_is_missing(store):
    result = await run_one(experiment(2, request=lambda prompt, case: None), Scripted(), store)
    assert result.decision[0].missing.all()


async def test_a_metric_that_could_not_be_computed_is_missing_not_zero(store):
    class Half(SaysYes):
        metrics = (MetricSpec(name="a"), MetricSpec(name="b"))

        async def score(self, case, completion, *, ask, repetition):
            return Score(metric="a", value=0.5), EvaluatorFailure(metric="b", message="no")

    result = await run_one(experiment(1, evaluator=Half()), Scripted(), store)
    assert result.decision[0].scores[0, 0] == 0.5
    assert np.isnan(result.decision[0].scores[0, 1])
    assert not result.decision[0].missing.any()


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (ErrorKind.QUOTA, "raise it"),
        (ErrorKind.AUTHENTICATION, "check the key"),
        (ErrorKind.BAD_REQUEST, "shorten the case"),
        (ErrorKind.REDIRECT, "base_url"),
    ],
)
async def test_what_the_next_call_would_meet_too_stops_the_experiment_and_says_what_to_do(store, kind, hint):
    refused = CompletionError(kind=kind, message="no")
    provider = Scripted(lambda request, *_: refused if request == asked("before", 5) else completion(), takes_s=0.01)
    result = await run_one(experiment(500), provider, store)
    assert result.decision is None
    assert isinstance(result.stopped, ProviderError)
    for part in ("triage · model", "'c5'", "baseline", kind.value, hint):
        assert part in str(result.stopped)
    assert provider.calls < 200
    assert provider.tries[asked("before", 5).digest, 0] == 1
    provider.reply = lambda *_: completion()
    again = await run_one(experiment(500), provider, store)  # what was under way was kept, no claim was left behind
    assert provider.calls == 1001
    assert again.decision


async def test_a_missing_key_stops_only_the_experiment_that_needs_it(store):
    def provider_for(model):
        raise ProviderError("there is no key")

    clock = HandClock()
    (result,) = await run([experiment(2)], access=Access(provider_for, clock), store=store, clock=clock)
    assert "no key" in str(result.stopped)


async def test_the_budget_stops_a_run_that_keeps_what_is_finished(store):
    provider = Scripted()
    worst = Decimal("0.00012")
    result = await run_one(experiment(100), provider, store, budget_usd=10 * worst)
    assert isinstance(result.stopped, BudgetExceeded)
    assert 0 < provider.calls < 200
    assert result.spending.cost_usd <= 10 * worst
    finished = provider.calls
    assert (await run_one(experiment(100), provider, store)).spending.stored == finished


async def test_the_deadline_ends_a_run_and_says_so(store):
    provider = Scripted(lambda *_: CompletionError(kind=ErrorKind.RATE_LIMITED, message="429", retry_after_s=50))
    result = await run_one(experiment(3), provider, store, settings=RunConfig(deadline_s=120))
    assert result.decision is None
    assert "within 120 s" in str(result.stopped)


async def test_the_deadline_cancels_a_call_that_hangs(store):
    provider = Scripted(takes_s=5000)
    result = await asyncio.wait_for(run_one(experiment(3), provider, store, settings=RunConfig(deadline_s=1)), 5)
    assert "within 1 s" in str(result.stopped)


async def test_cancelling_stops_at_once_and_keeps_what_is_finished(store):
    provider = Scripted(takes_s=0.02)
    running = asyncio.create_task(run_one(experiment(5000), provider, store))
    for _ in range(3_000):
        if (await store.stats()).completions:
            break
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    made = provider.calls
    assert made < 5000  # it did not run to its end
    await asyncio.sleep(0.1)
    assert provider.calls == made  # nothing begins after the cancel
    finished = (await store.stats()).completions
    assert 0 < finished <= made
    assert made - finished <= 64
    keys = [(asked(prompt, case).digest, 0) for prompt in ("before", "after") for case in range(5000)]
    stored = await store.get(keys)
    assert await store.claim([key for key in keys if key not in stored])  # no claim was left behind


async def test_evidence_that_cant_be_kept_is_no_evidence(store):
    async def full(rows):
        raise StoreError("the disk is full")

    store.put = full
    with pytest.raises(StoreError, match="disk is full"):
        await run_one(experiment(2), Scripted(), store)


async def test_a_gate_may_ask_again_and_again(store):
    def protocol():
        rounds = 0
        for size in (2, 4):
            seen = yield Batch(
                cases=np.arange(size),
                arms=np.ones(size, dtype=np.int8),
                repetitions=np.zeros(size, dtype=int),
                purpose="look",
            )
            rounds += int((~np.isnan(seen.made_at)).sum())
        return rounds

    result = await run_one(experiment(4, protocol=protocol), Scripted(), store)
    assert result.decision == 6
    assert (result.spending.planned, result.spending.made, result.spending.stored) == (6, 4, 2)


async def test_progress_is_told_as_values_from_the_start(store):
    told: list[Progress] = []
    await run_one(experiment(3), Scripted(), store, on_progress=told.append)
    assert (told[0].done, told[0].asked, told[0].purpose) == (0, 6, "look")
    assert (told[-1].done, told[-1].made, told[-1].spent_usd) == (6, 6, 0.0006)


async def test_experiments_share_slots_and_the_budget(store):
    clock, provider = HandClock(), Scripted(takes_s=0.002)
    access = Access(lambda model: provider, clock, max_concurrency=5)
    many = [experiment(20, lineage=name, request=lambda p, c, n=name: asked(n + p, c)) for name in "abc"]
    results = await run(many, access=access, store=store, clock=clock)
    assert provider.busiest == 5
    assert [one.experiment.lineage for one in results] == ["a", "b", "c"]
    await access.aclose()
    assert provider.closed


class Judged(SaysYes):
    """Asks a judge about every answer."""

    model = "m"

    async def score(self, case, completion, *, ask, repetition):
        answer = await ask(asked("judge this", case.id).model_copy(update={"model": self.model}), repetition)
        if isinstance(answer, CompletionError):
            return (EvaluatorFailure(metric="accuracy", message=answer.message),)
        return (Score(metric="accuracy", value=float(answer.text == "yes")),)


async def test_judge_calls_are_stored_and_accounted_apart(store):
    provider = Scripted()
    one = experiment(3, evaluator=Judged(), judges=(Endpoint(MODEL, PRICE),))
    result = await run_one(one, provider, store)
    assert provider.calls == 6 + 3  # both arms gave the judge the same question
    assert (result.spending.made, str(result.spending.cost_usd)) == (6, "0.0006")
    assert str(result.spending.judge_cost_usd) == "0.0003"
    again = await run_one(one, provider, store)
    assert provider.calls == 9
    assert again.spending.judge_cost_usd == 0
    assert again.decision[1] == result.decision[1]


def test_a_judge_that_replies_nonsense_in_many_words_is_one_cause():
    failures = Failures()
    for said in ("I'd say 5", "My grade is four"):
        message = f"the judge's reply is not a JSON object (m replied “{said}”)"
        failures.add("host", CompletionError(kind=ErrorKind.MALFORMED, message=message), judge=True)
    assert [cause.count for cause in failures.causes()] == [2]


async def test_a_judge_that_fails_is_a_missing_metric(store):
    lost = CompletionError(kind=ErrorKind.MALFORMED, message="not JSON")
    provider = Scripted(lambda request, *_: lost if request.messages[0].content == "judge this" else completion())
    result = await run_one(experiment(1, evaluator=Judged(), judges=(Endpoint(MODEL, PRICE),)), provider, store)
    assert np.isnan(result.decision[0].scores).all()
    assert not result.decision[0].missing.any()


async def test_a_judge_that_refuses_stops_the_experiment(store):
    refused = CompletionError(kind=ErrorKind.AUTHENTICATION, message="401")
    provider = Scripted(lambda request, *_: refused if request.messages[0].content == "judge this" else completion())
    result = await run_one(experiment(1, evaluator=Judged(), judges=(Endpoint(MODEL, PRICE),)), provider, store)
    assert "the judge" in str(result.stopped)


async def test_a_judge_beyond_the_budget_stops_the_experiment(store):
    provider = Scripted(lambda *_: completion())
    one = experiment(20, evaluator=Judged(), judges=(Endpoint(MODEL, PRICE),))
    result = await run_one(one, provider, store, budget_usd=Decimal("0.0011"))
    assert isinstance(result.stopped, BudgetExceeded)


async def test_only_the_configured_judge_may_be_asked(store):
    class Stray(Judged):
        model = "another"

    with pytest.raises(ConfigError, match="not one of the configured judges"):
        await run_one(experiment(1, evaluator=Stray(), judges=(Endpoint(MODEL, PRICE),)), Scripted(), store)


async def test_stored_answers_count_at_the_prices_of_this_run_but_nothing_is_paid(store):
    await run_one(experiment(1), Scripted(), store)
    dearer = experiment(1)
    arms = {
        arm: ArmPlan(Endpoint(MODEL, Price(input=Decimal(2), output=Decimal(10))), plan.requests)
        for arm, plan in dearer.arms.items()
    }
    result = await run_one(replace(dearer, arms=arms), Scripted(), store)
    assert result.decision[0].cost_usd.tolist() == [0.0002, 0.0002]
    assert result.spending.cost_usd == 0


async def test_a_lineages_own_concurrency_and_deadline_hold_for_it_alone(store):
    clock = SystemClock()
    slow, quick = Scripted(takes_s=0.2), Scripted(takes_s=0.01)
    first = replace(experiment(20), settings=RunConfig(max_concurrency=2, deadline_s=1))
    second = experiment(
        20, lineage="other", request=lambda p, c: asked("other " + p, c).model_copy(update={"model": "q"})
    )
    endpoint = Endpoint(MODEL.model_copy(update={"base_url": "http://localhost:1"}), PRICE)
    arms = {arm: ArmPlan(endpoint, plan.requests) for arm, plan in second.arms.items()}
    access = Access(lambda model: slow if model.base_url is None else quick, clock)
    ended, done = await run([first, replace(second, arms=arms)], access=access, store=store, clock=clock)
    assert slow.busiest == 2
    assert "did not finish within 1 s" in str(ended.stopped)
    assert quick.busiest > 2
    assert done.decision


async def test_a_lineage_never_has_more_calls_under_way_than_the_run(store):
    provider = Scripted(takes_s=0.002)
    one = replace(experiment(30), settings=RunConfig(max_concurrency=100))
    await run_one(one, provider, store, settings=RunConfig(max_concurrency=3))
    assert provider.busiest == 3
