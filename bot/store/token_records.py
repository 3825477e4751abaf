"""Stores tokens of applications: a hash of each, its repository and kind, and when it was last used."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from bot.store.hub_tables import ReadTokens
from bot.store.hub_values import ReadToken, TokenKind, TokenOwner
from bot.store.installations import hold
from bot.store.tables import Installations, Repositories
from bot.store.values import RepositoryRef
from schemas.errors import StoreError

if TYPE_CHECKING:
    from bot.store.database import Database

USED_EVERY = timedelta(hours=1)
"""Precision of the last use: a write for every request would slow readers down."""
MOST_TOKENS = 100
"""Tokens of one repository that are not revoked."""

_INGESTS = (col(ReadTokens.kind) == TokenKind.INGEST.value, col(ReadTokens.revoked_at).is_(None))


class TokenRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def add_token(
        self,
        repository_id: int,
        name: str,
        token_hash: str,
        by: str,
        at: datetime,
        *,
        kind: TokenKind = TokenKind.READ,
    ) -> ReadToken | None:
        """Stores a new token; ``None`` if the repository has ``MOST_TOKENS``."""
        row = ReadTokens(
            repository_id=repository_id, name=name, hash=token_hash, made_by=by, made_at=at, kind=kind.value
        )
        with self._database.writing() as session:
            hold(session, repository_id)
            own = (col(ReadTokens.repository_id) == repository_id, col(ReadTokens.revoked_at).is_(None))
            if len(session.exec(select(ReadTokens.id).where(*own)).all()) >= MOST_TOKENS:
                return None
            session.add(row)
            session.flush()
            return _token(row)

    def read_tokens(self, repository_id: int) -> list[ReadToken]:
        """Returns the tokens of a repository, newest first, revoked ones too."""
        of = select(ReadTokens).where(col(ReadTokens.repository_id) == repository_id)
        with self._database.reading() as session:
            return [_token(row) for row in session.exec(of.order_by(col(ReadTokens.id).desc()).limit(MOST_TOKENS * 2))]

    def revoke_token(self, repository_id: int, token_id: int, at: datetime) -> bool:
        """Revokes a token for good. Returns False if the repository has no such token that works."""
        with self._database.writing() as session:
            row = session.get(ReadTokens, token_id, with_for_update=True)
            if row is None or row.repository_id != repository_id or row.revoked_at is not None:
                return False
            row.revoked_at = at
            return True

    def has_ingest_token(self, repository_id: int) -> bool:
        """Whether an application of this repository may send what happens in production."""
        of = select(ReadTokens.id).where(col(ReadTokens.repository_id) == repository_id, *_INGESTS)
        with self._database.reading() as session:
            return session.exec(of.limit(1)).first() is not None

    def token_owner(self, token_hash: str, at: datetime, kind: TokenKind = TokenKind.READ) -> TokenOwner | None:
        """Returns what a token is for; ``None`` if it is unknown, revoked or of another kind, or the App was removed.

        Notes the use, once in ``USED_EVERY``.
        """
        of = (
            select(ReadTokens, Repositories, Installations)
            .join(Repositories, col(Repositories.id) == col(ReadTokens.repository_id))
            .join(Installations, col(Installations.id) == col(Repositories.installation_id))
            .where(col(ReadTokens.hash) == token_hash, col(ReadTokens.kind) == kind.value)
            .where(col(ReadTokens.revoked_at).is_(None))
            .where(col(Installations.removed_at).is_(None))
        )
        with self._database.reading() as session:
            found = session.exec(of).first()
        if found is None:
            return None
        token, repository, _ = found
        if token.used_at is None or at - token.used_at > USED_EVERY:
            # A full disk must not keep applications from reading, and a reader needs no note.
            with suppress(StoreError), self._database.writing() as session:
                row = session.get(ReadTokens, token.id)
                if row is not None:
                    row.used_at = at
        repo = RepositoryRef(
            installation_id=repository.installation_id, repository_id=repository.id, full_name=repository.name
        )
        return TokenOwner(token_id=token.id or 0, repo=repo)


def _token(row: ReadTokens) -> ReadToken:
    return ReadToken.model_validate({name: getattr(row, name) for name in ReadToken.model_fields})
