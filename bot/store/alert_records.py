"""Stores alerts: the newest reading of each question, and the episodes that messages report."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlmodel import col, or_, select

from bot.store.alert_tables import AlertEpisodes, Alerts, WorkerTurns
from bot.store.alert_values import Alert, Episode
from bot.store.audit import add_entry
from bot.store.database import add_once
from bot.store.installations import hold
from bot.store.tables import Repositories
from engine.alerts.states import AlertState, Standing, after, paused, resumed
from engine.drift.reading import Question, Reading

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.sql.expression import SelectOfScalar

    from bot.store.database import Database
    from bot.store.values import AuditEntry

TOGETHER = 100


class AlertRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def take_turn(self, name: str, slot: str, at: datetime, until: datetime) -> bool:
        """Reserves some work for this worker until a time. Returns False if another worker has it."""
        with self._database.writing() as session:
            if add_once(session, WorkerTurns(name=name, slot=slot, until=until)):
                return True
            row = session.exec(select(WorkerTurns).where(col(WorkerTurns.name) == name).with_for_update()).one()
            if row.slot != slot and row.until > at:
                return False
            row.slot, row.until = slot, until
            return True

    def alert(self, repository_id: int, lineage: str, question: Question) -> Alert | None:
        """Returns one alert; ``None`` if nothing was read yet."""
        found = self._alerts(_one(repository_id, lineage, question))
        return found[0] if found else None

    def alerts(self, repository_id: int) -> list[Alert]:
        """Returns every alert of a repository, by prompt and question."""
        of = select(Alerts).where(col(Alerts.repository_id) == repository_id)
        return self._alerts(of.order_by(col(Alerts.lineage), col(Alerts.id)))

    def raised_alerts(self, repository_ids: Collection[int]) -> list[Alert]:
        """Returns the alerts and warnings of these repositories, alerts first, newest first."""
        raised = (AlertState.ALERT.value, AlertState.WARNING.value)
        of = select(Alerts).where(col(Alerts.repository_id).in_(list(repository_ids)), col(Alerts.state).in_(raised))
        return self._alerts(of.order_by(col(Alerts.state), col(Alerts.changed_at).desc()).limit(TOGETHER))

    def _alerts(self, of: SelectOfScalar[Alerts]) -> list[Alert]:
        with self._database.reading() as session:
            rows = session.exec(of).all()
            open_ones = [row.episode for row in rows if row.episode is not None]
            episodes = select(AlertEpisodes).where(col(AlertEpisodes.id).in_(open_ones))
            told = {one.id: one for one in session.exec(episodes)} if open_ones else {}
            return [_alert(row, told.get(row.episode or "")) for row in rows]

    def keep_reading(
        self, repository_id: int, lineage: str, reading: Reading, *, start: date | None, episode_id: str, at: datetime
    ) -> Alert:
        """Stores a reading and what follows from it. A reading of a day that was read before changes nothing.

        ``start`` is the first day of the baseline from now on. ``episode_id`` names the episode that begins if this
        raises an alert.
        """
        with self._database.writing() as session:
            hold(session, repository_id)
            row = session.exec(_one(repository_id, lineage, reading.question)).first()
            if row is None:
                row = Alerts(
                    repository_id=repository_id, lineage=lineage, question=reading.question.value,
                    state=AlertState.NO_DATA.value, standing=Standing().model_dump_json(), changed_at=at,
                )  # fmt: skip
                session.add(row)
            before = Standing.model_validate_json(row.standing)
            now = after(before, reading.level, reading.day)
            if now == before:
                return _alert(row, None)
            row.reading, row.start = reading.model_dump_json(), start
            episode = _follow(session, row, now, reading, episode_id=episode_id, at=at)
            _stand(row, now, at)
            return _alert(row, episode)

    def pause_alert(self, lineage: str, question: Question, entry: AuditEntry) -> bool:
        """Pauses an alert. An open episode ends. Returns False if there is no such alert, or it is paused.

        ``entry`` says who pauses which repository's alert, and when. It is added to the audit log, as by the methods
        below.
        """
        with self._database.writing() as session:
            row, at = _held(session, entry.repository_id, lineage, question), entry.at
            if row is None or row.state == AlertState.PAUSED.value:
                return False
            _end(session, row, at.date())
            _stand(row, paused(Standing.model_validate_json(row.standing), at.date()), at)
            row.by = entry.by
            add_entry(session, entry)
            return True

    def resume_alert(self, lineage: str, question: Question, entry: AuditEntry) -> bool:
        """Resumes a paused alert. Returns False if it is not paused."""
        with self._database.writing() as session:
            row, at = _held(session, entry.repository_id, lineage, question), entry.at
            if row is None or row.state != AlertState.PAUSED.value:
                return False
            _stand(row, resumed(Standing.model_validate_json(row.standing), at.date()), at)
            row.by = None
            add_entry(session, entry)
            return True

    def restart_alert(self, lineage: str, question: Question, entry: AuditEntry, *, start: date | None) -> bool:
        """Starts a new baseline at ``start``, and ends an open episode. Returns False if there is no such alert."""
        with self._database.writing() as session:
            row, at = _held(session, entry.repository_id, lineage, question), entry.at
            if row is None:
                return False
            _end(session, row, at.date())
            row.start = start
            _stand(row, resumed(Standing.model_validate_json(row.standing), at.date()), at)
            add_entry(session, entry)
            return True

    def untold_episodes(self, *, channels: bool) -> list[Episode]:
        """Returns the episodes about which something is to be told, oldest first. ``channels``: there are others than
        issues."""
        untold = (col(AlertEpisodes.told_version) < col(AlertEpisodes.version)) & ~col(AlertEpisodes.refused)
        sent_on, ended = col(AlertEpisodes.sent_on), col(AlertEpisodes.ended_on).is_not(None)
        due = or_(sent_on.is_(None), sent_on < col(AlertEpisodes.told_on)) & (col(AlertEpisodes.closed_by) == "")
        # As ``Episode.is_unsent``. Episodes that need nothing would fill the portion, for ever.
        unsent = or_(~ended & due, ended & sent_on.is_not(None) & ~col(AlertEpisodes.sent_end))
        there = select(Repositories.id).where(col(Repositories.id) == col(AlertEpisodes.repository_id))
        of = select(AlertEpisodes).where(or_(untold, unsent) if channels else untold, there.exists())
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(AlertEpisodes.opened_at)).limit(TOGETHER)).all()
            return [_episode(row) for row in rows]

    def episode_told(
        self,
        episode: Episode,
        *,
        issue: int | None = None,
        version: int | None = None,
        sent: bool = False,
        closed_by: str = "",
        refused: bool = False,
    ) -> None:
        """Records what was told about an episode: its issue, the version on the issue, whether other channels got
        it."""
        with self._database.writing() as session:
            hold(session, episode.repository_id)
            row = session.get(AlertEpisodes, episode.id)
            if row is None:
                return
            row.issue = issue or row.issue
            row.told_version = max(row.told_version, version or 0)
            if sent:
                row.sent_on, row.sent_end = episode.told_on, episode.ended_on is not None
            row.closed_by = closed_by or row.closed_by
            row.refused = row.refused or refused


def _one(repository_id: int, lineage: str, question: Question) -> SelectOfScalar[Alerts]:
    return select(Alerts).where(
        col(Alerts.repository_id) == repository_id,
        col(Alerts.lineage) == lineage,
        col(Alerts.question) == question.value,
    )


def _held(session: Session, repository_id: int, lineage: str, question: Question) -> Alerts | None:
    hold(session, repository_id)
    return session.exec(_one(repository_id, lineage, question)).first()


def _stand(row: Alerts, standing: Standing, at: datetime) -> None:
    if row.state != standing.state.value:
        row.changed_at = at
    row.state, row.standing = standing.state.value, standing.model_dump_json()


def _follow(
    session: Session, row: Alerts, standing: Standing, reading: Reading, *, episode_id: str, at: datetime
) -> AlertEpisodes | None:
    """Opens, goes on with or ends the episode of an alert."""
    if standing.state is not AlertState.ALERT:
        _end(session, row, reading.day, reading)
        return None
    told = standing.told or reading.day
    episode = session.get(AlertEpisodes, row.episode) if row.episode else None
    if episode is None:
        episode = AlertEpisodes(
            id=episode_id, repository_id=row.repository_id, lineage=row.lineage, question=row.question,
            opened_at=at, reading=reading.model_dump_json(), opened_on=reading.day, told_on=told, version=1,
            told_version=0,
        )  # fmt: skip
        session.add(episode)
        row.episode = episode.id
        return episode
    # A person who closed the issue has read it: the alert goes on, on its page.
    if episode.closed_by:
        return episode
    episode.told_on, episode.version = told, episode.version + 1
    episode.reading = reading.model_dump_json()
    return episode


def _end(session: Session, row: Alerts, day: date, reading: Reading | None = None) -> None:
    episode = session.get(AlertEpisodes, row.episode) if row.episode else None
    if episode is not None and episode.ended_on is None:
        episode.ended_on, episode.version = day, episode.version + 1
        if reading is not None:
            episode.reading = reading.model_dump_json()
    row.episode = None


def _alert(row: Alerts, episode: AlertEpisodes | None) -> Alert:
    return Alert(
        repository_id=row.repository_id,
        lineage=row.lineage,
        question=Question(row.question),
        standing=Standing.model_validate_json(row.standing),
        reading=Reading.model_validate_json(row.reading) if row.reading else None,
        start=row.start,
        episode=row.episode,
        by=row.by,
        issue=episode.issue if episode else None,
        refused=bool(episode and episode.refused),
        closed_by=episode.closed_by if episode else "",
    )


def _episode(row: AlertEpisodes) -> Episode:
    values = row.model_dump(exclude={"question", "reading"})
    return Episode(**values, question=Question(row.question), reading=Reading.model_validate_json(row.reading))
