"""An outcome store that reports what its answers cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.outcomes import StoredCompletion
    from schemas.ports import OutcomeStore

OnPaid = Callable[[Decimal], Awaitable[None]]
"""Takes the cost of answers in USD."""


class PaidOutcomes:
    """``OutcomeStore``. Costs are reported before the answers are stored: spending of a killed process is always
    counted, even if its answer was lost."""

    def __init__(self, store: OutcomeStore, on_paid: OnPaid) -> None:
        self._on_paid = on_paid
        self._store = store
        self.get, self.claim, self.release = store.get, store.claim, store.release
        self.history, self.plan, self.keep_plan = store.history, store.plan, store.keep_plan

    async def put(self, rows: Sequence[StoredCompletion]) -> None:
        """Reports the cost, then stores the rows."""
        await self._on_paid(sum((row.cost_usd for row in rows), Decimal(0)))
        await self._store.put(rows)

    async def aclose(self) -> None:
        """Does nothing: the store is shared, and its owner closes it."""
