"""The hard cap on spending, of a run and of each lineage. Calls in flight count at their worst case, so the cap holds
however they end."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from engine.render.figures import usd
from schemas.errors import BudgetExceeded

MEND = "raise the budget or set a lower max_tokens; what is finished is kept and not paid again"


class SpendingCap:
    """Money in USD. ``cap`` of ``None`` means: no cap. What is spent of a budget is also spent of the one that it is
    ``within``, and neither cap is passed. ``where``: the setting that would raise it; ``hint``: what to do. ``shared``:
    other runs spend of it too; ``least``: what a call counts at least, whatever its price is said to be."""

    def __init__(
        self,
        cap: Decimal | None,
        *,
        within: SpendingCap | None = None,
        where: str = "budget.per_run_usd",
        hint: str = MEND,
        shared: bool = False,
        least: Decimal = Decimal(0),
    ) -> None:
        self.least = least
        self.cap = cap
        self.shared = shared
        self.whole: SpendingCap = self if within is None or within.shared else within.whole
        """The run's, which holds those of all lineages."""
        self.spent = Decimal(0)
        """Known costs, and failed calls that may have been billed at their worst case."""
        self.made = 0
        """Calls that were answered and stored."""
        self.where = where
        self.hint = hint
        self.reserved = Decimal(0)
        """The worst case of the calls under way."""
        self.under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self.chain: tuple[SpendingCap, ...] = (self,) if within is None else (self, *within.chain)
        """This one and all that it lies within."""

    async def reserve(self, worst: Decimal, reckoned: str = "") -> None:
        """Reserves ``worst``; waits while calls in flight may free enough. Raises BudgetExceeded if they can't.

        ``reckoned`` says in that error how ``worst`` was found.
        """
        while (short := next((one for one in self.chain if one.lacks(worst)), None)) is not None:
            if not short.under_way:
                raise BudgetExceeded(
                    f"the budget of {usd(short.cap)} does not allow another call: {usd(short.spent)} is spent and the"
                    f" next one may cost up to {usd(worst)}{reckoned}",
                    where=short.where,
                    hint=short.hint,
                )
            await short.settled()
        for one in self.chain:
            one.reserved += max(worst, one.least)
            one.under_way += 1

    def lacks(self, worst: Decimal) -> bool:
        """Returns whether ``worst`` exceeds what is left now."""
        return self.cap is not None and self.spent + self.reserved + max(worst, self.least) > self.cap

    async def settled(self) -> None:
        """Waits until a call in flight ends."""
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(end)
        await end

    def settle(self, worst: Decimal, spent: Decimal, *, made: int = 0) -> None:
        """Replaces a reservation by the actual cost; ``made``: 1 if the answer is stored."""
        for one in self.chain:
            one.book(worst, spent, made)

    def book(self, worst: Decimal, spent: Decimal, made: int) -> None:
        """``settle``, for this one alone."""
        self.under_way -= 1
        left = self.reserved - max(worst, self.least)
        self.reserved = left if self.under_way else Decimal(0)  # sums of many digits are rounded
        self.spent += max(spent, self.least) if made or spent else spent
        self.made += made
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            if not end.done():
                end.set_result(None)
