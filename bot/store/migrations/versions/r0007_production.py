"""Adds production: spans by day, hourly figures, sampled content, settings, and tokens that write."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables. A writer creates the partitions that it needs."""
    op.add_column("read_tokens", sa.Column("kind", sa.Text(), nullable=False, server_default="read"))
    _table(
        "production_spans",
        _bytes("trace_id"), _bytes("span_id"), sa.Column("part", BIG, autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False), _bytes("parent_id", nullable=True),
        sa.Column("started_at", MOMENT, nullable=False), sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("calls_model", sa.Boolean(), nullable=False),
        *(_text(name, nullable=True) for name in (
            "lineage", "digest", "tag", "provider", "model", "asked_model", "decision", "decisions",
        )),
        sa.Column("confidence", sa.Float(), nullable=True), _text("deferred", nullable=True),
        sa.Column("input_tokens", BIG, nullable=True), sa.Column("output_tokens", BIG, nullable=True),
        sa.Column("cost_usd", sa.BigInteger(), nullable=True), _text("finish_reason", nullable=True),
        _text("error", nullable=True),
        key=("repository_id", "trace_id", "span_id", "part", "day"),
        partition_by="day",
    )  # fmt: skip
    op.create_index(
        "ix_production_spans_repository_id_lineage_started_at",
        "production_spans",
        ["repository_id", "lineage", "started_at"],
    )
    _table(
        "production_hours",
        _text("lineage"), sa.Column("hour", MOMENT, nullable=False),
        *(_text(name) for name in ("digest", "model", "decision", "deferred", "error")),
        *(_number(name) for name in ("calls", "input_tokens", "output_tokens")),
        sa.Column("cost_usd", sa.BigInteger(), nullable=False),
        *(_number(name) for name in ("priced", "confidence", "confident", "latency_ms")),
        _text("latencies"),
        key=("repository_id", "lineage", "hour", "digest", "model", "decision", "deferred", "error"),
    )  # fmt: skip
    op.create_index("ix_production_hours_repository_id_hour", "production_hours", ["repository_id", "hour"])
    op.create_index("ix_production_hours_hour", "production_hours", ["hour"])
    _table(
        "production_contents",
        _bytes("trace_id"), _bytes("span_id"), sa.Column("part", BIG, autoincrement=False, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False), _bytes("content"),
        key=("repository_id", "trace_id", "span_id", "part", "expires_on"),
        partition_by="expires_on",
    )  # fmt: skip
    _table(
        "production_settings",
        _text("lineage"), _text("settings"), sa.Column("read_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_production_settings_repository_id"),
        key=("repository_id", "lineage"),
    )  # fmt: skip


def _table(name: str, *columns: Any, key: tuple[str, ...], partition_by: str | None = None) -> None:
    options: dict[str, Any] = {"postgresql_partition_by": f"RANGE ({partition_by})"} if partition_by else {}
    op.create_table(
        name,
        sa.Column("repository_id", BIG, autoincrement=False, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        **options,
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, BIG, nullable=False)
