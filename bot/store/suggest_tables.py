"""The table of suggested edits: what people asked for, and what came of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, Text
from sqlmodel import Field

from bot.store.columns import Instant, Money, Words
from bot.store.tables import Big, Table


class Suggestions(Table, table=True):
    """One row for each search, and for each round of a conversation. Retention deletes the report; the row stays."""

    __tablename__ = "suggestions"
    __table_args__ = (Index("ix_suggestions_repository_id_lineage", "repository_id", "lineage"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    installation_id: int = Field(sa_type=Big)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage: str = Field(sa_type=Words)
    sha: str = Field(sa_type=Text)
    branch: str = Field(sa_type=Words)
    asked: str = Field(default="", sa_type=Words)
    follows: int | None = Field(default=None, sa_type=Big)
    budget_usd: Decimal = Field(sa_type=Money)
    by: str = Field(sa_type=Words)
    role: str = Field(sa_type=Text)
    request: str = Field(sa_type=Words, unique=True)
    """What asked for it. The same request twice is the same suggestion."""
    number: int | None = Field(default=None, sa_type=Big)
    run_id: str | None = Field(default=None, sa_type=Text, index=True)
    state: str = Field(sa_type=Text, index=True)
    outcome: str = Field(default="", sa_type=Words)
    report: str | None = Field(default=None, sa_type=Text)
    """``SearchReport`` or ``AskReport`` as JSON, as ``bot.store.documents`` keeps it."""
    spent_usd: Decimal = Field(sa_type=Money)
    pull_url: str | None = Field(default=None, sa_type=Words)
    asked_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
