"""The audit log: who did what. Rows are only added; database triggers refuse updates and deletes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlmodel import col, select

from bot.store.installations import hold
from bot.store.tables import Audit, AuditReasons
from bot.store.values import APPROVE, APPROVE_RUN, AuditEntry

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.sql.expression import SelectOfScalar

    from bot.store.database import Database

WORDS = ("reason", "url")


class AuditRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def audit(self, entry: AuditEntry) -> bool:
        """Adds an entry. Returns False if its comment, or the same act of a person, has one already.

        Raises StoreError for a removed repository.
        """
        with self._database.writing() as session:
            hold(session, entry.repository_id)
            # A command may be handled twice, and a review is read again and again. The first entry is the one that
            # took effect.
            if session.exec(_same(entry)).first() is not None:
                return False
            add_entry(session, entry)
            return True

    def audited(self, comment_id: int) -> AuditEntry | None:
        """Returns the entry of a comment."""
        found = self._entries(_of_comment(comment_id))
        return found[0] if found else None

    def overrides(self, repository_id: int, number: int, content_digest: str, at: datetime) -> list[AuditEntry]:
        """Returns the approvals of exactly this content that are valid at ``at``, newest first."""
        return self._entries(
            select(Audit)
            .where(
                col(Audit.repository_id) == repository_id,
                col(Audit.number) == number,
                col(Audit.action) == APPROVE,
                col(Audit.permitted).is_(True),
                # Bound to the content and not to the commit: a new commit with the same content keeps the approval.
                col(Audit.content_digest) == content_digest,
                col(Audit.at) <= at,
                col(Audit.expires_at) > at,
            )
            .order_by(col(Audit.id).desc())
        )

    def approved_head(self, repository_id: int, number: int, head_sha: str) -> bool:
        """Returns whether a run of exactly this head of a fork was approved."""
        wanted = select(Audit).where(
            col(Audit.repository_id) == repository_id,
            col(Audit.number) == number,
            col(Audit.action) == APPROVE_RUN,
            col(Audit.permitted).is_(True),
            col(Audit.head_sha) == head_sha,
        )
        return bool(self._entries(wanted.limit(1)))

    def audit_log(self, repository_id: int, number: int) -> list[AuditEntry]:
        """Returns all entries of a pull request, oldest first."""
        here = (col(Audit.repository_id) == repository_id, col(Audit.number) == number)
        return self._entries(select(Audit).where(*here).order_by(col(Audit.id)))

    def _entries(self, wanted: SelectOfScalar[Audit]) -> list[AuditEntry]:
        with self._database.reading() as session:
            return entries(session, wanted)


def add_entry(session: Session, entry: AuditEntry) -> None:
    """Adds an entry of a repository that this transaction has locked, together with what it describes."""
    row = Audit(**entry.model_dump(exclude=set(WORDS)))
    session.add(row)
    session.flush()
    # The words are in a table of their own: the log itself can't be changed, and reasons must go with their repository.
    session.add(
        AuditReasons(audit_id=row.id or 0, repository_id=entry.repository_id, reason=entry.reason, url=entry.url)
    )


def entries(session: Session, wanted: SelectOfScalar[Audit]) -> list[AuditEntry]:
    """Returns entries with their reasons."""
    rows = session.exec(wanted).all()
    texts = session.exec(select(AuditReasons).where(col(AuditReasons.audit_id).in_([row.id for row in rows])))
    words = {text.audit_id: text for text in texts}
    return [_entry(row, words.get(row.id or 0)) for row in rows]


def _same(entry: AuditEntry) -> SelectOfScalar[Audit]:
    if entry.comment_id is not None:
        return _of_comment(entry.comment_id)
    return select(Audit).where(
        col(Audit.repository_id) == entry.repository_id,
        col(Audit.number) == entry.number,
        col(Audit.action) == entry.action,
        col(Audit.by) == entry.by,
        col(Audit.at) == entry.at,
    )


def _of_comment(comment_id: int) -> SelectOfScalar[Audit]:
    return select(Audit).where(col(Audit.comment_id) == comment_id)


def _entry(row: Audit, words: AuditReasons | None) -> AuditEntry:
    fields = {name: getattr(row, name) for name in AuditEntry.model_fields if name not in WORDS}
    return AuditEntry.model_validate(
        fields | {"reason": words.reason if words else "", "url": words.url if words else None}
    )
