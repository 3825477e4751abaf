"""The operator's spending caps. They hold whatever budget a repository configures.

Within a process the caps are exact: running calls count at their worst case. Other workers' spending is read once a
second, so together they may exceed a cap by what they spend within that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.telemetry.logs import logger
from bot.variables import DAY_USD, REPOSITORY_USD, RUN_USD
from engine.runner.budget import SpendingCap
from schemas.errors import StoreError

if TYPE_CHECKING:
    from datetime import date

    from bot.settings import Caps
    from bot.store.records import Records
    from schemas.ports import Clock

EVERY_S = 1.0
"""Seconds between two updates of the recorded spending."""
HINT = "the operator of this bot can raise it; finished answers are kept and not paid for twice"

CALL_USD = Decimal("0.001")
"""The least that a call counts for: a repository may configure a model that costs nothing."""

log = logger("spending")


class SpendingCaps:
    """The caps of one process. Its budgets belong to one event loop."""

    def __init__(self, records: Records, caps: Caps, clock: Clock) -> None:
        self._records = records
        self._caps = caps
        self._clock = clock
        self._day: _Day | None = None

    @asynccontextmanager
    async def open(self, repository_id: int) -> AsyncIterator[SpendingCap]:
        """Opens the budget of one run: no more than its cap, and what its repository and the day have left.

        Raises StoreError if earlier spending can't be read.
        """
        today = self._clock.utc().date()
        if self._day is None or self._day.date != today:  # a run that began yesterday continues on yesterday's budget
            self._day = _Day(today, self._records, self._caps)
        day = self._day
        # Read before the first call: other workers may have used up the cap already.
        await day.note(repository_id)
        noting = asyncio.create_task(self._note(day, repository_id))
        try:
            yield SpendingCap(
                self._caps.run,
                within=day.budget(repository_id),
                where=RUN_USD.name,
                hint=HINT,
                shared=True,
                least=CALL_USD,
            )
        finally:
            noting.cancel()
            await asyncio.shield(_note_if_possible(day, repository_id))

    async def _note(self, day: _Day, repository_id: int) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            await asyncio.shield(_note_if_possible(day, repository_id))


async def _note_if_possible(day: _Day, repository_id: int) -> None:
    try:
        await day.note(repository_id)
    except StoreError as error:
        # The amount stays in the budget of this process, and the next note adds it.
        log.warning("spending not noted yet", repository=repository_id, why=str(error))


class _Day:
    """The budgets of one day."""

    def __init__(self, date: date, records: Records, caps: Caps) -> None:
        self.date = date
        self._records = AsyncRecords(records)
        self._cap = caps.repository
        self._all = SpendingCap(caps.day, where=DAY_USD.name, hint=HINT, shared=True, least=CALL_USD)
        self._own: dict[int, SpendingCap] = {}
        self._noted: dict[int, Decimal] = {}
        """By repository id: how much of its budget's spending is in the records."""
        self._turn = asyncio.Lock()

    def budget(self, repository_id: int) -> SpendingCap:
        """Returns the budget of all runs of a repository."""
        if repository_id not in self._own:
            self._own[repository_id] = SpendingCap(
                self._cap, within=self._all, where=REPOSITORY_USD.name, hint=HINT, shared=True, least=CALL_USD
            )
            self._noted[repository_id] = Decimal(0)
        return self._own[repository_id]

    async def note(self, repository_id: int) -> None:
        """Adds new spending to the records and takes over what other workers spent."""
        own = self.budget(repository_id)
        async with self._turn:
            fresh = own.spent - self._noted[repository_id]
            total = await self._records.spend(repository_id, self.date, fresh)
            # The difference is what other workers spent for the same repository since the last update.
            own.spent += total.repository - (self._noted[repository_id] + fresh)
            self._noted[repository_id] = total.repository
            # Other repositories of this process have spent since their last note, which `total` doesn't contain yet.
            unnoted = sum((one.spent - self._noted[number] for number, one in self._own.items()), Decimal(0))
            self._all.spent = total.everyone + unnoted
