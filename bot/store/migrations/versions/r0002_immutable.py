"""What is never changed, the database itself refuses to change.

A later step that rebuilds one of these tables in SQLite (``batch_alter_table``) must make its triggers again.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

UNCHANGED = ("audit", "audit_reasons", "prompt_versions", "test_set_snapshots")
KEYS = {
    "audit": "id = NEW.id OR comment_id = NEW.comment_id",
    "audit_reasons": "audit_id = NEW.audit_id",
    "prompt_versions": "id = NEW.id OR (lineage_id = NEW.lineage_id AND digest = NEW.digest)",
    "test_set_snapshots": "id = NEW.id OR (lineage_id = NEW.lineage_id AND digest = NEW.digest)",
}
"""SQLite's ``INSERT OR REPLACE`` would change a row without any update or delete that a trigger sees."""
FUNCTIONS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is never changed', TG_TABLE_NAME; END $$;
CREATE FUNCTION refuse_loss_of_reason() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM repositories WHERE id = OLD.repository_id) THEN
        RAISE EXCEPTION 'audit_reasons go only after their repository';
    END IF;
    RETURN OLD;
END $$;
"""


def upgrade() -> None:
    """Adds the triggers."""
    if op.get_context().dialect.name == "sqlite":
        for table in UNCHANGED:
            _in_sqlite(f"{table}_no_update", f"BEFORE UPDATE ON {table}", f"{table} is never changed")
            taken = f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {KEYS[table]})"  # noqa: S608
            _in_sqlite(f"{table}_no_replace", taken, f"{table} is never changed")
        _in_sqlite("audit_no_delete", "BEFORE DELETE ON audit", "audit is never changed")
        kept = "WHEN EXISTS (SELECT 1 FROM repositories WHERE id = OLD.repository_id)"
        _in_sqlite(
            "audit_reasons_no_delete",
            f"BEFORE DELETE ON audit_reasons {kept}",
            "audit_reasons go only after their repository",
        )
    else:
        op.execute(FUNCTIONS)
        for table in UNCHANGED:
            _in_postgres(f"{table}_no_update", f"BEFORE UPDATE ON {table} FOR EACH ROW", "refuse_change")
        _in_postgres("audit_no_delete", "BEFORE DELETE ON audit FOR EACH ROW", "refuse_change")
        for table in ("audit", "audit_reasons"):
            _in_postgres(f"{table}_no_truncate", f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT", "refuse_change")
        kept = "BEFORE DELETE ON audit_reasons FOR EACH ROW"
        _in_postgres("audit_reasons_no_delete", kept, "refuse_loss_of_reason")


def _in_sqlite(name: str, event: str, words: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} BEGIN SELECT RAISE(ABORT, '{words}'); END")


def _in_postgres(name: str, event: str, function: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION {function}()")
