"""What a database must be able to do to hold outcomes. All methods block; the committer calls them in its threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from adapters.store.rows import Row
from schemas.ports import CallKey
from schemas.values import Value


class StoreStats(Value):
    """What is in a store."""

    completions: int
    requests: int
    plans: int
    bytes: int
    oldest: str | None
    newest: str | None
    cost_usd: dict[str, str]
    """By model, exact."""


class Write(Protocol):
    """An open transaction."""

    def put(self, rows: Sequence[Row]) -> None:
        """Adds rows and gives up the claims of their keys."""
        ...

    def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims keys; returns those that no live process held."""
        ...

    def release(self, keys: Sequence[CallKey]) -> None:
        """Gives up our claims of these keys."""
        ...

    def keep_plan(self, row: Row) -> Row:
        """Returns the first plan of a digest that isn't damaged."""
        ...

    def forget(self, digests: Sequence[str]) -> int:
        """Deletes every row of these requests and the plans of these contents; how many."""
        ...

    def prune(self, *, older_than: str | None, newer_than: str | None, max_bytes: int | None) -> int:
        """Deletes the oldest rows, and those from the future; how many."""
        ...


class Backend(Protocol):
    """A database."""

    @property
    def transaction(self) -> Callable[[], AbstractContextManager[Write]]:
        """Opens a transaction; leaving it commits and syncs. One at a time, by one thread."""
        ...

    def rows(self, digests: Sequence[str]) -> list[Row]:
        """Returns every row of these requests, oldest first."""
        ...

    def plan(self, content_digest: str) -> Row | None:
        """The plan that was kept."""
        ...

    def check(self) -> None:
        """Raises StoreError where it can't be read, or isn't what was opened any more."""
        ...

    def stats(self) -> StoreStats:
        """Counts and sizes."""
        ...

    def export(self) -> Iterator[Row]:
        """Returns every row, oldest first."""
        ...

    def plans(self) -> Iterator[Row]:
        """Returns every plan."""
        ...

    def close(self) -> None:
        """Gives up all claims and closes."""
        ...
