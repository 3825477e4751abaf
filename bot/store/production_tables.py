"""Production's tables: spans by day, hourly figures, sampled content, and each prompt's settings.

In Postgres, ``production_spans`` and ``production_contents`` are partitioned by day, so that retention drops a table
instead of deleting rows.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Date, Index, LargeBinary, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

from bot.store.columns import Instant, Words
from bot.store.tables import Big, Table

if TYPE_CHECKING:
    from sqlalchemy import Dialect

PICO = Decimal(10) ** 12


class PicoUsd(TypeDecorator[Decimal]):
    """USD as a whole number of 10⁻¹² USD, so that both databases add it exactly. Finer prices are rounded."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Returns the whole number."""
        return None if value is None else int((value * PICO).to_integral_value())

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Returns USD."""
        return None if value is None else Decimal(value) / PICO


class ProductionSpans(Table, table=True):
    """One row for each span, or log record about one: ``SpanFacts``. Never changed; a span sent again is the same row.

    Without a foreign key: a writer locks its repository first.
    """

    __tablename__ = "production_spans"
    __table_args__ = (
        Index("ix_production_spans_repository_id_lineage_started_at", "repository_id", "lineage", "started_at"),
        {"postgresql_partition_by": "RANGE (day)"},
    )
    repository_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    trace_id: bytes = Field(sa_type=LargeBinary, primary_key=True)
    span_id: bytes = Field(sa_type=LargeBinary, primary_key=True)
    part: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    day: date = Field(sa_type=Date, primary_key=True)
    """Of ``started_at``, in UTC."""
    parent_id: bytes | None = Field(default=None, sa_type=LargeBinary)
    started_at: datetime = Field(sa_type=Instant)
    ended_at: datetime = Field(sa_type=Instant)
    calls_model: bool
    lineage: str | None = Field(default=None, sa_type=Words)
    digest: str | None = Field(default=None, sa_type=Words)
    tag: str | None = Field(default=None, sa_type=Words)
    provider: str | None = Field(default=None, sa_type=Words)
    model: str | None = Field(default=None, sa_type=Words)
    asked_model: str | None = Field(default=None, sa_type=Words)
    decision: str | None = Field(default=None, sa_type=Words)
    decisions: str | None = Field(default=None, sa_type=Words)
    """As JSON."""
    confidence: float | None = None
    deferred: str | None = Field(default=None, sa_type=Words)
    input_tokens: int | None = Field(default=None, sa_type=Big)
    output_tokens: int | None = Field(default=None, sa_type=Big)
    cost_usd: Decimal | None = Field(default=None, sa_type=PicoUsd)
    finish_reason: str | None = Field(default=None, sa_type=Words)
    error: str | None = Field(default=None, sa_type=Words)


class ProductionHours(Table, table=True):
    """The figures of an hour, by all that pages or statistics distinguish. Written with the spans they count."""

    __tablename__ = "production_hours"
    __table_args__ = (
        Index("ix_production_hours_repository_id_hour", "repository_id", "hour"),
        Index("ix_production_hours_hour", "hour"),
    )
    repository_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    lineage: str = Field(sa_type=Words, primary_key=True)
    """Empty for calls that are tied to no prompt. So are the next columns for what a call doesn't say."""
    hour: datetime = Field(sa_type=Instant, primary_key=True)
    digest: str = Field(sa_type=Words, primary_key=True)
    model: str = Field(sa_type=Words, primary_key=True)
    decision: str = Field(sa_type=Words, primary_key=True)
    deferred: str = Field(sa_type=Words, primary_key=True)
    """Why; empty if the call was not deferred."""
    error: str = Field(sa_type=Words, primary_key=True)
    calls: int = Field(sa_type=Big)
    input_tokens: int = Field(sa_type=Big)
    output_tokens: int = Field(sa_type=Big)
    cost_usd: Decimal = Field(sa_type=PicoUsd)
    priced: int = Field(sa_type=Big)
    """Calls whose cost is known."""
    confidence: int = Field(sa_type=Big)
    """Sum, in millionths: whole numbers are taken away again without an error."""
    confident: int = Field(sa_type=Big)
    """Calls with a confidence."""
    latency_ms: int = Field(sa_type=Big)
    """Sum."""
    latencies: str = Field(sa_type=Text)
    """Calls by the steps of ``LATENCY_STEPS_S``, as JSON."""


class ProductionContents(Table, table=True):
    """Sampled content of prompts that ask for it. Partitioned by the day on which it must be gone."""

    __tablename__ = "production_contents"
    __table_args__ = ({"postgresql_partition_by": "RANGE (expires_on)"},)
    repository_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    trace_id: bytes = Field(sa_type=LargeBinary, primary_key=True)
    span_id: bytes = Field(sa_type=LargeBinary, primary_key=True)
    part: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    expires_on: date = Field(sa_type=Date, primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)
    """``SpanContent`` as JSON, compressed."""


class ProductionSettings(Table, table=True):
    """What the configuration on the default branch says about a prompt's production."""

    __tablename__ = "production_settings"
    repository_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="repositories.id", sa_column_kwargs={"autoincrement": False}
    )
    lineage: str = Field(sa_type=Words, primary_key=True)
    settings: str = Field(sa_type=Words)
    """``LineageSettings`` as JSON."""
    read_at: datetime = Field(sa_type=Instant)
