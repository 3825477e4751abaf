"""The table of former names of repositories."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlmodel import Field

from bot.store.columns import Instant
from bot.store.tables import Big, Table


class FormerNames(Table, table=True):
    """A name that a repository had before it was renamed or transferred."""

    __tablename__ = "former_names"
    repository_id: int = Field(
        sa_type=Big, primary_key=True, foreign_key="repositories.id", sa_column_kwargs={"autoincrement": False}
    )
    name: str = Field(sa_type=Text, primary_key=True)
    """``owner/name`` in lower case, as GitHub compares names."""
    until: datetime = Field(sa_type=Instant)
