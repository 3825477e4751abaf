"""Deliveries are taken up as hands are free, and each is handled to its end."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from adapters.clock import SystemClock
from bot.store.records import Records
from bot.telemetry.metrics import Metrics
from bot.webhooks.delivery_processor import AT_ONCE, DeliveryProcessor
from bot.webhooks.intents import Ping
from schemas.errors import HostError, StoreError

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def records(tmp_path):
    records = Records(str(tmp_path / "bot.sqlite3"))
    records.migrate()
    yield records
    records.close()


@asynccontextmanager
async def working(records, handle):
    wake = asyncio.Event()
    delivery_processor = DeliveryProcessor(
        records, handle, worker="w", wake=wake, clock=SystemClock(), metrics=Metrics()
    )
    task = asyncio.create_task(delivery_processor.run())
    try:
        yield wake
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_one_delivery_that_hangs_keeps_no_other_waiting(records):
    for number in range(3 * AT_ONCE):
        records.receive(f"d{number}", "ping", b"{}", NOW)
    release, begun = asyncio.Event(), []

    async def handle(intent):
        begun.append(intent)
        if len(begun) == 1:
            await release.wait()

    async with working(records, handle):
        await until(lambda: records.unhandled_count() == 1)
        records.receive("later", "ping", b"{}", NOW)
        await until(lambda: len(begun) == 3 * AT_ONCE + 1)
        await until(lambda: records.unhandled_count() == 1)
        release.set()
        await until(lambda: records.unhandled_count() == 0)
    assert all(isinstance(intent, Ping) for intent in begun)


async def test_no_more_are_taken_up_than_there_are_hands(records):
    for number in range(2 * AT_ONCE):
        records.receive(f"d{number}", "ping", b"{}", NOW)
    under_way = most = 0

    async def handle(intent):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1

    async with working(records, handle):
        await until(lambda: records.unhandled_count() == 0)
    assert most == AT_ONCE


@pytest.mark.parametrize("failure", [HostError("GitHub is down"), RuntimeError("a bug")])
async def test_what_fails_is_given_back_and_the_others_go_on(records, failure):
    records.receive("d", "ping", b"{}", NOW)
    handled = []

    async def handle(intent):
        handled.append(intent)
        if len(handled) == 1:
            raise failure

    async with working(records, handle) as wake:
        await until(lambda: len(handled) == 1)
        records.receive("e", "ping", b"{}", NOW)
        wake.set()
        await until(lambda: len(handled) == 2)
        await until(lambda: records.unhandled_count() == 1)
    assert records.claim("w", 9, 1, datetime.now(UTC)) == [], "it waits for its pause"


async def test_a_database_that_fails_meanwhile_ends_nothing(records, monkeypatch):
    for name in ("d", "e"):
        records.receive(name, "ping", b"{}", NOW)
    handled, noted = [], records.handled

    def fails_once(*given):
        if not handled:
            handled.append(given)
            raise StoreError("the database is being restarted")
        noted(*given)

    async def handle(intent):
        return

    monkeypatch.setattr(records, "handled", fails_once)
    async with working(records, handle) as wake:
        await until(lambda: records.unhandled_count() == 1)
        records.receive("f", "ping", b"{}", NOW)
        wake.set()
        await until(lambda: len(records.known_deliveries(["f"])) == 1)
        await until(lambda: records.unhandled_count() == 1)
