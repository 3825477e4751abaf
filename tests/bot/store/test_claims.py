"""Claims under fire: workers are killed while they handle deliveries; none is lost, none is handled by two at once."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

DELIVERIES = 60
KILLS = 6
ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_killed_workers_lose_no_delivery_and_share_none(records, url, tmp_path):
    workers = 2 if records._database.is_postgres else 1
    for number in range(DELIVERIES):
        records.receive(f"d{number:03}", "push", b"{}", datetime.now(UTC))
    log = tmp_path / "log"
    log.touch()
    dice = random.Random(6)
    command = [sys.executable, "-m", "tests.bot.claimers", url, str(log), "0.02"]
    living = []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:

        def grow():
            while len(living) < workers:
                print(f"w{time.time_ns()}", file=nursery.stdin, flush=True)
                living.append(int(nursery.stdout.readline()))

        grow()
        kills, give_up = 0, time.monotonic() + 60
        while records.unhandled_count() and time.monotonic() < give_up:
            begun = log.read_text().count("begin")
            if kills < KILLS and begun > (kills + 1) * DELIVERIES / (KILLS + 2):
                os.kill(living.pop(dice.randrange(len(living))), signal.SIGKILL)
                kills += 1
                grow()
            time.sleep(0.01)
        for worker in living:
            os.kill(worker, signal.SIGKILL)
        nursery.stdin.close()
    assert (records.unhandled_count(), records.failed_count(), kills) == (0, 0, KILLS)

    seen = defaultdict(list)
    for line in log.read_text().splitlines():
        what, delivery, name, at, lease = line.split()
        seen[delivery].append((float(at), what, name, float(lease)))
    assert set(seen) == {f"d{number:03}" for number in range(DELIVERIES)}, "none is lost"
    cut_short = 0
    for events in seen.values():
        holder = None
        for at, what, name, lease in sorted(events):
            if what == "begin":
                if holder is not None:
                    cut_short += 1
                    assert at >= holder[1], "nobody else while the lease lasts"
                holder = (name, lease)
            else:
                assert holder is not None
                assert holder[0] == name
                holder = None
    assert cut_short > 0, "some were killed in the middle, or this test shows nothing"


def test_one_delivery_that_comes_many_times_at_once_is_stored_once(records):
    stored = []
    threads = [
        threading.Thread(target=lambda: stored.append(records.receive("d", "push", b"{}", datetime.now(UTC))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored) == [False] * 7 + [True]
    assert records.unhandled_count() == 1
