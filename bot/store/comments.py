"""Stores our comments on GitHub and the commands that the bot handled."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bot.store.installations import gone, hold
from bot.store.tables import Commands, Comments
from bot.store.values import CommandSeen
from schemas.host import Comment

if TYPE_CHECKING:
    from bot.store.database import Database


class CommentRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def comment_of(self, repository_id: int, number: int) -> Comment | None:
        """Returns our comment on a pull request, if we know one."""
        with self._database.reading() as session:
            row = session.get(Comments, (repository_id, number))
            return None if row is None else Comment(id=row.comment_id, url=row.url)

    def keep_comment(self, repository_id: int, number: int, comment: Comment) -> None:
        """Records our comment on a pull request."""
        with self._database.writing() as session:
            hold(session, repository_id)
            row = session.get(Comments, (repository_id, number))
            if row is None:
                row = Comments(repository_id=repository_id, number=number, comment_id=comment.id, url=comment.url)
                session.add(row)
            row.comment_id, row.url = comment.id, comment.url

    def begin_command(self, repository_id: int, comment_id: int, at: datetime) -> CommandSeen:
        """Records that a command is being handled. Returns whether it is new, and whether it was answered.

        A command that was begun but not answered was cut short. It is executed again, so each of its effects may be
        repeated.
        """
        with self._database.writing() as session:
            hold(session, repository_id)
            row = session.get(Commands, comment_id)
            if row is None:
                session.add(Commands(comment_id=comment_id, repository_id=repository_id, begun_at=at))
            return CommandSeen(first=row is None, answer_id=row.answer_id if row else None)

    def end_command(self, comment_id: int, answer_id: int, at: datetime) -> None:
        """Records the answer to a command."""
        with self._database.writing() as session:
            row = session.get(Commands, comment_id, with_for_update=True)
            if row is None:
                raise gone(f"command {comment_id}")
            row.answer_id, row.ended_at = answer_id, at
