"""The ledger of webhooks: stored once by GitHub's id, claimed with a lease, then handled or failed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic_core import from_json
from sqlalchemy import func, update
from sqlmodel import col, select

from bot.store.database import add_once, portions
from bot.store.tables import Deliveries as Rows
from bot.store.values import MOST_TRIES, Delivery

if TYPE_CHECKING:
    from bot.store.database import Database

LONGEST_NOTE = 500
WAITING, HANDLED, FAILED = "waiting", "handled", "failed"
COMMENT = "issue_comment"


class DeliveryRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def receive(self, delivery_id: str, event: str, body: bytes, at: datetime) -> bool:
        """Stores a delivery, synced.

        Returns False if it is known. A failed one that GitHub sends again is tried again.
        """
        row = Rows(id=delivery_id, event=event, body=body, received_at=at, state=WAITING, next_at=at)
        failed = (col(Rows.id) == delivery_id, col(Rows.state) == FAILED)
        anew = {"state": WAITING, "event": event, "body": body, "received_at": at, "next_at": at, "ended_at": None}
        with self._database.writing() as session:
            return add_once(session, row) or bool(
                session.exec(update(Rows).where(*failed).values(**anew, tries=0)).rowcount
            )

    def claim(
        self, worker: str, limit: int, lease_s: float, at: datetime, *, comments: int | None = None
    ) -> list[Delivery]:
        """Claims up to ``limit`` waiting deliveries for ``lease_s`` seconds, oldest first.

        Comments come last, and at most ``comments`` of them. If the worker dies, another can claim them when the
        lease ends. A delivery whose workers died ``MOST_TRIES`` times has failed.
        """
        until = at + timedelta(seconds=lease_s)
        waiting = (
            select(Rows)
            .where(col(Rows.state) == WAITING, col(Rows.next_at) <= at)
            .order_by(col(Rows.sequence))
            # Rows that another worker is claiming are skipped, so workers don't wait for each other.
            .with_for_update(skip_locked=True)
        )
        with self._database.writing() as session:
            rows = list(session.exec(waiting.where(col(Rows.event) != COMMENT).limit(limit)))
            left = limit - len(rows)
            if (left := left if comments is None else min(left, comments)) > 0:
                # Two queries, so that a flood of comments can't push pushes and reviews out of the limit.
                rows += session.exec(waiting.where(col(Rows.event) == COMMENT).limit(left))
            lost = [row for row in rows if row.tries >= MOST_TRIES]
            for row in lost:
                row.state, row.worker, row.ended_at, row.note = FAILED, None, at, "every worker that tried it died"
            claimed = [row for row in rows if row.tries < MOST_TRIES]
            for row in claimed:
                # The lease is simply the time of the next try: if this worker dies, the row becomes claimable by
                # itself.
                row.worker, row.next_at, row.tries = worker, until, row.tries + 1
                # Parsed here and not on receipt, where GitHub waits for the answer.
                row.installation_id = row.installation_id or installation_of(row.body or b"")
            return [_claimed(row) for row in claimed]

    def handled(self, delivery: Delivery, note: str, at: datetime) -> None:
        """Marks a delivery as handled, even if another worker holds it. Its body is dropped; its id stays known."""
        self._end(delivery.id, HANDLED, note, at, body=None)

    def retry(self, delivery: Delivery, at: datetime, note: str, *, counts: bool = True) -> bool:
        """Returns a delivery to the ledger until ``at``. It fails after ``MOST_TRIES`` tries that count.

        Returns False if the lease had ended and another worker holds it.
        """
        # The number of tries names the lease: another worker's claim would have raised it.
        mine = (col(Rows.id) == delivery.id, col(Rows.state) == WAITING, col(Rows.tries) == delivery.tries)
        failed = counts and delivery.tries >= MOST_TRIES
        tries = delivery.tries if counts else delivery.tries - 1
        ending = {"state": FAILED, "ended_at": at} if failed else {}
        with self._database.writing() as session:
            done = session.exec(
                update(Rows)
                .where(*mine)
                .values(next_at=at, worker=None, note=note[:LONGEST_NOTE], tries=tries, **ending)
            )
            return done.rowcount == 1

    def give_back(self, worker: str, at: datetime) -> int:
        """Frees the deliveries of a dead worker before their leases end; returns how many."""
        theirs = (col(Rows.worker) == worker, col(Rows.state) == WAITING, col(Rows.next_at) > at)
        with self._database.writing() as session:
            return session.exec(update(Rows).where(*theirs).values(next_at=at, worker=None)).rowcount

    def known_deliveries(self, ids: Collection[str]) -> frozenset[str]:
        """Returns the ``ids`` that are in the ledger, handled or not."""
        with self._database.reading() as session:
            known = [session.exec(select(Rows.id).where(col(Rows.id).in_(some))) for some in portions(list(ids))]
            return frozenset(delivery for some in known for delivery in some)

    def unhandled_count(self) -> int:
        """Counts the deliveries that wait or are being handled."""
        return self._count(WAITING)

    def failed_count(self) -> int:
        """Counts the deliveries that failed."""
        return self._count(FAILED)

    def oldest_unhandled(self) -> datetime | None:
        """Returns when the oldest waiting delivery arrived."""
        with self._database.reading() as session:
            return session.exec(select(func.min(Rows.received_at)).where(col(Rows.state) == WAITING)).one()

    def _count(self, state: str) -> int:
        with self._database.reading() as session:
            return session.exec(select(func.count()).select_from(Rows).where(col(Rows.state) == state)).one()

    def _end(self, delivery_id: str, state: str, note: str, at: datetime, *, body: bytes | None) -> None:
        mine = (col(Rows.id) == delivery_id, col(Rows.state) == WAITING)
        with self._database.writing() as session:
            session.exec(
                update(Rows)
                .where(*mine)
                .values(state=state, worker=None, note=note[:LONGEST_NOTE], ended_at=at, body=body)
            )


def installation_of(body: bytes) -> int | None:
    """Returns the installation that a webhook is about; ``None`` if the body names none."""
    try:
        payload = from_json(body)
    except ValueError:
        return None
    installation = payload.get("installation") if isinstance(payload, dict) else None
    found = installation.get("id") if isinstance(installation, dict) else None
    # A larger number doesn't fit into the database's 64-bit column.
    return found if isinstance(found, int) and 0 < found < 2**63 else None


def _claimed(row: Rows) -> Delivery:
    return Delivery(
        id=row.id,
        event=row.event,
        body=row.body or b"",
        received_at=row.received_at,
        tries=row.tries,
        worker=row.worker or "",
        lease_until=row.next_at,
    )
