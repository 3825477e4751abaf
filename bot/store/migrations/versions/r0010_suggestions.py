"""Adds the table of suggested edits."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "suggestions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("installation_id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("sha", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("follows", BIG, nullable=True),
        sa.Column("budget_usd", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("number", BIG, nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("spent_usd", sa.Text(), nullable=False),
        sa.Column("pull_url", sa.Text(), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_suggestions_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_suggestions"),
        sa.UniqueConstraint("request", name="uq_suggestions_request"),
    )
    op.create_index("ix_suggestions_repository_id_lineage", "suggestions", ["repository_id", "lineage"])
    for column in ("repository_id", "run_id", "state"):
        op.create_index(f"ix_suggestions_{column}", "suggestions", [column])
