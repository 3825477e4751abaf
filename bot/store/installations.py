"""Installations and repositories, and the removal of everything that belongs to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, literal, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from bot.store.columns import Instant
from bot.store.database import add_once, portions
from bot.store.deliveries import installation_of
from bot.store.name_tables import FormerNames
from bot.store.owned_tables import CONTENT
from bot.store.tables import Deliveries, Installations, OrphanedOutcomes, Outcomes, Repositories
from schemas.errors import StoreError

if TYPE_CHECKING:
    from sqlmodel import Session

    from bot.store.database import Database
    from bot.store.values import RepositoryRef


class InstallationRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def installed(self, installation_id: int, account: str, at: datetime) -> None:
        """Records an active installation."""
        with self._database.writing() as session:
            row = session.get(Installations, installation_id, with_for_update=True)
            if row is None:
                session.add(Installations(id=installation_id, account=account, seen_at=at))
            # A late event must not revive a removed installation: GitHub gives a new installation a new id.
            elif row.removed_at is None:
                row.account, row.seen_at, row.suspended_at = account, at, None

    def suspended(self, installation_id: int, at: datetime) -> None:
        """Records a suspended installation: nothing runs there, and its records stay."""
        with self._database.writing() as session:
            row = session.get(Installations, installation_id, with_for_update=True)
            if row is not None and row.removed_at is None:
                row.suspended_at = at

    def uninstalled(self, installation_id: int, at: datetime) -> None:
        """Removes everything of an installation except the audit log without its reasons. May be repeated."""
        with self._database.removing() as session:
            row = session.get(Installations, installation_id, with_for_update=True)
            if row is None:
                row = Installations(id=installation_id, account="", seen_at=at)
                session.add(row)
            # The row stays as a mark, so that writers which come late fail. The account's name goes.
            row.account, row.removed_at = "", row.removed_at or at
            own = select(Repositories.id).where(col(Repositories.installation_id) == installation_id)
            for repository in session.exec(own.with_for_update()).all():
                _remove(session, repository, at)
            _forget_deliveries(session, installation_id, at)

    def repositories_removed(self, installation_id: int, repository_ids: Collection[int], at: datetime) -> None:
        """Removes everything of these repositories of an installation. May be repeated."""
        with self._database.removing() as session:
            here = (
                col(Repositories.installation_id) == installation_id,
                col(Repositories.id).in_(list(repository_ids)),
            )
            for repository in session.exec(select(Repositories.id).where(*here).with_for_update()).all():
                _remove(session, repository, at)

    def repository(self, repo: RepositoryRef, at: datetime) -> None:
        """Records a repository and its present name. Raises StoreError if the installation was removed."""
        with self._database.writing() as session:
            seen(session, repo, at)

    def orphaned_outcomes(self, *, after: str, limit: int) -> tuple[str, ...]:
        """Returns digests after ``after``, in order, that only removed repositories used in the outcome store."""
        with self._database.reading() as session:
            in_use = select(Outcomes).where(col(Outcomes.digest) == col(OrphanedOutcomes.digest)).exists()
            # Digests that are in use again are left out: another repository may have asked the same since.
            ours = select(OrphanedOutcomes.digest).where(~in_use, col(OrphanedOutcomes.digest) > after)
            return tuple(session.exec(ours.order_by(col(OrphanedOutcomes.digest)).limit(limit)))

    def outcomes_deleted(self, digests: Sequence[str], *, before: datetime) -> None:
        """Forgets digests that were deleted from the outcome store.

        Those orphaned after ``before`` stay listed: a call that was under way may still store its answer.
        """
        with self._database.writing() as session:
            for some in portions(digests):
                session.exec(
                    delete(OrphanedOutcomes).where(
                        col(OrphanedOutcomes.digest).in_(some), col(OrphanedOutcomes.since) <= before
                    )
                )

    def use_outcomes(self, repository_id: int, digests: Collection[str], at: datetime) -> None:
        """Records that this repository refers to these rows of the outcome store, before anything is paid.

        Raises StoreError if the repository was removed: nothing is paid for it any more.
        """
        with self._database.writing() as session:
            hold(session, repository_id)
            # Sorted, so two writers lock rows in the same order and can't deadlock.
            for some in portions(sorted(set(digests))):
                here = (col(Outcomes.repository_id) == repository_id, col(Outcomes.digest).in_(some))
                there = frozenset(session.exec(select(Outcomes.digest).where(*here)))
                session.exec(update(Outcomes).where(*here).values(used_at=at))
                owned = {"repository_id": repository_id, "used_at": at}
                fresh = [owned | {"digest": digest} for digest in some if digest not in there]
                if fresh:
                    session.exec(insert(Outcomes), params=fresh)
                session.exec(delete(OrphanedOutcomes).where(col(OrphanedOutcomes.digest).in_(some)))


def seen(session: Session, repo: RepositoryRef, at: datetime) -> Repositories:
    """Creates or updates the repository's row and locks it until the transaction ends."""
    account = repo.full_name.partition("/")[0]
    # Installation first, then repository: every writer that needs both locks them in this order. Shared, so that the
    # writers of an organization's repositories don't wait for each other, but a removal does.
    shared = {"read": True}
    installation = session.get(Installations, repo.installation_id, with_for_update=shared)
    if installation is None:
        add_once(session, Installations(id=repo.installation_id, account=account, seen_at=at))
        installation = session.get_one(Installations, repo.installation_id, with_for_update=shared)
    if installation.removed_at is not None:
        raise gone(f"installation {repo.installation_id}")
    row = session.get(Repositories, repo.repository_id, with_for_update=True)
    if row is None:
        here = Repositories(
            id=repo.repository_id, installation_id=repo.installation_id, name=repo.full_name, seen_at=at
        )
        add_once(session, here)
        row = session.get_one(Repositories, repo.repository_id, with_for_update=True)
    # A repository can be renamed, or move to another account and so to another installation. Its id stays.
    if row.name.lower() != repo.full_name.lower():
        add_once(session, FormerNames(repository_id=row.id, name=row.name.lower(), until=at))
    row.installation_id, row.name, row.seen_at = repo.installation_id, repo.full_name, at
    return row


def gone(what: str) -> StoreError:
    """Returns the error about something that was removed."""
    return StoreError(f"{what} does not exist, or the App was removed from it", hint="nothing needs to be done")


def hold(session: Session, repository_id: int) -> None:
    """Locks the repository's row before any other row.

    So writers of one repository take turns, and a writer that comes after a removal fails. Raises StoreError for a
    removed repository.
    """
    held = select(Repositories.id).where(col(Repositories.id) == repository_id).with_for_update()
    if session.exec(held).first() is None:
        raise gone(f"repository {repository_id}")


def _remove(session: Session, repository_id: int, at: datetime) -> None:
    """Removes everything of a repository whose row is locked. Outcomes that only it used are listed for deletion."""
    other = aliased(Outcomes)
    shared = select(other).where(col(other.digest) == col(Outcomes.digest), col(other.repository_id) != repository_id)
    known = select(OrphanedOutcomes).where(col(OrphanedOutcomes.digest) == col(Outcomes.digest))
    # Computed by the database in one statement, because a repository may have very many rows.
    orphans = select(Outcomes.digest, literal(at, Instant)).where(
        col(Outcomes.repository_id) == repository_id, ~shared.exists(), ~known.exists()
    )
    session.exec(insert(OrphanedOutcomes).from_select(["digest", "since"], orphans))
    for table in CONTENT:
        owner = Repositories.id if table is Repositories else table.__table__.c.repository_id  # type: ignore[attr-defined]
        session.exec(delete(table).where(col(owner) == repository_id))


def _forget_deliveries(session: Session, installation_id: int, at: datetime) -> None:
    """Deletes the bodies and notes of an installation's webhooks, including those that were not read yet."""
    # Deliveries that no worker has claimed yet have no installation in their row, so their bodies are read.
    unread = select(Deliveries.id).where(col(Deliveries.installation_id).is_(None), col(Deliveries.body).is_not(None))
    ids = []
    # One body at a time: each may have 25 MB.
    for delivery in session.exec(unread).all():
        body = session.exec(select(Deliveries.body).where(col(Deliveries.id) == delivery)).one()
        if installation_of(body or b"") == installation_id:
            ids.append(delivery)
    forgotten = update(Deliveries).values(body=None, note="")
    ended = forgotten.values(state="handled", worker=None, ended_at=at)
    for some in portions(ids):
        session.exec(ended.where(col(Deliveries.id).in_(some)))
    own = col(Deliveries.installation_id) == installation_id
    session.exec(ended.where(own, col(Deliveries.state) == "waiting"))
    session.exec(forgotten.where(own))
