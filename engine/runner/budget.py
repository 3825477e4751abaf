"""The hard spending caps of a run and of each lineage.

Calls in flight count at their worst case, so the cap holds however they end.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from engine.render.figures import usd
from schemas.errors import BudgetExceeded

HINT = "raise the budget or set a lower max_tokens; finished answers are kept and not paid for twice"


class SpendingCap:
    """A spending cap in USD. ``cap`` of ``None`` means no cap.

    Spending also counts for the cap that this one is ``within``, and neither is exceeded. ``where`` is the setting that
    raises the cap, and ``hint`` what to do. ``shared`` says that other runs spend from it too. ``least`` is the least
    that a call counts for, whatever its price.
    """

    def __init__(
        self,
        cap: Decimal | None,
        *,
        within: SpendingCap | None = None,
        where: str = "budget.per_run_usd",
        hint: str = HINT,
        shared: bool = False,
        least: Decimal = Decimal(0),
    ) -> None:
        self.least = least
        self.cap = cap
        self.shared = shared
        # A shared cap belongs to several runs, so this run's own figures end below it.
        self.whole: SpendingCap = self if within is None or within.shared else within.whole
        """The cap of the whole run, which contains those of all lineages."""
        self.spent = Decimal(0)
        """Known costs, plus the worst case of failed calls that may have been billed."""
        self.made = 0
        """Number of calls that were answered and stored."""
        self.where = where
        self.hint = hint
        self.reserved = Decimal(0)
        """The worst case of all calls in flight."""
        self.under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self.chain: tuple[SpendingCap, ...] = (self,) if within is None else (self, *within.chain)
        """This cap and all caps around it."""

    async def reserve(self, worst: Decimal, reckoned: str = "") -> None:
        """Reserves ``worst``. Waits while calls in flight may free enough. Raises BudgetExceeded if they can't.

        ``reckoned`` explains ``worst`` in that error.
        """
        while (short := next((one for one in self.chain if one.lacks(worst)), None)) is not None:
            # Calls in flight may end below their worst case and free money. Without any, waiting would never end.
            if not short.under_way:
                raise BudgetExceeded(
                    f"the budget of {usd(short.cap)} does not allow another call: {usd(short.spent)} is spent, and the"
                    f" next call may cost up to {usd(worst)}{reckoned}",
                    where=short.where,
                    hint=short.hint,
                )
            # After waking, all caps are checked again: another task may have taken the freed money first.
            await short.settled()
        for one in self.chain:
            # All caps at once, without an await in between, so no other task can reserve the same money.
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
        """Replaces a reservation with the actual cost. ``made`` is 1 if the answer is stored."""
        for one in self.chain:
            one.book(worst, spent, made)

    def book(self, worst: Decimal, spent: Decimal, made: int) -> None:
        """Does the work of ``settle`` for this cap alone."""
        self.under_way -= 1
        left = self.reserved - max(worst, self.least)
        self.reserved = left if self.under_way else Decimal(0)  # Decimal rounds long sums, so reset what should be 0
        # A failed call that wasn't billed costs nothing, not even the least.
        self.spent += max(spent, self.least) if made or spent else spent
        self.made += made
        # All are woken: a small reservation may fit where the first one in line still doesn't.
        waiting, self._waiting = self._waiting, []
        for end in waiting:
            if not end.done():
                end.set_result(None)
