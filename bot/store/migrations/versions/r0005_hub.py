"""Adds the hub: versions, moves of tags, promotions, and tokens of readers.

Versions and moves are never changed, and go only after their repository.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
KEYS = {
    "hub_versions": "id = NEW.id OR (repository_id = NEW.repository_id AND lineage = NEW.lineage "
    "AND digest = NEW.digest)",
    "tag_moves": "id = NEW.id OR request = NEW.request",
}
"""SQLite's ``INSERT OR REPLACE`` would change a row without any update or delete that a trigger sees."""
REFUSE_LOSS = """
CREATE FUNCTION refuse_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM repositories WHERE id = OLD.repository_id) THEN
        RAISE EXCEPTION '% go only after their repository', TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$;
"""


def upgrade() -> None:
    """Adds the tables and their triggers."""
    _table(
        "hub_versions",
        _text("lineage"), _text("digest"), sa.Column("number", sa.Integer(), nullable=False), _text("content"),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.UniqueConstraint("repository_id", "lineage", "digest", name="uq_hub_versions_repository_id_lineage_digest"),
    )  # fmt: skip
    _table(
        "tag_moves",
        _text("lineage"), _text("tag"), _text("from_digest", nullable=True), _text("to_digest"), _text("by"),
        _text("role"), _text("kind"), _text("verdict", nullable=True), _text("reason"),
        _text("request"), sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("request", name="uq_tag_moves_request"),
    )  # fmt: skip
    op.create_index("ix_tag_moves_repository_id_tag_lineage_id", "tag_moves", ["repository_id", "tag", "lineage", "id"])
    _table(
        "promotions",
        sa.Column("installation_id", BIG, nullable=False),
        _text("lineage"), _text("tag"), _text("from_digest", nullable=True), _text("to_digest"), _text("by"),
        _text("role"), _text("request"), sa.Column("number", BIG, nullable=True), _text("run_id", nullable=True),
        _text("state"), _text("outcome"), sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_promotions_repository_id"),
        sa.UniqueConstraint("request", name="uq_promotions_request"),
    )  # fmt: skip
    for column in ("repository_id", "run_id", "state"):
        op.create_index(f"ix_promotions_{column}", "promotions", [column])
    _table(
        "read_tokens",
        _text("name"), _text("hash"), _text("made_by"), sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True), sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_read_tokens_repository_id"),
        sa.UniqueConstraint("hash", name="uq_read_tokens_hash"),
    )  # fmt: skip
    op.create_index("ix_read_tokens_repository_id", "read_tokens", ["repository_id"])
    op.create_table(
        "move_deployments",
        sa.Column("move_id", BIG, autoincrement=False, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        sa.Column("deployment_id", BIG, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_move_deployments_repository_id"),
        sa.PrimaryKeyConstraint("move_id", name="pk_move_deployments"),
    )
    op.create_index("ix_move_deployments_repository_id", "move_deployments", ["repository_id"])
    _protect()


def _protect() -> None:
    if op.get_context().dialect.name == "sqlite":
        for table, keys in KEYS.items():
            changed, kept = f"{table} is never changed", f"{table} go only after their repository"
            _in_sqlite(f"{table}_no_update", f"BEFORE UPDATE ON {table}", changed)
            taken = f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {keys})"  # noqa: S608
            _in_sqlite(f"{table}_no_replace", taken, changed)
            owned = "WHEN EXISTS (SELECT 1 FROM repositories WHERE id = OLD.repository_id)"
            _in_sqlite(f"{table}_no_delete", f"BEFORE DELETE ON {table} {owned}", kept)
        return
    op.execute(REFUSE_LOSS)
    for table in KEYS:
        _in_postgres(f"{table}_no_update", f"BEFORE UPDATE ON {table} FOR EACH ROW", "refuse_change")
        _in_postgres(f"{table}_no_delete", f"BEFORE DELETE ON {table} FOR EACH ROW", "refuse_loss")
        _in_postgres(f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT", "refuse_change")


def _in_sqlite(name: str, event: str, words: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{words}'); END")


def _in_postgres(name: str, event: str, function: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION {function}()")


def _table(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", BIG, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)
