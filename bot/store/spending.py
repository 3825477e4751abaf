"""What was spent, by day and repository. It outlives the repository: whoever removes the App and installs it again has
spent it all the same."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.tables import Spending

if TYPE_CHECKING:
    from bot.store.database import Database

KEPT = timedelta(days=60)


class SpendingRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def spend(self, repository_id: int, day: date, usd: Decimal) -> tuple[Decimal, Decimal]:
        """Adds ``usd`` to what the repository spent on this day (UTC). What it spent then, and what all spent."""
        name = day.isoformat()
        with self._database.writing() as session:
            if usd:
                add_once(session, Spending(day=name, repository_id=repository_id, usd=Decimal(0)))
                row = session.get_one(Spending, (name, repository_id), with_for_update=True)
                row.usd += usd
                session.add(row)
                session.flush()
            rows = session.exec(select(Spending).where(col(Spending.day) == name)).all()
            session.exec(delete(Spending).where(col(Spending.day) < (day - KEPT).isoformat()))
            own = sum((row.usd for row in rows if row.repository_id == repository_id), Decimal(0))
            return own, sum((row.usd for row in rows), Decimal(0))
