"""``promptverdict store``."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from action.cli.local import default_store
from action.cli.streams import put
from action.exits import Exit
from adapters.store import open_store
from adapters.store.committer import CommittedStore
from engine.records.outcome_table import COLUMNS, table_rows
from engine.render.encode import log_line
from engine.render.figures import plural, usd

if TYPE_CHECKING:
    from adapters.store.backend import StoreStats

Work = Callable[[CommittedStore], Awaitable[None]]


def stats(where: str | None, *, output_format: str) -> Exit:
    """Prints how much is stored. Raises StoreError."""

    async def show(store: CommittedStore) -> None:
        found = await store.stats()
        if output_format == "json":
            put(found.model_dump_json(indent=2) + "\n")
        else:
            put("".join(f"{log_line(line)}\n" for line in _lines(found)))

    return _with_store(where, show)


def _lines(found: StoreStats) -> Iterator[str]:
    yield f"{plural(found.completions, 'answer')} to {plural(found.requests, 'request')}, {plural(found.plans, 'plan')}"
    if found.oldest and found.newest:
        yield f"from {found.oldest[:10]} to {found.newest[:10]}, {found.bytes / 2**20:.1f} MiB"
    for model, spent in found.cost_usd.items():
        yield f"{model}: {usd(Decimal(spent))}"


def prune(where: str | None, *, older_than_days: int | None, max_mib: int | None) -> Exit:
    """Deletes old answers, oldest first. Raises StoreError."""
    horizon = None
    if older_than_days is not None:
        horizon = (datetime.now(UTC) - timedelta(days=older_than_days)).isoformat()

    async def forget(store: CommittedStore) -> None:
        gone = await store.prune(older_than=horizon, max_bytes=None if max_mib is None else max_mib << 20)
        put(f"{gone} answers deleted\n")

    return _with_store(where, forget)


def export(where: str | None) -> Exit:
    """Prints every answer as a line of JSON. Raises StoreError."""

    async def show(store: CommittedStore) -> None:
        for row in store.export():
            put(row.model_dump_json() + "\n")

    return _with_store(where, show)


def export_outcomes(where: str | None) -> Exit:
    """Prints the scores of every finished check as CSV, without any text; each row once. Raises StoreError."""

    async def show(store: CommittedStore) -> None:
        lines = io.StringIO()
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(sorted({row for _, kept in store.plans() for row in table_rows(kept)}))
        put(lines.getvalue())

    return _with_store(where, show)


def _with_store(where: str | None, work: Work) -> Exit:
    async def run() -> None:
        store = open_store(where or default_store(os.environ))
        try:
            await work(store)
        finally:
            await store.aclose()

    asyncio.run(run())
    return Exit.PASS
