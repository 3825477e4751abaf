"""What one worker does for all of them: its requests to GitHub don't grow with the number of workers."""

import asyncio

import pytest

from bot.operations.sweep import DEAD_S, HEADS_S, Sweep
from bot.store.records import Records
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from tests.bot.hosting import Ticking


class Naps:
    """A clock whose third sleep ends the test, and before whose second something may happen."""

    def __init__(self, before_second):
        self.taken, self.before_second = [], before_second

    async def sleep(self, seconds):
        self.taken.append(seconds)
        if len(self.taken) == 2:
            self.before_second()
        if len(self.taken) == 3:
            raise asyncio.CancelledError


@pytest.fixture
def records(tmp_path):
    records = Records(f"sqlite:///{tmp_path / 'bot.db'}")
    records.migrate()
    yield records
    records.close()


async def test_the_first_worker_sweeps_for_all_and_the_next_one_takes_its_place(records):
    at = Ticking()()
    for slot in ("worker-0", "worker-1"):
        records.heartbeat(slot, at)
    done = []

    async def heads():
        done.append(len(naps.taken))

    async def swept(slot):
        sweep = Sweep(
            records, None, None, None, None, slot=slot, clock=naps, give_up=None, keep_house=None, keep_copies=None,
            move_tags=None, watch_production=None, metrics=Metrics(), health=Health(lambda: 0.0),
        )  # fmt: skip
        with pytest.raises(asyncio.CancelledError):
            await sweep._every(HEADS_S, heads, for_all=True)

    naps = Naps(lambda: None)
    await swept("worker-0")
    assert (done, naps.taken) == ([0, 1, 2], [HEADS_S] * 3)

    done.clear()
    naps = Naps(lambda: records.forget_slot("worker-0"))
    await swept("worker-1")
    assert (done, naps.taken) == ([2], [DEAD_S, DEAD_S, HEADS_S])
