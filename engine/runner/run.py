"""The run: the one async stage. Drives the gates of all experiments through providers, store and evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.calls import Calls, deadline_passed
from engine.runner.drive import Drive
from engine.runner.experiment import Decision, Experiment, ExperimentResult, Progress
from engine.runner.slots import Slots
from schemas.config import RunConfig
from schemas.ports import Clock, OutcomeStore


async def run(
    experiments: Sequence[Experiment[Decision]],
    *,
    access: Access,
    store: OutcomeStore,
    clock: Clock,
    settings: RunConfig | None = None,
    budget_usd: Decimal | None = None,
    within: SpendingCap | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[ExperimentResult[Decision], ...]:
    """Runs all experiments side by side under one budget (USD; ``None``: no cap); a result for each, in their order.

    ``within``: a budget that other runs may spend of too.

    ``settings`` hold for the run as a whole and for every experiment without its own: neither the calls under way nor
    the time nor the money of an experiment exceed the run's.

    What an experiment can't go on from is in its result's ``stopped``; raises StoreError when evidence can't be kept.
    Cancelling it cancels what is in flight; everything that was finished is in the store, and a next run finds it.
    """
    settings = settings or RunConfig()
    whole, slots = SpendingCap(budget_usd, within=within), Slots(settings.max_concurrency)
    budgets: dict[str, SpendingCap] = {}
    drives, ends = [], []
    for one in experiments:
        own = one.settings or settings
        if one.lineage not in budgets:
            where = f"lineages.{one.lineage}.budget.per_run_usd"
            capped = one.budget_usd is not None
            budgets[one.lineage] = SpendingCap(one.budget_usd, within=whole, where=where) if capped else whole
        places = (slots,) if own is settings else (Slots(own.max_concurrency), slots)
        calls = Calls(access, store, clock, budgets[one.lineage], own, slots=places)
        drives.append(Drive(one, calls, access, own, on_progress))
        ends.append(min(own.deadline_s, settings.deadline_s))
    try:
        async with asyncio.TaskGroup() as group:
            watches = [group.create_task(_watch(clock, *each)) for each in zip(ends, drives, strict=True)]
            async with asyncio.TaskGroup() as running:
                tasks = [running.create_task(drive.finish(budget_usd)) for drive in drives]
            for watch in watches:
                watch.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return tuple(task.result() for task in tasks)


async def _watch(clock: Clock, deadline_s: float, drive: Drive[Decision]) -> None:
    """Stops experiments at their deadlines."""
    await clock.sleep(deadline_s)
    drive.expire(deadline_passed(deadline_s))


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
