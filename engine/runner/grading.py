"""Asks judges about one cell of a running experiment."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from schemas.outcomes import Cell, Completion, CompletionError
from schemas.prompts import Request

if TYPE_CHECKING:
    from engine.runner.drive import Drive


class Grading:
    """Asks judges about one cell, and adds up what their answers cost.

    The cost of grading belongs to the outcome, but not to the prompt's cost that the gate compares.
    """

    def __init__(self, drive: Drive[Any], cell: Cell) -> None:
        self._drive = drive
        self._cell = cell
        self.cost_usd = Decimal(0)
        """Of every answer. The run counts only those that it paid for."""

    async def ask(self, request: Request, repetition: int) -> Completion | CompletionError:
        """Asks a judge (``schemas.ports.Ask``)."""
        answer = await self._drive.grade(request, repetition, self._cell)
        if isinstance(answer, CompletionError):
            return answer
        self.cost_usd += answer.cost_usd
        return answer.completion
