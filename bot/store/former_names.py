"""Former names of repositories, under which applications still read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import col, select

from bot.store.name_tables import FormerNames
from bot.store.tables import Repositories

if TYPE_CHECKING:
    from bot.store.database import Database


class NameRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def was_named(self, repository_id: int, full_name: str) -> bool:
        """Returns whether a repository had this name before, in any case of letters, and no other has it now."""
        name = full_name.lower()
        other = (func.lower(Repositories.name) == name, col(Repositories.id) != repository_id)
        with self._database.reading() as session:
            if session.get(FormerNames, (repository_id, name)) is None:
                return False
            return session.exec(select(Repositories.id).where(*other).limit(1)).first() is None
