"""Adds what a run needs that a person asked for on a page: what to measure, and how far it is. And latencies."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the columns."""
    op.add_column("runs", sa.Column("request", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("progress", sa.Text(), nullable=True))
    op.add_column("experiments", sa.Column("latency_s", sa.Float(), nullable=True))
