"""Migrations by Alembic. They work from an installed package, without files on disk."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from schemas.errors import StoreError

if TYPE_CHECKING:
    from bot.store.database import Database


def migrate(database: Database) -> None:
    """Migrates to this version's tables, all or nothing. Raises StoreError for a newer database."""
    config = _config()
    # First: a migration of a damaged file could fail halfway or hide the damage.
    database.check_file()
    with database.migrating() as connection:
        # An older version doesn't know what the newer tables mean, so it must not write to them.
        _refuse_newer(database, MigrationContext.configure(connection).get_current_revision())
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check(database: Database) -> None:
    """Raises StoreError if the database can't be read or its tables are not this version's."""
    with database.reading() as session:
        found = MigrationContext.configure(session.connection()).get_current_revision()
    _refuse_newer(database, found)
    if found != _history()[0]:
        raise StoreError("the database's tables are not up to date", where=database.where, hint="start the bot once")


def _refuse_newer(database: Database, found: str | None) -> None:
    if found is not None and found not in _history():
        raise StoreError(
            f"the database was written by a newer version of Prompt Verdict (revision {found})",
            where=database.where,
            hint="start that version, or restore the backup from before the upgrade",
        )


@cache
def _history() -> tuple[str, ...]:
    """Returns every revision that this version knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "bot.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
