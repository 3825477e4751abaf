"""Adds what pages show: the cases of each experiment, a scorecard without them, authors, and sessions."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables, columns and indexes."""
    op.add_column("verdicts", sa.Column("overview", sa.Text(), nullable=True))
    op.add_column("verdicts", sa.Column("author", sa.Text(), nullable=True))
    op.add_column("verdicts", sa.Column("on_default", sa.Boolean(), nullable=True))
    op.create_index("ix_experiments_lineage_id_id", "experiments", ["lineage_id", "id"])
    op.create_index("ix_experiments_lineage_id_baseline_digest", "experiments", ["lineage_id", "baseline_digest"])
    for table, columns in (("case_results", _results()), ("case_documents", _documents())):
        op.create_table(
            table,
            sa.Column("experiment_id", BIG, autoincrement=False, nullable=False),
            sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("repository_id", BIG, nullable=False),
            *columns,
            sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=f"fk_{table}_experiment_id"),
            sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name=f"fk_{table}_repository_id"),
            sa.PrimaryKeyConstraint("experiment_id", "position", name=f"pk_{table}"),
        )
        op.create_index(f"ix_{table}_repository_id", table, ["repository_id"])
    op.create_index("ix_case_results_experiment_id_case_id", "case_results", ["experiment_id", "case_id"])
    for table, columns in (
        ("sessions", (_text("login"), sa.Column("tokens", sa.LargeBinary(), nullable=False))),
        ("sign_ins", ()),
    ):
        op.create_table(
            table,
            _text("id_hash"),
            *columns,
            sa.Column("expires_at", MOMENT, nullable=False),
            sa.PrimaryKeyConstraint("id_hash", name=f"pk_{table}"),
        )
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"])


def _results() -> tuple[sa.Column[Any], ...]:
    return (
        _text("case_id"),
        _text("result"),
        _text("slices"),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        *(_text(name, nullable=True) for name in ("expected", "baseline_said", "candidate_said")),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("baseline", "candidate", "change")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("runs", "failures", "flaky")),
    )


def _documents() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("effect", sa.LargeBinary(), nullable=False),
        sa.Column("texts", sa.LargeBinary(), nullable=True),
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)
