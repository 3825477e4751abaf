"""Answers the cells of one experiment: each with one call, or with a conversation. Counts the calls and their cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Generic

from engine.runner.calls import Calls, priced
from engine.runner.conversation import follow_up, summed
from engine.runner.experiment import Answered, Decision, Experiment
from engine.runner.retry import HOPELESS
from schemas.errors import BudgetExceeded, ProviderError
from schemas.outcomes import Arm, Cell, CompletionError, ErrorKind, StoredCompletion
from schemas.prompts import Request


class CellAnswers(Generic[Decision]):
    """Answers cells. Any number of tasks may share it.

    ``stop`` ends the experiment and returns the error of the cell that was under way. ``hopeless`` says why an error of
    a cell ends it.
    """

    def __init__(
        self,
        experiment: Experiment[Decision],
        calls: Calls,
        stop: Callable[[BudgetExceeded | ProviderError], CompletionError],
        hopeless: Callable[[CompletionError, Cell], ProviderError],
    ) -> None:
        self._experiment = experiment
        self._calls = calls
        self._stop = stop
        self._hopeless = hopeless
        self.made = self.stored = 0
        """Calls that this run paid for, and those that the store answered."""
        self.further = 0
        """Calls beyond the first of their cells."""
        self.cost = Decimal(0)
        self.served_by: set[tuple[Arm, str, str | None]] = set()
        """Models and fingerprints that the provider reported."""

    async def answer(
        self, cell: Cell, request: Request | None, row: StoredCompletion | None, *, claimed: bool
    ) -> Answered | CompletionError:
        """Returns the answer to a cell: that of one call, or of a whole conversation."""
        if request is None:
            return CompletionError(kind=ErrorKind.BAD_REQUEST, message="the prompt could not be rendered")
        case, max_steps = self._experiment.cases[cell.case], self._experiment.max_steps
        rows: list[StoredCompletion] = []
        any_paid = False
        while True:
            result, paid = await self._result(cell, request, row, claimed=claimed)
            if isinstance(result, CompletionError):
                return result
            rows.append(result)
            any_paid |= paid
            if max_steps is None:
                return Answered(tuple(rows), result.completion, any_paid)
            following = follow_up(request, result.completion, case, max_steps)
            if not isinstance(following, Request):
                return Answered(tuple(rows), summed([each.completion for each in rows], following), any_paid)
            # Only the first call of a cell was looked up and claimed ahead.
            request, row, claimed = following, None, False
            self.further += 1

    async def _result(
        self, cell: Cell, request: Request, row: StoredCompletion | None, *, claimed: bool
    ) -> tuple[StoredCompletion | CompletionError, bool]:
        """Returns the answer to one call and whether this run paid for it, and counts it."""
        paid = False
        result: StoredCompletion | CompletionError
        if row is not None:
            result = row
        else:
            try:
                arm = self._experiment.arms[cell.arm]
                number = arm.stored_as(cell.case, cell.repetition)
                result, paid = await self._calls.answer(request, number, arm.endpoint, claimed=claimed)
            except (BudgetExceeded, ProviderError) as stop:
                # This cell counts as cancelled, not as a failure of the provider.
                return self._stop(stop), False
        # A stored answer is checked too: today's price table may lack what it was billed for.
        usable = self._usable(result, cell, paid=paid)
        if isinstance(usable, StoredCompletion):
            # Noted for stored answers too: a provider may have changed the model since the baseline was stored.
            self.served_by.add((cell.arm, usable.completion.model, usable.completion.fingerprint))
            if paid:
                self.made += 1
                self.cost += usable.cost_usd
            else:
                self.stored += 1
        return usable, paid

    def _usable(
        self, result: StoredCompletion | CompletionError, cell: Cell, *, paid: bool
    ) -> StoredCompletion | CompletionError:
        """Returns the result, or an error if its cost is unknown. An error that every call would repeat ends the
        experiment."""
        usable = result if isinstance(result, CompletionError) else self._priced(result, cell, paid=paid)
        if isinstance(usable, CompletionError) and usable.kind in HOPELESS:
            self._stop(self._hopeless(usable, cell))
        return usable

    def _priced(self, row: StoredCompletion, cell: Cell, *, paid: bool) -> StoredCompletion | CompletionError:
        usable = priced(row, self._experiment.arms[cell.arm].endpoint)
        if isinstance(usable, CompletionError) and paid:  # the call was made and cost at most what the row says
            self.made += 1
            self.cost += row.cost_usd
        return usable
