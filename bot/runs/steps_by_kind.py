"""Chooses the steps of a run by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from bot.runs.run_queue import RunSteps
from bot.store.async_records import AsyncRecords

if TYPE_CHECKING:
    from bot.store.records import Records
    from bot.store.values import Run, RunKind


class Steps(RunSteps, Protocol):
    """The steps of one kind of runs."""

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run that could not be completed."""
        ...


class StepsByKind:
    """``bot.runs.run_queue.RunSteps`` of every kind."""

    def __init__(self, records: Records, steps: Mapping[RunKind, Steps]) -> None:
        self._records = AsyncRecords(records)
        self._steps = steps

    async def measure(self, run_id: str) -> None:
        """Measures the run. Raises HostUnavailable and StoreError."""
        run = await self._records.run(run_id)
        if run is not None:
            await self._steps[run.kind].measure(run_id)

    async def publish(self, run_id: str) -> None:
        """Publishes the run's verdict. Raises HostUnavailable and StoreError."""
        run = await self._records.run(run_id)
        if run is not None:
            await self._steps[run.kind].publish(run_id)

    async def give_up(self, run: Run, why: str) -> None:
        """Ends a run that could not be completed. Raises HostUnavailable."""
        await self._steps[run.kind].give_up(run, why)
