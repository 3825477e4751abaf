"""The tables of alerts and of the scheduled watch."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, Text, UniqueConstraint
from sqlmodel import Field

from bot.store.columns import Instant, Words
from bot.store.tables import Big, Table


class Alerts(Table, table=True):
    """The alert of one prompt on one question."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("repository_id", "lineage", "question"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage: str = Field(sa_type=Words)
    question: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    standing: str = Field(sa_type=Text)
    """``Standing`` as JSON."""
    reading: str | None = Field(default=None, sa_type=Words)
    """The last ``Reading`` as JSON."""
    start: date | None = Field(default=None, sa_type=Date)
    """The first day of the baseline. ``None``: the first day with decisions."""
    episode: str | None = Field(default=None, sa_type=Text)
    """The open episode."""
    by: str | None = Field(default=None, sa_type=Words)
    """Who paused it."""
    changed_at: datetime = Field(sa_type=Instant)


class AlertEpisodes(Table, table=True):
    """One alert from its beginning to its end: what is told about it, and what was told so far."""

    __tablename__ = "alert_episodes"
    id: str = Field(sa_type=Text, primary_key=True)
    """Random, and stored before an issue is opened: the issue is found by it."""
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage: str = Field(sa_type=Words)
    question: str = Field(sa_type=Text)
    opened_at: datetime = Field(sa_type=Instant)
    reading: str = Field(sa_type=Words)
    """The last ``Reading`` as JSON."""
    opened_on: date = Field(sa_type=Date)
    told_on: date = Field(sa_type=Date)
    """The day of the last reminder that is due."""
    ended_on: date | None = Field(default=None, sa_type=Date)
    version: int
    """Grows with each change that is to be published."""
    told_version: int
    sent_on: date | None = Field(default=None, sa_type=Date)
    """``told_on`` of the last message on other channels."""
    sent_end: bool = False
    """Whether other channels were told that it is over."""
    issue: int | None = Field(default=None, sa_type=Big)
    """The number of its issue."""
    closed_by: str = Field(default="", sa_type=Words)
    """The person who closed the issue while the alert was open. Nothing more is told then."""
    refused: bool = False
    """Whether the App may not write issues."""


class WorkerTurns(Table, table=True):
    """Work that one worker at a time does."""

    __tablename__ = "worker_turns"
    name: str = Field(sa_type=Text, primary_key=True)
    slot: str = Field(sa_type=Text)
    until: datetime = Field(sa_type=Instant)


class Watches(Table, table=True):
    """A prompt whose production version is measured again on a schedule."""

    __tablename__ = "watches"
    repository_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="repositories.id", sa_column_kwargs={"autoincrement": False}
    )
    lineage: str = Field(sa_type=Words, primary_key=True)
    every_days: int
    by: str = Field(sa_type=Words)
    """Who asked for it."""
    asked_at: datetime = Field(sa_type=Instant)
    next_on: date = Field(sa_type=Date)
    """The day of the next run."""
    run_id: str | None = Field(default=None, sa_type=Text, index=True)
    """The run that is open, or was the last."""
    trouble: str = Field(default="", sa_type=Words)
    """Why the last run came to no result."""


class WatchAnswers(Table, table=True):
    """The scores of one run of a watch, without texts. Later runs are compared with the first of the same requests."""

    __tablename__ = "watch_answers"
    __table_args__ = (UniqueConstraint("repository_id", "lineage", "model", "day"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage: str = Field(sa_type=Words)
    model: str = Field(sa_type=Words)
    """As the configuration names it."""
    day: date = Field(sa_type=Date)
    digest: str = Field(sa_type=Text)
    """The version that was measured."""
    answers: bytes
    """``WatchedAnswers`` as JSON, compressed."""
    is_baseline: bool
    """Whether later runs are compared with it."""
    reading: str | None = Field(default=None, sa_type=Words)
    """``Reading`` as JSON; ``None`` for a baseline."""
