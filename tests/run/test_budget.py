"""Never above the cap, however calls end."""

import asyncio
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store import open_store
from engine.planning.call_cost import bill, worst_case
from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.run import run
from schemas.config import RunConfig
from schemas.errors import BudgetExceeded
from schemas.outcomes import CompletionError, ErrorKind, Usage
from tests.run.laboratory import PRICE, HandClock, Scripted, asked, completion, experiment, run_one


async def test_a_call_waits_while_others_may_still_free_enough():
    budget = SpendingCap(Decimal(10))
    await budget.reserve(Decimal(6))
    waiting = asyncio.create_task(budget.reserve(Decimal(6)))
    await asyncio.sleep(0)
    assert not waiting.done()
    budget.settle(Decimal(6), Decimal(1))
    await waiting
    assert budget.spent == 1


async def test_only_more_money_would_help():
    budget = SpendingCap(Decimal(10))
    await budget.reserve(Decimal(6))
    budget.settle(Decimal(6), Decimal(5))
    with pytest.raises(BudgetExceeded, match=r"\$10\.00 .* \$5\.00 is spent.* \$6\.00.*raise the budget"):
        await budget.reserve(Decimal(6))


async def test_sums_that_are_rounded_leave_nobody_waiting():
    third = Decimal(1) / 3
    budget = SpendingCap(Decimal(1))
    for worst in (third, third / 7):
        await budget.reserve(worst)
    for worst in (third, third / 7):
        budget.settle(worst, worst)
    async with asyncio.timeout(1):
        with pytest.raises(BudgetExceeded):
            await budget.reserve(Decimal(1))


async def test_a_waiter_that_is_cancelled_is_forgotten():
    budget = SpendingCap(Decimal(1))
    await budget.reserve(Decimal(1))
    waiting = asyncio.create_task(budget.reserve(Decimal(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    budget.settle(Decimal(1), Decimal(0))
    await budget.reserve(Decimal(1))


ENDINGS = st.sampled_from(["short", "long", "reset", "refused", "malformed"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cap=st.decimals(min_value=0, max_value=Decimal("0.004"), places=5),
    endings=st.lists(ENDINGS, min_size=1, max_size=30),
    size=st.integers(1, 20),
)
async def test_the_provider_never_bills_more_than_the_cap(tmp_path_factory, cap, endings, size):
    billed = []

    def reply(request, repetition, nth):
        worst = worst_case(request, PRICE)
        ending = endings[(int(request.digest[:6], 16) + nth) % len(endings)]
        if ending in ("reset", "malformed"):
            billed.append(worst)  # it had answered, and charges for it
            kind = ErrorKind.TRANSPORT if ending == "reset" else ErrorKind.MALFORMED
            return CompletionError(kind=kind, message=ending, billed=True)
        if ending == "refused":
            return CompletionError(kind=ErrorKind.SERVER, message="503")
        usage = Usage(input=20, output=1) if ending == "short" else Usage(input=60, output=10)
        billed.append(bill(usage, PRICE))
        return completion(usage=usage)

    store = open_store(str(tmp_path_factory.mktemp("store") / "o.db"))
    result = await run_one(experiment(size), Scripted(reply), store, budget_usd=cap)
    await store.aclose()
    assert sum(billed) <= cap
    assert (result.stopped is None) == (result.decision is not None)


async def test_a_server_that_ignores_the_limit_that_is_sent_is_believed_once(store):
    bills = []

    def reply(request, repetition, nth):
        usage = Usage(input=50, output=400)
        bills.append(bill(usage, PRICE))
        return completion(usage=usage)

    cap = Decimal("0.1")
    few = RunConfig(max_concurrency=4)
    result = await run_one(experiment(200), Scripted(reply), store, budget_usd=cap, settings=few)
    assert isinstance(result.stopped, BudgetExceeded)
    assert cap - bills[0] < sum(bills) <= cap


def test_the_worst_case_bounds_what_any_tokenizer_can_make_of_a_request():
    request = asked("naïve 🙂" * 50, 1)
    bytes_in = sum(len(m.content.encode()) for m in request.messages)
    assert worst_case(request, PRICE) >= bill(Usage(input=bytes_in + 2 * 8, output=10), PRICE)


async def test_what_a_lineage_spends_is_spent_of_the_run_and_neither_cap_is_passed():
    run = SpendingCap(Decimal(10))
    one = SpendingCap(Decimal(4), within=run, where="lineages.one.budget.per_run_usd")
    other = SpendingCap(Decimal(9), within=run)
    await one.reserve(Decimal(4))
    one.settle(Decimal(4), Decimal(3), made=1)
    with pytest.raises(BudgetExceeded, match=r"lineages\.one\.budget.*\$4\.00 "):
        await one.reserve(Decimal(2))
    await other.reserve(Decimal(7))
    waiting = asyncio.create_task(one.reserve(Decimal(1)))
    await asyncio.sleep(0)
    assert not waiting.done()  # it fits into its own, but not into the run's
    other.settle(Decimal(7), Decimal(5))
    await waiting
    assert (run.spent, run.made, one.whole) == (8, 1, run)


LINEAGES = st.lists(
    st.tuples(st.integers(1, 12), st.decimals(min_value=0, max_value=Decimal("0.002"), places=5)),
    min_size=2,
    max_size=3,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cap=st.decimals(min_value=0, max_value=Decimal("0.004"), places=5), lineages=LINEAGES)
async def test_neither_a_lineages_cap_nor_the_runs_is_ever_passed(tmp_path_factory, cap, lineages):
    billed = Counter()

    def reply(request, repetition, nth):
        usage = Usage(input=60, output=10) if int(request.digest[:2], 16) % 3 else Usage(input=5, output=1)
        billed[request.messages[0].content[0]] += bill(usage, PRICE)
        return completion(usage=usage)

    many = [
        replace(experiment(size, lineage=name, request=lambda p, c, n=name: asked(n + p, c)), budget_usd=own)
        for name, (size, own) in zip("abc", lineages, strict=False)
    ]
    store, clock, provider = open_store(str(tmp_path_factory.mktemp("store") / "o.db")), HandClock(), Scripted(reply)
    access = Access(lambda model: provider, clock)
    results = await run(many, access=access, store=store, clock=clock, budget_usd=cap)
    await store.aclose()
    assert sum(billed.values()) <= cap
    for one, result in zip(many, results, strict=True):
        assert billed[one.lineage] <= one.budget_usd
        assert (result.stopped is None) == (result.decision is not None)
