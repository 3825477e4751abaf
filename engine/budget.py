"""The hard cap on a run's money. In-flight calls count at their worst case, so the cap holds however they end."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from schemas.errors import BudgetExceeded


class Budget:
    """Money of one run, in USD. ``cap`` of ``None`` means: no cap."""

    def __init__(self, cap: Decimal | None) -> None:
        self.cap = cap
        self.spent = Decimal(0)
        """Known costs, and failed calls that may have been billed at their worst case."""
        self._reserved = Decimal(0)
        self._waiting: list[asyncio.Future[None]] = []

    async def reserve(self, worst: Decimal) -> None:
        """Sets ``worst`` aside; waits while calls in flight may still free enough. Raises BudgetExceeded when only
        more money would help."""
        while self.cap is not None and self.spent + self._reserved + worst > self.cap:
            if not self._reserved:
                raise BudgetExceeded(
                    f"the budget of ${self.cap} does not allow another call: ${self.spent:.4f} is spent and the next"
                    f" one may cost up to ${worst:.4f}",
                    where="budget.per_run_usd",
                    mend="raise the budget or lower max_tokens; what is finished is kept and not paid again",
                )
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self._reserved += worst

    def settle(self, worst: Decimal, spent: Decimal) -> None:
        """Replaces a reservation by what the call did cost."""
        self._reserved -= worst
        self.spent += spent
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)
