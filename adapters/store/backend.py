"""The interface of a database that holds outcomes. All methods block; the committer calls them in its threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from adapters.store.rows import Row
from schemas.ports import CallKey
from schemas.values import Value


class StoreStats(Value):
    """Statistics of a store."""

    completions: int
    requests: int
    plans: int
    bytes: int
    oldest: str | None
    newest: str | None
    cost_usd: dict[str, str]
    """Exact cost by model."""


class Write(Protocol):
    """An open transaction."""

    def put(self, rows: Sequence[Row]) -> None:
        """Adds rows and releases the claims of their keys."""
        ...

    def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims keys and returns those that no other live process holds."""
        ...

    def release(self, keys: Sequence[CallKey]) -> None:
        """Releases our claims of these keys."""
        ...

    def keep_plan(self, row: Row) -> Row:
        """Stores the plan, unless the digest has an undamaged one. Returns the stored plan."""
        ...

    def forget(self, digests: Sequence[str]) -> int:
        """Deletes every row of these requests and the plans of these contents. Returns how many."""
        ...

    def prune(self, *, older_than: str | None, newer_than: str | None, max_bytes: int | None) -> int:
        """Deletes the oldest rows, or a portion of them, and rows from the future. Returns how many: 0 if none is
        left to delete."""
        ...


class Backend(Protocol):
    """A database."""

    @property
    def transaction(self) -> Callable[[], AbstractContextManager[Write]]:
        """Opens a transaction, which commits and syncs at its end. Only one thread may use it, one transaction at a
        time."""
        ...

    def rows(self, digests: Sequence[str]) -> list[Row]:
        """Returns every row of these requests, oldest first."""
        ...

    def plan(self, content_digest: str) -> Row | None:
        """Returns the stored plan, or ``None``."""
        ...

    def check(self) -> None:
        """Raises StoreError if the database can't be read, or isn't the one that was opened."""
        ...

    def stats(self) -> StoreStats:
        """Returns counts and sizes."""
        ...

    def export(self) -> Iterator[Row]:
        """Returns every row, oldest first."""
        ...

    def plans(self) -> Iterator[Row]:
        """Returns every plan."""
        ...

    def close(self) -> None:
        """Releases all claims and closes the database."""
        ...
