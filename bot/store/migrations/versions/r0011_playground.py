"""Adds drafts, and what belongs to runs that people ask for on pages."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables."""
    op.create_table(
        "drafts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("lineage_id", BIG, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_drafts_repository_id"),
        sa.ForeignKeyConstraint(["lineage_id"], ["lineages.id"], name="fk_drafts_lineage_id"),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
    )
    op.create_index("ix_drafts_repository_id", "drafts", ["repository_id"])
    op.create_index("ix_drafts_lineage_id_by", "drafts", ["lineage_id", "by"])
    op.create_table(
        "asked_runs",
        sa.Column("run_sequence", BIG, nullable=False, autoincrement=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("reserved_usd", sa.Text(), nullable=False),
        sa.Column("spent_usd", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("draft_id", BIG, nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("calling_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["run_sequence"], ["runs.sequence"], name="fk_asked_runs_run_sequence"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_asked_runs_repository_id"),
        sa.PrimaryKeyConstraint("run_sequence", name="pk_asked_runs"),
    )
    op.create_index("ix_asked_runs_repository_id", "asked_runs", ["repository_id"])
    op.create_index("ix_asked_runs_draft_id", "asked_runs", ["draft_id"])
    op.create_table(
        "asked_answers",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_sequence", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_sequence"], ["runs.sequence"], name="fk_asked_answers_run_sequence"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_asked_answers_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_asked_answers"),
        sa.UniqueConstraint("run_sequence", "cell", name="uq_asked_answers_run_sequence_cell"),
    )
    op.create_index("ix_asked_answers_repository_id", "asked_answers", ["repository_id"])
    op.create_table(
        "person_days",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("usd", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", "by", name="pk_person_days"),
    )
