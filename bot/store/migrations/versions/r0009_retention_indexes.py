"""Adds indexes by time, with which retention finds what is old without reading whole tables."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds the indexes."""
    op.create_index("ix_deliveries_ended_at", "deliveries", ["ended_at"], postgresql_using="brin")
    op.create_index("ix_outcomes_used_at", "outcomes", ["used_at"], postgresql_using="brin")
    with_texts = sa.text("scorecard IS NOT NULL")
    op.create_index(
        "ix_verdicts_kept_at", "verdicts", ["kept_at"], postgresql_where=with_texts, sqlite_where=with_texts
    )
