"""Spending by day and repository. It outlives the repository: reinstalling the App must not reset a cap."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.tables import Spending

if TYPE_CHECKING:
    from sqlmodel import Session

    from bot.store.database import Database

KEPT = timedelta(days=60)


class DaySpending(NamedTuple):
    """Spending on one day (UTC), in USD."""

    repository: Decimal
    everyone: Decimal


class SpendingRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def spend(self, repository_id: int, day: date, usd: Decimal) -> DaySpending:
        """Adds ``usd`` to the repository's spending on this day (UTC). Returns the totals of that day."""
        name = day.isoformat()
        with self._database.writing() as session:
            if usd:
                # Created first, so that the row can be locked: two workers may spend at the same moment.
                add_once(session, Spending(day=name, repository_id=repository_id, usd=Decimal(0)))
                row = session.get_one(Spending, (name, repository_id), with_for_update=True)
                row.usd += usd
                session.add(row)
                session.flush()
            session.exec(delete(Spending).where(col(Spending.day) < (day - KEPT).isoformat()))
            return _spent(session, repository_id, name)

    def spent(self, repository_id: int, day: date) -> DaySpending:
        """Returns the totals of a day (UTC)."""
        with self._database.reading() as session:
            return _spent(session, repository_id, day.isoformat())


def _spent(session: Session, repository_id: int, day: str) -> DaySpending:
    rows = session.exec(select(Spending).where(col(Spending.day) == day)).all()
    # Summed here, because amounts are stored as text and SQLite would add them as floats.
    own = sum((row.usd for row in rows if row.repository_id == repository_id), Decimal(0))
    return DaySpending(repository=own, everyone=sum((row.usd for row in rows), Decimal(0)))
