"""Stores the sessions of the pages: a hash of each cookie, and tokens that are encrypted elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, update
from sqlmodel import col, select

from bot.store.database import add_once
from bot.store.tables import Sessions, SignIns

if TYPE_CHECKING:
    from bot.store.database import Database


class KeptSession(NamedTuple):
    """A session that has not ended."""

    login: str
    tokens: bytes
    expires_at: datetime


class SessionRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def use_sign_in(self, id_hash: str, expires_at: datetime) -> bool:
        """Ends a sign-in. Returns False if it had ended. After ``expires_at`` the row may go."""
        with self._database.writing() as session:
            return add_once(session, SignIns(id_hash=id_hash, expires_at=expires_at))

    def open_session(self, id_hash: str, kept: KeptSession) -> None:
        """Stores a new session."""
        with self._database.writing() as session:
            session.add(Sessions(id_hash=id_hash, **kept._asdict()))

    def session(self, id_hash: str, at: datetime) -> KeptSession | None:
        """Returns a session that has not ended."""
        with self._database.reading() as session:
            row = session.exec(
                select(Sessions).where(col(Sessions.id_hash) == id_hash, col(Sessions.expires_at) > at)
            ).first()
            return None if row is None else KeptSession(row.login, row.tokens, row.expires_at)

    def renew_tokens(self, id_hash: str, tokens: bytes) -> None:
        """Replaces the tokens of a session."""
        with self._database.writing() as session:
            session.exec(update(Sessions).where(col(Sessions.id_hash) == id_hash).values(tokens=tokens))

    def close_session(self, id_hash: str) -> None:
        """Ends a session."""
        with self._database.writing() as session:
            session.exec(delete(Sessions).where(col(Sessions.id_hash) == id_hash))
