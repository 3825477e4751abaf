"""Tables of what people start on pages: drafts of prompts, the runs that they asked for, and what those cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from bot.store.columns import Instant, Money, Words
from bot.store.tables import Big, Table


class Drafts(Table, table=True):
    """Edits of prompts that people work on in the playground. Each belongs to one person."""

    __tablename__ = "drafts"
    __table_args__ = (Index("ix_drafts_lineage_id_by", "lineage_id", "by"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage_id: int = Field(sa_type=Big, foreign_key="lineages.id")
    by: str = Field(sa_type=Words)
    document: str = Field(sa_type=Words)
    """``DraftEdit`` as JSON."""
    made_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)


class AskedRuns(Table, table=True):
    """What belongs to a run that a person asked for on a page: its draft, its reservation, its progress."""

    __tablename__ = "asked_runs"
    run_sequence: int = Field(
        sa_type=Big, primary_key=True, foreign_key="runs.sequence", sa_column_kwargs={"autoincrement": False}
    )
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    by: str = Field(sa_type=Words)
    day: str = Field(sa_type=Text)
    """The day (UTC) whose cap it counts for."""
    reserved_usd: Decimal = Field(sa_type=Money)
    """The most that it may spend."""
    spent_usd: Decimal = Field(sa_type=Money)
    settled: bool = False
    """Whether the reservation was replaced by what was spent."""
    draft_id: int | None = Field(default=None, sa_type=Big, index=True)
    document: str | None = Field(default=None, sa_type=Words)
    """The draft as it was when the run was asked for."""
    done: int = 0
    asked: int = 0
    """Answers that are there, and that the gate asked for so far."""
    trouble: str = Field(default="", sa_type=Words)
    """The most frequent failure of a provider so far."""
    calling_at: datetime | None = Field(default=None, sa_type=Instant)
    """When it began to ask the provider, or got its last answer."""


class AskedAnswers(Table, table=True):
    """The answers of such a run as they come. After its verdict, the case tables have them too."""

    __tablename__ = "asked_answers"
    __table_args__ = (UniqueConstraint("run_sequence", "cell"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    run_sequence: int = Field(sa_type=Big, foreign_key="runs.sequence")
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    cell: str = Field(sa_type=Text)
    """Case, version and repetition: a repeated step brings each answer again."""
    document: str = Field(sa_type=Words)
    """``ShownAnswer`` as JSON."""


class PersonDays(Table, table=True):
    """What each person spent or reserved on a day (UTC). It outlives repositories, so that no cap is reset."""

    __tablename__ = "person_days"
    day: str = Field(sa_type=Text, primary_key=True)
    by: str = Field(sa_type=Words, primary_key=True)
    usd: Decimal = Field(sa_type=Money)
