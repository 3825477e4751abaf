"""The run: the one async stage. Drives the gates of all experiments through providers, store and evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.access import Access
from engine.budget import Budget
from engine.calls import Calls, deadline_passed
from engine.drive import Drive
from engine.experiment import Decision, Experiment, ExperimentResult, Progress
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
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[ExperimentResult[Decision], ...]:
    """Runs all experiments side by side under one budget (USD; ``None``: no cap); a result for each, in their order.

    What an experiment can't go on from is in its result's ``stopped``; raises StoreError when evidence can't be kept.
    Cancelling it cancels what is in flight; everything that was finished is in the store, and a next run finds it.
    """
    settings = settings or RunConfig()
    budget = Budget(budget_usd)
    calls = Calls(access, store, clock, budget, settings)
    drives = [Drive(experiment, calls, access, settings, on_progress) for experiment in experiments]
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_watch(clock, settings.deadline_s, drives))
            async with asyncio.TaskGroup() as running:
                tasks = [running.create_task(drive.finish(budget_usd)) for drive in drives]
            watch.cancel()
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return tuple(task.result() for task in tasks)


async def _watch(clock: Clock, deadline_s: float, drives: Sequence[Drive[Decision]]) -> None:
    """Ends what has not ended by the deadline."""
    await clock.sleep(deadline_s)
    for drive in drives:
        drive.expire(deadline_passed(deadline_s))


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
