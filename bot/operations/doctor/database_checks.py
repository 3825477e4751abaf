"""Doctor's look at the database: its tables, the workers' heartbeats, the deliveries that wait."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.operations.doctor.report import Area, DoctorFinding, Spot

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.store.records import Records

DEAD = timedelta(minutes=2)
"""A worker without a heartbeat for so long is missing. It sends one every few seconds."""
SLOW = timedelta(minutes=10)
"""How long a webhook may wait."""


def examine_database(settings: Settings, now: datetime) -> Iterator[DoctorFinding]:
    """Opens the database and looks at the work that is left. Raises StoreError."""
    from bot.store.records import Records

    spot = Spot(Area.DATABASE, "the database")
    if settings.database_url.startswith("sqlite:///"):
        path = Path(settings.database_url.removeprefix("sqlite:///"))
        if not path.exists():
            yield Spot(Area.DATABASE, str(path)).warning(
                "there is no database yet", "start the bot once: it creates the tables"
            )
            return
    records = Records(settings.database_url)
    try:
        records.check()
        yield spot.ok("its tables are up to date")
        yield from _work(records, now)
    finally:
        records.close()


def _work(records: Records, now: datetime) -> Iterator[DoctorFinding]:
    deliveries = Spot(Area.DELIVERIES, "the database")
    dead, failed, waiting = records.dead_slots(now - DEAD), records.failed_count(), records.oldest_unhandled()
    slow = waiting is not None and now - waiting > SLOW
    for slot in dead:
        yield Spot(Area.WORKERS, slot).warning(
            f"worker {slot} sent no heartbeat for two minutes",
            "start it again under the same PROMPTVERDICT_SLOT, or let the others take over its runs",
        )
    if slow:
        count = records.unhandled_count()
        yield deliveries.problem(
            f"{count} webhooks wait, the oldest since {waiting:%Y-%m-%d %H:%M} UTC",
            "check that a worker is running, and look at its log",
        )
    if failed:
        yield deliveries.problem(
            f"{failed} webhooks failed",
            "look for them in the log; deliver them again in the App's settings, Advanced",
        )
    if not dead and not failed and not slow:
        yield Spot(Area.WORKERS, "the database").ok("no webhook waits, no worker is missing")
