"""The outcome store: durable, content-addressed storage of paid answers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from adapters.store.committer import CommittedStore
from adapters.store.repair import repair
from adapters.store.sqlite import SqliteBackend
from schemas.errors import StoreError

__all__ = ["CommittedStore", "open_store"]


def open_store(where: str, *, repairs: bool = False) -> CommittedStore:
    """Opens the store at a file path or a ``postgresql://`` URL, and creates it if needed. Raises StoreError.

    With ``repairs``, reads the whole file first and replaces a damaged one.
    """
    if where.startswith(("postgresql://", "postgres://")):
        if find_spec("psycopg") is None:
            raise StoreError("Postgres needs psycopg, which is not installed", hint="install it: prompt-verdict[bot]")
        from adapters.store.postgres import PostgresBackend

        return CommittedStore(PostgresBackend(where))
    if repairs:
        repair(Path(where))
    return CommittedStore(SqliteBackend(Path(where)))
