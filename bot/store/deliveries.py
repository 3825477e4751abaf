"""The ledger of webhooks: stored once by GitHub's id, claimed with a lease, handled or failed."""

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
        """Stores a delivery, synced. False: it was there already (a redelivery). One that was given up is tried anew:
        somebody had GitHub send it again."""
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
        """Up to ``limit`` deliveries that nobody handles, oldest first, for ``lease_s`` seconds. Comments come last,
        and at most ``comments`` of them. Who is killed meanwhile loses them when the lease ends; what killed its
        worker ``MOST_TRIES`` times has failed."""
        until = at + timedelta(seconds=lease_s)
        waiting = (
            select(Rows)
            .where(col(Rows.state) == WAITING, col(Rows.next_at) <= at)
            .order_by(col(Rows.sequence))
            .with_for_update(skip_locked=True)
        )
        with self._database.writing() as session:
            rows = list(session.exec(waiting.where(col(Rows.event) != COMMENT).limit(limit)))
            left = limit - len(rows)
            if (left := left if comments is None else min(left, comments)) > 0:
                rows += session.exec(waiting.where(col(Rows.event) == COMMENT).limit(left))
            lost = [row for row in rows if row.tries >= MOST_TRIES]
            for row in lost:
                row.state, row.worker, row.ended_at, row.note = FAILED, None, at, "nobody who tried came back"
            claimed = [row for row in rows if row.tries < MOST_TRIES]
            for row in claimed:
                row.worker, row.next_at, row.tries = worker, until, row.tries + 1
                row.installation_id = row.installation_id or installation_of(row.body or b"")
            return [_claimed(row) for row in claimed]

    def handled(self, delivery: Delivery, note: str, at: datetime) -> None:
        """It is done, whoever holds it by now; its body is dropped, its id stays known."""
        self._end(delivery.id, HANDLED, note, at, body=None)

    def retry(self, delivery: Delivery, at: datetime, note: str, *, counts: bool = True) -> bool:
        """Gives it back until ``at``; after ``MOST_TRIES`` tries that count it has failed. False: the lease had ended
        and somebody else holds it by now."""
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
        """What a dead worker had claimed is there for everybody at once, not only when its lease ends; how many."""
        theirs = (col(Rows.worker) == worker, col(Rows.state) == WAITING, col(Rows.next_at) > at)
        with self._database.writing() as session:
            return session.exec(update(Rows).where(*theirs).values(next_at=at, worker=None)).rowcount

    def known_deliveries(self, ids: Collection[str]) -> frozenset[str]:
        """Those that the ledger has, handled or not."""
        with self._database.reading() as session:
            known = [session.exec(select(Rows.id).where(col(Rows.id).in_(some))) for some in portions(list(ids))]
            return frozenset(delivery for some in known for delivery in some)

    def unhandled_count(self) -> int:
        """Deliveries that wait or are being handled."""
        return self._count(WAITING)

    def failed_count(self) -> int:
        """Deliveries that were given up."""
        return self._count(FAILED)

    def oldest_unhandled(self) -> datetime | None:
        """When the one that waits longest came."""
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
    """Which installation a webhook is about; ``None`` when it doesn't say."""
    try:
        payload = from_json(body)
    except ValueError:
        return None
    installation = payload.get("installation") if isinstance(payload, dict) else None
    found = installation.get("id") if isinstance(installation, dict) else None
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
