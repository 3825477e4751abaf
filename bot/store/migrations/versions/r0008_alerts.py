"""Adds alerts with their episodes, turns of workers, and the scheduled watch."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables."""
    _owned(
        "alerts",
        sa.Column("id", BIG, primary_key=True, nullable=False),
        _text("lineage"), _text("question"), _text("state"), _text("standing"), _text("reading", nullable=True),
        sa.Column("start", sa.Date(), nullable=True), _text("episode", nullable=True), _text("by", nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.UniqueConstraint("repository_id", "lineage", "question", name="uq_alerts_repository_id_lineage_question"),
    )  # fmt: skip
    _owned(
        "alert_episodes",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        _text("lineage"), _text("question"), sa.Column("opened_at", MOMENT, nullable=False), _text("reading"),
        _day("opened_on"), _day("told_on"), sa.Column("ended_on", sa.Date(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("version", "told_version")),
        sa.Column("sent_on", sa.Date(), nullable=True), sa.Column("sent_end", sa.Boolean(), nullable=False),
        sa.Column("issue", BIG, nullable=True), _text("closed_by"), sa.Column("refused", sa.Boolean(), nullable=False),
    )  # fmt: skip
    op.create_table(
        "worker_turns", _text("name"), _text("slot"), sa.Column("until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_worker_turns"),
    )  # fmt: skip
    _owned(
        "watches",
        _text("lineage"), sa.Column("every_days", sa.Integer(), nullable=False), _text("by"),
        sa.Column("asked_at", MOMENT, nullable=False), _day("next_on"), _text("run_id", nullable=True),
        _text("trouble"),
        sa.PrimaryKeyConstraint("repository_id", "lineage", name="pk_watches"),
        index=False,
    )  # fmt: skip
    op.create_index("ix_watches_run_id", "watches", ["run_id"])
    _owned(
        "watch_answers",
        sa.Column("id", BIG, primary_key=True, nullable=False),
        _text("lineage"), _text("model"), _day("day"), _text("digest"),
        sa.Column("answers", sa.LargeBinary(), nullable=False), sa.Column("is_baseline", sa.Boolean(), nullable=False),
        _text("reading", nullable=True),
        sa.UniqueConstraint(
            "repository_id", "lineage", "model", "day", name="uq_watch_answers_repository_id_lineage_model_day"
        ),
    )  # fmt: skip


def _owned(name: str, *columns: Any, index: bool = True) -> None:
    op.create_table(
        name,
        sa.Column("repository_id", BIG, autoincrement=False, nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name=f"fk_{name}_repository_id"),
    )
    if index:
        op.create_index(f"ix_{name}_repository_id", name, ["repository_id"])


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _day(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Date(), nullable=False)
