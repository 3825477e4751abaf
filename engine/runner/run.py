"""The run: drives the gates of all experiments through providers, store and evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.runner.access import Access
from engine.runner.budget import SpendingCap
from engine.runner.calls import Calls, deadline_passed
from engine.runner.drive import Drive
from engine.runner.experiment import Decision, Experiment, ExperimentResult, Progress
from engine.runner.limiter import Limiter
from engine.runner.outcome_log import PlainRoom
from engine.runner.slots import Slots
from schemas.config import RunConfig
from schemas.outcomes import Arm, Outcome
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
    on_outcome: Callable[[Experiment[Decision], Outcome], None] | None = None,
) -> tuple[ExperimentResult[Decision], ...]:
    """Runs the experiments concurrently and returns their results in the same order.

    Of each key, at most as many experiments are under way as the run has concurrent calls. The others wait.

    ``budget_usd`` is the budget of the run in USD (``None``: no cap); ``within`` is a budget that other runs share.
    ``settings`` apply to the run as a whole, and to every experiment without settings of its own. An experiment never
    exceeds the run's concurrency, time or money. ``on_outcome`` receives each outcome as it is scored.

    An experiment that can't continue says why in its result's ``stopped``. Raises StoreError if answers can't be
    stored. Cancellation cancels the calls in flight; finished answers are in the store for the next run.
    """
    settings = settings or RunConfig()
    whole, slots = SpendingCap(budget_usd, within=within), Slots(settings.max_concurrency)
    budgets: dict[str, SpendingCap] = {}
    room = PlainRoom()
    turns: dict[Limiter, asyncio.Semaphore] = {}
    drives, ends, waiting = [], [], []
    for one in experiments:
        own = one.settings or settings
        if one.lineage not in budgets:
            where = f"lineages.{one.lineage}.budget.per_run_usd"
            capped = one.budget_usd is not None
            # All experiments of a lineage share one budget, whatever the number of its models.
            budgets[one.lineage] = SpendingCap(one.budget_usd, within=whole, where=where) if capped else whole
        # A lineage's own limit applies in addition to the run's, so it can only lower the concurrency.
        places = (slots,) if own is settings else (Slots(own.max_concurrency), slots)
        calls = Calls(access, store, clock, budgets[one.lineage], own, slots=places)
        drives.append(Drive(one, calls, access, own, on_progress, room=room, on_outcome=on_outcome))
        limiter = access.limiter(one.arms[Arm.CANDIDATE].endpoint.model)
        waiting.append(turns.setdefault(limiter, asyncio.Semaphore(settings.max_concurrency)))
        ends.append(min(own.deadline_s, settings.deadline_s))
    try:
        async with asyncio.TaskGroup() as group:
            # Deadlines run outside the inner group, so that they end with it and never keep it alive.
            watches = [group.create_task(_watch(clock, *each)) for each in zip(ends, drives, strict=True)]
            async with asyncio.TaskGroup() as running:
                tasks = [
                    running.create_task(_in_turn(*each, budget_usd)) for each in zip(drives, waiting, strict=True)
                ]  # The outer group would otherwise wait for the deadline of a finished run.
            for watch in watches:
                watch.cancel()
    except BaseExceptionGroup as failures:
        # Callers handle single errors. The siblings were only cancelled by the first one.
        raise _first(failures) from None
    return tuple(task.result() for task in tasks)


async def _in_turn(
    drive: Drive[Decision], turn: asyncio.Semaphore, budget_usd: Decimal | None
) -> ExperimentResult[Decision]:
    """Runs one experiment when it is its turn. Tasks of a thousand at once would take memory and save no time."""
    async with turn:
        return await drive.finish(budget_usd)


async def _watch(clock: Clock, deadline_s: float, drive: Drive[Decision]) -> None:
    """Stops experiments at their deadlines."""
    await clock.sleep(deadline_s)
    drive.expire(deadline_passed(deadline_s))


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
