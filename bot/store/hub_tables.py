"""The hub's tables: versions, moves of tags, promotions that are under way, and tokens of readers.

Triggers protect versions and moves: they are never changed, and go only after their repository.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from bot.store.columns import Instant, Words
from bot.store.tables import Big, Table


class HubVersions(Table, table=True):
    """Immutable: a version that a tag has or had. Retention never deletes one."""

    __tablename__ = "hub_versions"
    __table_args__ = (UniqueConstraint("repository_id", "lineage", "digest"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big)
    lineage: str = Field(sa_type=Words)
    digest: str = Field(sa_type=Text)
    number: int
    """Counts the versions of a prompt, from 1."""
    content: str = Field(sa_type=Text)
    """``HubPrompt`` as JSON."""
    first_seen_at: datetime = Field(sa_type=Instant)


class TagMoves(Table, table=True):
    """Append-only: the last row of a prompt and tag says what the tag points to."""

    __tablename__ = "tag_moves"
    __table_args__ = (Index("ix_tag_moves_repository_id_tag_lineage_id", "repository_id", "tag", "lineage", "id"),)
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big)
    lineage: str = Field(sa_type=Words)
    tag: str = Field(sa_type=Text)
    from_digest: str | None = Field(default=None, sa_type=Text)
    to_digest: str = Field(sa_type=Text)
    by: str = Field(sa_type=Words)
    role: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    verdict: str | None = Field(default=None, sa_type=Text)
    reason: str = Field(sa_type=Words)
    request: str = Field(sa_type=Words, unique=True)
    """What asked for it. The same request twice moves once."""
    at: datetime = Field(sa_type=Instant)


class MoveDeployments(Table, table=True):
    """The deployment that reports a move to GitHub."""

    __tablename__ = "move_deployments"
    move_id: int = Field(sa_type=Big, primary_key=True, sa_column_kwargs={"autoincrement": False})
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    deployment_id: int | None = Field(default=None, sa_type=Big)
    """``None``: the move was not reported, because the App has no permission."""
    at: datetime = Field(sa_type=Instant)


class Promotions(Table, table=True):
    """One row for each requested promotion, and how far it is."""

    __tablename__ = "promotions"
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    installation_id: int = Field(sa_type=Big)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    lineage: str = Field(sa_type=Words)
    tag: str = Field(sa_type=Text)
    from_digest: str | None = Field(default=None, sa_type=Text)
    to_digest: str = Field(sa_type=Text)
    by: str = Field(sa_type=Words)
    role: str = Field(sa_type=Text)
    request: str = Field(sa_type=Words, unique=True)
    """What asked for it. The same request twice is the same promotion."""
    number: int | None = Field(default=None, sa_type=Big)
    """The pull request on which the result is reported."""
    run_id: str | None = Field(default=None, sa_type=Text, index=True)
    state: str = Field(sa_type=Text, index=True)
    outcome: str = Field(default="", sa_type=Words)
    """A sentence about how it ended."""
    asked_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)


class ReadTokens(Table, table=True):
    """Tokens of applications, for one repository. They can't move anything."""

    __tablename__ = "read_tokens"
    id: int | None = Field(default=None, sa_type=Big, primary_key=True)
    repository_id: int = Field(sa_type=Big, foreign_key="repositories.id", index=True)
    name: str = Field(sa_type=Words)
    hash: str = Field(sa_type=Text, unique=True)
    """SHA-256 of the token, which isn't kept."""
    made_by: str = Field(sa_type=Words)
    made_at: datetime = Field(sa_type=Instant)
    used_at: datetime | None = Field(default=None, sa_type=Instant)
    """The last use, to the hour."""
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)
    kind: str = Field(default="read", sa_type=Text, sa_column_kwargs={"server_default": "read"})
    """``TokenKind``."""
