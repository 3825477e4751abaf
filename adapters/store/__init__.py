"""The outcome store: what was paid for, durable and content-addressed."""

from __future__ import annotations

from pathlib import Path

from adapters.store.committer import CommittedStore
from adapters.store.sqlite import SqliteBackend

__all__ = ["CommittedStore", "open_store"]


def open_store(where: str) -> CommittedStore:
    """Opens the store at a file's path or a ``postgresql://`` URL; makes it where there is none. Raises StoreError."""
    if where.startswith(("postgresql://", "postgres://")):
        from adapters.store.postgres import PostgresBackend

        return CommittedStore(PostgresBackend(where))
    return CommittedStore(SqliteBackend(Path(where)))
