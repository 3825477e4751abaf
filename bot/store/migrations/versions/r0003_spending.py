"""Adds the spending of each repository and day, which the operator's caps need."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "spending",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("repository_id", BIG, autoincrement=False, nullable=False),
        sa.Column("usd", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", "repository_id", name="pk_spending"),
    )
