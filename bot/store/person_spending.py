"""What one person spends in a day (UTC): reserved before, and replaced by the real amount afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col

from bot.store.asked_tables import PersonDays
from bot.store.database import add_once
from engine.render.figures import usd
from schemas.errors import BudgetExceeded

if TYPE_CHECKING:
    from sqlmodel import Session

KEPT = timedelta(days=60)


def reserve(session: Session, by: str, day: date, amount: Decimal, cap: Decimal) -> None:
    """Counts USD for a person's day. Raises BudgetExceeded if more than ``cap`` would be spent or reserved."""
    name = day.isoformat()
    # Created first, so that the row can be locked: several requests may come at the same moment.
    add_once(session, PersonDays(day=name, by=by, usd=Decimal(0)))
    row = session.get_one(PersonDays, (name, by), with_for_update=True)
    if row.usd + amount > cap:
        raise BudgetExceeded(
            f"you may spend {usd(cap)} a day: {usd(row.usd)} is spent or reserved, and this may need {usd(amount)}",
            hint="wait for your other runs, ask for less, or ask the operator for a higher cap",
        )
    row.usd += amount
    session.add(row)
    session.exec(delete(PersonDays).where(col(PersonDays.day) < (day - KEPT).isoformat()))


def correct(session: Session, by: str, day: date, amount: Decimal) -> None:
    """Adds USD to what counts for a person's day; less than zero gives back."""
    row = session.get(PersonDays, (day.isoformat(), by), with_for_update=True)
    if row is not None:
        row.usd += amount
