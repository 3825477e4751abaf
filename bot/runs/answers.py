"""Collects the progress and answers of a run that a person watches, and stores them a few times a second."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.store.asked_values import SHOWN, Noted, ShownAnswer
from bot.variables import PERSON_USD
from engine.runner.budget import SpendingCap
from schemas.outcomes import CompletionError, ErrorKind, Score

if TYPE_CHECKING:
    from datetime import datetime

    from bot.store.asked_values import AskedRun
    from bot.store.async_records import AsyncRecords
    from bot.store.values import Run
    from engine.runner.experiment import Progress
    from schemas.outcomes import Outcome
    from schemas.ports import Clock
    from schemas.testsets import TestCase

MOST_INPUTS = 20
HINT = "run it again: finished answers are kept and not paid for twice"


class AnswerLog:
    """What a run shows while it is measured. Its callbacks are called in the loop that measures."""

    def __init__(self, records: AsyncRecords, run: Run, clock: Clock, asked: AskedRun | None) -> None:
        self._records = records
        self._run = run
        self._clock = clock
        self._asked = asked
        """``None`` for a run of an earlier version of the bot, which has no reservation."""
        self._cap: SpendingCap | None = None
        self._line, self._shown_line = "", ""
        self._new: list[ShownAnswer] = []
        self._progress: dict[str, Progress] = {}
        """By model."""
        self._calling_at: datetime | None = None
        self._noted: Noted | None = None

    def within(self, shared: SpendingCap) -> SpendingCap:
        """Returns the budget of this run inside the operator's: what is left of its reservation."""
        if self._asked is None:
            return shared
        # What an earlier try spent counts: the reservation is for the whole run.
        left = max(self._asked.reserved_usd - self._asked.spent_usd, Decimal(0))
        self._cap = SpendingCap(left, within=shared, where=PERSON_USD.name, hint=HINT, least=shared.least)
        return self._cap

    def line(self, newest: str) -> None:
        """Takes a line of progress."""
        self._line = newest

    def step(self, progress: Progress) -> None:
        """Takes the progress of one experiment."""
        before = self._progress.get(progress.model)
        if before is None or before.done != progress.done:
            self._calling_at = self._clock.utc()
        self._progress[progress.model] = progress

    def outcome(self, lineage: str, model: str, case: TestCase, outcome: Outcome) -> None:
        """Takes one scored outcome."""
        del lineage
        result = outcome.result
        if isinstance(result, CompletionError) and result.kind is ErrorKind.CANCELLED:
            return  # the run stopped before it asked
        failed = isinstance(result, CompletionError)
        first = outcome.scores[0] if outcome.scores else None
        score = first if isinstance(first, Score) else None
        trouble = result.message if isinstance(result, CompletionError) else ""
        if score is None and not failed and first is not None:
            trouble = getattr(first, "message", "")
        self._new.append(
            ShownAnswer(
                model=model[:200],
                position=outcome.cell.case,
                case=_text(case.id)[:200],
                arm=outcome.cell.arm,
                repetition=outcome.cell.repetition,
                inputs=tuple(
                    (_text(name)[:100], _text(value)) for name, value in list(case.inputs.items())[:MOST_INPUTS]
                ),
                expected="" if case.expected is None else _text(case.expected),
                said="" if isinstance(result, CompletionError) else _text(result.text),
                score=None if score is None else score.value,
                reason="" if score is None else _text(score.reason),
                trouble=_text(trouble),
                stored=outcome.origin == "store",
            )
        )

    def _spent_usd(self) -> Decimal:
        before = Decimal(0) if self._asked is None else self._asked.spent_usd
        return before + (Decimal(0) if self._cap is None else self._cap.spent)

    async def write(self) -> None:
        """Writes what is new. Raises StoreError: it is then written the next time."""
        new, self._new = self._new, []
        try:
            if new:
                await self._records.add_answers(self._run, new)
        except BaseException:
            self._new = new + self._new
            raise
        now = list(self._progress.values())
        noted = Noted(
            done=sum(one.done for one in now),
            asked=sum(one.asked for one in now),
            spent_usd=self._spent_usd(),
            trouble=next((one.trouble for one in now if one.trouble), "")[:SHOWN],
            calling_at=self._calling_at,
        )
        if noted != self._noted:
            await self._records.note_asked(self._run.sequence, noted)
            self._noted = noted
        if self._line != self._shown_line:
            await self._records.note_progress(self._run.id, self._line)
            self._shown_line = self._line


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Half a surrogate pair can't be written as JSON.
    return text[:SHOWN].encode(errors="replace").decode()
