"""The operator's caps: whatever a repository's budget says, over restarts, and beside other workers."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.prices import GenaiPrices
from adapters.store import open_store
from bot.runs.spending_caps import SpendingCaps
from bot.settings import Caps
from schemas.config import ModelConfig
from schemas.errors import BudgetExceeded
from schemas.pricing import Price
from tests.run.laboratory import HandClock, Scripted, experiment, run_one

D = Decimal


def spending_caps(records, *, run="25", repository="100", day="500", clock=None):
    return SpendingCaps(records, Caps(run=D(run), repository=D(repository), day=D(day)), clock or HandClock())


async def pay(spending_caps, usd, *, repository=1, times=1):
    """Spends in one run; how often it could."""
    made = 0
    async with spending_caps.open(repository) as budget:
        for _ in range(times):
            await budget.reserve(D(usd))
            budget.settle(D(usd), D(usd), made=1)
            made += 1
    return made


CAPS = {"run": "MAX_USD_PER_RUN", "repository": "MAX_USD_PER_REPOSITORY", "day": "MAX_USD_PER_DAY"}


@pytest.mark.parametrize("cap", CAPS)
async def test_no_cap_is_passed_and_the_error_names_the_one_that_was_reached(records, cap):
    made = spending_caps(records, **{cap: "1"})
    with pytest.raises(BudgetExceeded, match=rf"PROMPTVERDICT_{CAPS[cap]}: .*does not allow.*the operator"):
        await pay(made, "0.3", times=9)
    assert await pay(made, "0.05") == 1
    if cap != "run":  # the others hold over runs and restarts
        again = spending_caps(records, **{cap: "1"})
        with pytest.raises(BudgetExceeded, match=CAPS[cap]):
            await pay(again, "0.1")
    elsewhere = pay(spending_caps(records, **{cap: "1"}), "0.5", repository=2)
    if cap == "day":
        with pytest.raises(BudgetExceeded, match=CAPS[cap]):
            await elsewhere
    else:
        assert await elsewhere == 1


async def test_runs_side_by_side_pass_no_cap_together(records):
    made = spending_caps(records, repository="1")

    async def run():
        try:
            return await pay(made, "0.09", times=20)
        except BudgetExceeded:
            return 0

    await asyncio.gather(*(run() for _ in range(7)))
    assert D("0.9") < records.spend(1, date(2026, 11, 21), D(0))[0] <= 1


async def test_what_another_worker_spends_is_taken_in(records):
    first, second = spending_caps(records, repository="1"), spending_caps(records, repository="1")
    async with first.open(1) as one:
        await pay(second, "0.8")
        await asyncio.sleep(0.2)  # the clock stands still but for sleepers: a second is over at once
        with pytest.raises(BudgetExceeded, match="REPOSITORY"):
            await one.reserve(D("0.3"))
    assert records.spend(1, date(2026, 11, 21), D(0)) == (D("0.8"), D("0.8"))


async def test_a_new_day_begins_with_nothing_spent_and_yesterdays_run_counts_for_yesterday(records):
    clock = HandClock()
    made = spending_caps(records, repository="1", clock=clock)
    async with made.open(1) as late:
        clock.offset = timedelta(days=1)
        assert await pay(made, "0.9") == 1
        await late.reserve(D("0.7"))
        late.settle(D("0.7"), D("0.7"), made=1)
    assert [records.spend(1, date(2026, 11, day), D(0))[0] for day in (21, 22)] == [D("0.7"), D("0.9")]
    assert records.spend(1, date(2027, 11, 22), D(0)) == (0, 0)
    assert records.spend(1, date(2026, 11, 21), D(0)) == (0, 0)  # old days go


async def test_an_engine_run_stops_at_the_operators_cap_and_counts_its_own_calls_only(records, tmp_path):
    store = open_store(str(tmp_path / "outcomes.sqlite3"))
    made = spending_caps(records, run="0.0035")
    async with made.open(1) as budget:
        result = await run_one(experiment(20), Scripted(), store, within=budget, budget_usd=D(100))
    assert "PROMPTVERDICT_MAX_USD_PER_RUN" in str(result.stopped)
    await store.aclose()
    assert result.spending.made == 3
    assert records.spend(1, datetime(2026, 11, 21, tzinfo=UTC).date(), D(0))[0] == D("0.003")


async def test_a_model_that_is_said_to_cost_nothing_counts_all_the_same(records):
    made = spending_caps(records, run="0.01")
    with pytest.raises(BudgetExceeded, match="MAX_USD_PER_RUN"):
        await pay(made, "0", times=11)
    assert records.spend(1, date(2026, 11, 21), D(0))[0] == D("0.01")
    async with made.open(1) as budget:  # one that was not sent counts nothing
        await budget.reserve(D(0))
        budget.settle(D(0), D(0))
        assert budget.spent == 0


@pytest.mark.parametrize(
    "said", [{"input": 0, "output": 0}, {"input": 9000, "output": 0}, {"input": 0, "output": 9000}]
)
def test_a_price_below_the_listed_one_gives_way_to_it(said):
    model = ModelConfig(provider="openai", model="gpt-4o-mini", price=Price(**said))
    listed = GenaiPrices().price(ModelConfig(provider="openai", model="gpt-4o-mini"))
    prices = GenaiPrices(at_least_listed=True)
    assert prices.price(model) == listed
    assert GenaiPrices().price(model) == model.price
    dearer = model.model_copy(update={"price": Price(input=9000, output=9000)})
    house = model.model_copy(update={"base_url": "https://llm.house.example/v1", "api_key_env": "K"})
    assert [prices.price(one).output for one in (dearer, house)] == [9000, said["output"]]
