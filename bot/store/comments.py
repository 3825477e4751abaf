"""What is on GitHub already: our comments, commands that were answered; and which workers live."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.installations import gone, hold
from bot.store.tables import Commands, Comments, Slots
from bot.store.values import CommandSeen
from schemas.host import Comment

if TYPE_CHECKING:
    from bot.store.database import Database


class SurfaceRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def comment_of(self, repository_id: int, number: int) -> Comment | None:
        """Our comment below a pull request, as far as we know."""
        with self._database.reading() as session:
            row = session.get(Comments, (repository_id, number))
            return None if row is None else Comment(id=row.comment_id, url=row.url)

    def keep_comment(self, repository_id: int, number: int, comment: Comment) -> None:
        """That is our comment now."""
        with self._database.writing() as session:
            hold(session, repository_id)
            row = session.get(Comments, (repository_id, number))
            if row is None:
                row = Comments(repository_id=repository_id, number=number, comment_id=comment.id, url=comment.url)
                session.add(row)
            row.comment_id, row.url = comment.id, comment.url

    def begin_command(self, repository_id: int, comment_id: int, at: datetime) -> CommandSeen:
        """Whether this comment is new; else, whether it was answered. A command that was begun and not answered was cut
        short: it is done again, and every effect of it may be repeated."""
        with self._database.writing() as session:
            hold(session, repository_id)
            row = session.get(Commands, comment_id)
            if row is None:
                session.add(Commands(comment_id=comment_id, repository_id=repository_id, begun_at=at))
            return CommandSeen(first=row is None, answer_id=row.answer_id if row else None)

    def end_command(self, comment_id: int, answer_id: int, at: datetime) -> None:
        """It was answered by this comment."""
        with self._database.writing() as session:
            row = session.get(Commands, comment_id, with_for_update=True)
            if row is None:
                raise gone(f"command {comment_id}")
            row.answer_id, row.ended_at = answer_id, at

    def heartbeat(self, slot: str, at: datetime) -> None:
        """The worker in this slot lives."""
        with self._database.writing() as session:
            row = session.get(Slots, slot, with_for_update=True)
            if row is not None:
                row.seen_at = max(row.seen_at, at)
            else:
                add_once(session, Slots(slot=slot, seen_at=at))

    def dead_slots(self, before: datetime) -> list[str]:
        """Slots whose worker was not heard of since ``before``."""
        with self._database.reading() as session:
            return list(session.exec(select(Slots.slot).where(col(Slots.seen_at) < before).order_by(col(Slots.slot))))

    def forget_slot(self, slot: str) -> None:
        """Its worker went in order, or was buried."""
        with self._database.writing() as session:
            session.exec(delete(Slots).where(col(Slots.slot) == slot))
