"""How many calls a key has under way: found out, and nobody starves."""

import asyncio

import pytest

from adapters.clock import SystemClock
from adapters.providers.registry import provider_for
from engine.access import Access
from engine.experiment import ArmPlan, Endpoint
from engine.limiter import START, Limiter
from engine.run import run
from schemas.config import ModelConfig
from schemas.outcomes import Allowance
from tests.fakes.llm import FakeLlm
from tests.run.laboratory import PRICE, HandClock, experiment


def limiter(most=64):
    return Limiter(HandClock(), most)


async def test_it_starts_low_and_doubles_each_round_trip_up_to_its_most():
    one = limiter(40)
    assert one.limit == START == 16
    for _ in range(16):
        one.succeeded()
    assert one.limit == 32
    for _ in range(100):
        one.succeeded()
    assert one.limit == 40


async def test_a_429_halves_once_for_all_calls_of_its_round():
    one = limiter()
    started = [await one.acquire() for _ in range(16)]
    one._clock.now_s = 1.0
    for at in started:
        one.throttled(at, None)
    assert one.limit == 8
    one.throttled(2.0, None)
    assert one.limit == 4


async def test_after_a_429_it_climbs_back_quickly_to_near_where_it_was_then_slowly():
    one = limiter()
    one.throttled(1.0, None)
    rounds = []
    for _ in range(6):
        for _ in range(one.limit):
            one.succeeded()
        rounds.append(one.limit)
    assert rounds[0] >= 11
    assert rounds[-1] <= 17


async def test_it_never_falls_below_its_least():
    one = limiter()
    for at in range(1, 20):
        one._clock.now_s = float(at)
        one.throttled(at + 0.5, None)
    assert one.limit == 2


async def test_retry_after_holds_the_whole_key():
    one = limiter()
    one.throttled(1.0, 7.0)
    await one.acquire()
    assert one._clock.now_s == 7.0


async def test_retries_go_before_new_calls():
    one, order = limiter(1), []

    async def call(name, retry):
        await one.acquire(retry=retry)
        order.append(name)
        one.release()

    await one.acquire()
    async with asyncio.TaskGroup() as group:
        for name, retry in (("new 1", False), ("new 2", False), ("again 1", True), ("again 2", True)):
            group.create_task(call(name, retry))
        await asyncio.sleep(0)
        one.release()
    assert order == ["again 1", "again 2", "new 1", "new 2"]


async def test_a_waiter_that_is_cancelled_leaves_no_slot_taken():
    one = limiter(1)
    await one.acquire()
    waiting = [asyncio.create_task(one.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    one.release()
    waiting[1].cancel()  # in the very moment in which it got the slot
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not waiting[2].cancelled()
    assert one._busy == 1


@pytest.mark.parametrize(
    "left",
    [Allowance(requests=1, requests_reset_s=30), Allowance(tokens=100, tokens_reset_s=30)],
)
async def test_when_the_headers_say_that_nothing_is_left_it_waits_without_a_429(left):
    one = limiter()
    for _ in range(30):
        one.succeeded(None, 200)
    await one.acquire()
    one.succeeded(left, 200)
    await one.acquire()
    assert one._clock.now_s == 30


async def test_headers_that_leave_enough_hold_nobody_up():
    one = limiter()
    await one.acquire()
    one.succeeded(Allowance(requests=50, requests_reset_s=30, tokens=100_000, tokens_reset_s=30), 200)
    await one.acquire()
    assert one._clock.now_s == 0


@pytest.mark.slow
async def test_a_key_with_a_low_limit_is_used_to_its_limit(store):
    """The campaign: a provider that permits ``rate`` requests a second and answers 429 with Retry-After: 1 beyond."""
    rate, cases = 50, 80
    async with FakeLlm(latency_s=0.05, rate=rate) as fake:
        model = ModelConfig(
            provider="openai", model="m", base_url=f"{fake.url}/v1", api_key_env="KEY", price=PRICE
        )  # fmt: skip
        access = Access(lambda model: provider_for(model, {"KEY": "k"}), SystemClock())
        access.provider(model)  # the import of the SDK is not what is measured
        one = experiment(cases)
        arms = {arm: ArmPlan(Endpoint(model, PRICE), plan.requests) for arm, plan in one.arms.items()}
        started = asyncio.get_running_loop().time()
        (result,) = await run(
            [type(one)(one.lineage, one.name, one.cases, arms, one.evaluator, one.protocol)],
            access=access,
            store=store,
            clock=SystemClock(),
        )
        took = asyncio.get_running_loop().time() - started
        await access.aclose()
    assert fake.throttled > 0
    assert not result.decision[0].missing.any()
    assert max(one.result.attempts for one in result.outcomes) <= 6  # nobody starves
    permitted = (2 * cases - rate) / rate
    assert (
        took <= 1.3 * permitted + 1.0
    )  # a pause of a second may fall at the end; benchmarks/throttled.py measures longer
