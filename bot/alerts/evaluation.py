"""Reads drift once a day, from the hourly figures, for every prompt that production reports."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bot.store.async_records import AsyncRecords
from bot.store.production_writing import OTHER
from bot.telemetry.logs import logger
from engine.drift.baseline import DAYS, baseline_of
from engine.drift.counts import DayCounts
from engine.drift.models import ServedDay, by_model
from engine.drift.past import QUARTER, against_past, next_start
from engine.drift.reading import Question, Reading
from engine.drift.staging import against_staging
from schemas.errors import StoreError

if TYPE_CHECKING:
    from bot.store.production_values import DayDecisions
    from bot.store.records import Records

TURN = "alerts"
TURN_FOR = timedelta(minutes=15)
"""How long a worker may take for one step, before another takes over."""
LATE = timedelta(hours=2)
"""How late a day's calls may still arrive."""
LOOKS_BACK = timedelta(days=DAYS + QUARTER)
RECENT = timedelta(days=28)

log = logger("alerts")


@dataclass(frozen=True)
class _Production:
    """The decisions of one prompt."""

    rows: Sequence[DayDecisions]

    def days(self, digest: str | None = None) -> list[DayCounts]:
        """Returns the decisions by day; ``digest``: only of this version."""
        total: dict[date, dict[str, int]] = {}
        for row in self.rows:
            if digest is None or row.digest == digest:
                counts = total.setdefault(row.day, {})
                for label, count in row.counts.items():
                    counts[label] = counts.get(label, 0) + count
        return [DayCounts(day, counts) for day, counts in sorted(total.items())]

    def served(self) -> list[ServedDay]:
        """Returns the decisions by day and model; an empty name where it is unknown."""
        return [ServedDay("" if row.model == OTHER else row.model, DayCounts(row.day, row.counts)) for row in self.rows]

    def version(self, since: date) -> str | None:
        """Returns the version that made most of the decisions since a day; ``None`` if the calls don't say."""
        calls: dict[str, int] = {}
        for row in self.rows:
            if row.day >= since and row.digest not in ("", OTHER):
                calls[row.digest] = calls.get(row.digest, 0) + sum(row.counts.values())
        return max(calls, key=lambda digest: (calls[digest], digest), default=None)


class DriftEvaluation:
    """Evaluates every prompt. ``slot`` names this worker: one at a time does it."""

    def __init__(self, records: Records, slot: str) -> None:
        self._records = AsyncRecords(records)
        self._slot = slot

    async def evaluate(self, now: datetime) -> bool:
        """Reads the last complete day, where that was not done yet. Returns False if another worker does it."""
        day = (now - LATE).date() - timedelta(days=1)
        for repo in await asyncio.to_thread(self._records.blocking.known_repositories):
            if not await self._records.take_turn(TURN, self._slot, now, now + TURN_FOR):
                return False
            try:
                await asyncio.to_thread(self._repository, repo.repository_id, day, now)
            except StoreError as error:  # the repository may have been removed meanwhile
                log.warning("production not read", repository=repo.repository_id, why=str(error))
        return True

    def _repository(self, repository_id: int, day: date, now: datetime) -> None:
        records = self._records.blocking
        known = {(one.lineage, one.question): one for one in records.alerts(repository_id)}
        for lineage in records.production_lineages(repository_id):
            past = known.get((lineage, Question.PAST))
            if past is not None and past.standing.day is not None and past.standing.day >= day:
                continue
            found = self._readings(repository_id, lineage, day, past.start if past else None)
            for reading, start in found:
                records.keep_reading(
                    repository_id, lineage, reading, start=start, episode_id=secrets.token_hex(12), at=now
                )

    def _readings(
        self, repository_id: int, lineage: str, day: date, start: date | None
    ) -> list[tuple[Reading, date | None]]:
        """Returns the readings of a prompt, each with the first day of its baseline."""
        records = self._records.blocking
        since = start or day - LOOKS_BACK
        production = _Production(records.decision_counts(repository_id, lineage, since=since, until=day))
        days = production.days()
        if not days:
            silent = against_past([], start or day, day)
            return [(silent, start)]
        first = start or days[0].day
        baseline = baseline_of([one for one in days if one.day < first + timedelta(days=DAYS)])
        dispersion = baseline.dispersion if baseline else None
        past = against_past([one for one in days if one.day >= first], first, day)
        version = production.version(day - timedelta(days=6))
        staged = records.staged_cases(repository_id, lineage, version) if version else []
        recent = [one for one in production.days(version) if one.day > day - RECENT]
        staging = against_staging(staged, recent, day, dispersion)
        model = by_model(production.served(), day, dispersion)
        # The day of the others is stored last, with the past: a crash before it repeats them.
        return [(staging, None), (model, None), (past, next_start(past, first))]
