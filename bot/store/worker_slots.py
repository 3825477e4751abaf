"""Workers and their heartbeats."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.tables import Slots

if TYPE_CHECKING:
    from bot.store.database import Database


class SlotRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def heartbeat(self, slot: str, at: datetime) -> None:
        """Records a worker's heartbeat."""
        with self._database.writing() as session:
            row = session.get(Slots, slot, with_for_update=True)
            if row is not None:
                # A clock that was set back must not make a living worker look dead.
                row.seen_at = max(row.seen_at, at)
            else:
                add_once(session, Slots(slot=slot, seen_at=at))

    def dead_slots(self, before: datetime) -> list[str]:
        """Returns the slots without a heartbeat since ``before``."""
        with self._database.reading() as session:
            return list(session.exec(select(Slots.slot).where(col(Slots.seen_at) < before).order_by(col(Slots.slot))))

    def first_slot(self) -> str | None:
        """Returns the first of the workers by name, which does what one must do for all of them."""
        with self._database.reading() as session:
            return session.exec(select(Slots.slot).order_by(col(Slots.slot)).limit(1)).first()

    def forget_slot(self, slot: str) -> None:
        """Removes a slot whose worker stopped or died."""
        with self._database.writing() as session:
            session.exec(delete(Slots).where(col(Slots.slot) == slot))
