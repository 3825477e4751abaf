"""Stores the scheduled watch: which prompts, when next, and the scores of each run."""

from __future__ import annotations

import zlib
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlmodel import col, select

from bot.store.alert_tables import WatchAnswers, Watches
from bot.store.audit import add_entry
from bot.store.database import add_once
from bot.store.installations import hold
from bot.store.runs import OPEN
from bot.store.tables import Runs
from bot.store.watch_values import Watch, WatchedDay
from engine.drift.reading import Reading
from engine.watch.answers import WatchedAnswers

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.sql.expression import SelectOfScalar

    from bot.store.database import Database
    from bot.store.values import AuditEntry


class WatchRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def set_watch(self, lineage: str, entry: AuditEntry, *, every_days: int | None) -> Watch | None:
        """Starts or changes the watch of a prompt; ``None`` stops it. Its first run is due at once.

        ``entry`` says who does it in which repository, and when. It is added to the audit log.
        """
        repository_id, by, at = entry.repository_id, entry.by, entry.at
        with self._database.writing() as session:
            hold(session, repository_id)
            add_entry(session, entry)
            row = session.get(Watches, (repository_id, lineage))
            if every_days is None:
                if row is not None:
                    session.delete(row)
                return None
            if row is None:
                row = Watches(
                    repository_id=repository_id, lineage=lineage, every_days=every_days, by=by, asked_at=at,
                    next_on=at.date(),
                )  # fmt: skip
            row.every_days, row.by, row.asked_at, row.next_on = every_days, by, at, min(row.next_on, at.date())
            session.add(row)
            return _watch(row)

    def watches(self, repository_id: int) -> list[Watch]:
        """Returns the watches of a repository, by prompt."""
        return self._watches(select(Watches).where(col(Watches.repository_id) == repository_id))

    def due_watches(self, day: date) -> list[Watch]:
        """Returns the watches whose next run is due and that have no open run."""
        running = select(Runs).where(col(Runs.id) == col(Watches.run_id), col(Runs.state).in_(OPEN)).exists()
        return self._watches(select(Watches).where(col(Watches.next_on) <= day, ~running))

    def watch_of_run(self, run_id: str) -> Watch | None:
        """Returns the watch that a run is for; ``None`` if it was stopped, or a later run has begun."""
        found = self._watches(select(Watches).where(col(Watches.run_id) == run_id))
        return found[0] if found else None

    def watch_goes_on(
        self, watch: Watch, *, next_on: date | None = None, run_id: str | None = None, trouble: str = ""
    ) -> bool:
        """Records the day of the next run, the run that begins, or why one came to no result. Returns False if the
        watch was stopped."""
        with self._database.writing() as session:
            row = session.get(Watches, (watch.repository_id, watch.lineage), with_for_update=True)
            if row is None:
                return False
            row.next_on, row.run_id, row.trouble = next_on or row.next_on, run_id or row.run_id, trouble
            return True

    def keep_watched(self, repository_id: int, lineage: str, digest: str, answers: WatchedAnswers) -> None:
        """Stores the answers of one model on one day, once."""
        with self._database.writing() as session:
            hold(session, repository_id)
            add_once(
                session,
                WatchAnswers(
                    repository_id=repository_id, lineage=lineage, model=answers.record.model, day=answers.day,
                    digest=digest, answers=zlib.compress(answers.model_dump_json().encode()), is_baseline=False,
                ),
            )  # fmt: skip

    def watched(self, repository_id: int, lineage: str, day: date) -> list[WatchedDay]:
        """Returns the answers of a day, by model."""
        of = _answers(repository_id, lineage).where(col(WatchAnswers.day) == day)
        with self._database.reading() as session:
            return [_day(row) for row in session.exec(of.order_by(col(WatchAnswers.model)))]

    def watch_baseline(self, repository_id: int, lineage: str, model: str) -> WatchedDay | None:
        """Returns the answers with which a model's later runs are compared."""
        of = _answers(repository_id, lineage).where(
            col(WatchAnswers.model) == model, col(WatchAnswers.is_baseline).is_(True)
        )
        with self._database.reading() as session:
            row = session.exec(of.order_by(col(WatchAnswers.day).desc()).limit(1)).first()
            return None if row is None else _day(row)

    def judge_watched(
        self, repository_id: int, lineage: str, one: WatchedDay, *, reading: Reading, baseline: bool
    ) -> None:
        """Records what a run showed; ``baseline``: later runs are compared with it.

        The answers of the days before the baseline are deleted, since nothing is compared with them any more.
        """
        with self._database.writing() as session:
            hold(session, repository_id)
            row = _row(session, repository_id, lineage, one)
            if row is None:
                return
            row.reading, row.is_baseline = reading.model_dump_json(), baseline
            if baseline:
                old = (col(WatchAnswers.model) == one.model, col(WatchAnswers.day) < one.day)
                here = (col(WatchAnswers.repository_id) == repository_id, col(WatchAnswers.lineage) == lineage)
                session.exec(delete(WatchAnswers).where(*here, *old))

    def _watches(self, of: SelectOfScalar[Watches]) -> list[Watch]:
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(Watches.repository_id), col(Watches.lineage))).all()
            return [_watch(row) for row in rows]


def _answers(repository_id: int, lineage: str) -> SelectOfScalar[WatchAnswers]:
    return select(WatchAnswers).where(
        col(WatchAnswers.repository_id) == repository_id, col(WatchAnswers.lineage) == lineage
    )


def _row(session: Session, repository_id: int, lineage: str, one: WatchedDay) -> WatchAnswers | None:
    of = _answers(repository_id, lineage).where(col(WatchAnswers.model) == one.model, col(WatchAnswers.day) == one.day)
    return session.exec(of).first()


def _watch(row: Watches) -> Watch:
    return Watch(**row.model_dump())


def _day(row: WatchAnswers) -> WatchedDay:
    return WatchedDay(
        model=row.model,
        day=row.day,
        digest=row.digest,
        answers=WatchedAnswers.model_validate_json(zlib.decompress(row.answers)),
        is_baseline=row.is_baseline,
        reading=Reading.model_validate_json(row.reading) if row.reading else None,
    )
