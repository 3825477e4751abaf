"""Measures how soon ``python -m bot``, in its own process, acknowledges webhooks that arrive at a steady rate.

    python -m benchmarks.ack [--rate 50] [--seconds 60] [--database URL] [--part web]

Deliveries are sent on schedule without waiting for earlier answers, each on its own connection, as GitHub does. 40% are
sent twice or more; bodies have 8 to 30 kB. At the end the ledger must contain exactly the acknowledged deliveries.
Without ``--part`` the same process also handles the deliveries, without a GitHub to talk to.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bot.store.records import Records
from tests.bot.running import running
from tests.bot.served import headers_for

NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there: the worker's calls to GitHub fail at once."""
REPEATED = 0.4


def bodies(count: int, rng: random.Random) -> list[tuple[str, bytes]]:
    """Events as a busy organization's: every eighth one is about a new head."""
    made = []
    for number in range(count):
        here = {"installation": {"id": 5}, "repository": {"id": 9, "full_name": "acme/shop", "default_branch": "main"}}
        pull = {"number": number % 300 + 1, "state": "open", "body": rng.randbytes(rng.randint(4000, 15_000)).hex()}
        action = "synchronize" if number % 8 == 0 else "labeled"
        made.append(("pull_request", json.dumps({**here, "action": action, "pull_request": pull}).encode()))
    return made


async def deliver(port: int, event: str, body: bytes, guid: str) -> tuple[float, int]:
    """Seconds until the answer was there, and its status."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers_for(body, event=event, guid=guid).items())
    request = f"POST /webhook HTTP/1.1\r\nhost: bot\r\nconnection: close\r\ncontent-length: {len(body)}\r\n{head}\r\n"
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode() + body)
    answer = await reader.read()
    took_s = time.perf_counter() - began
    writer.close()
    return took_s, int(answer.split(b" ", 2)[1])


async def load(port: int, rate: float, seconds: float) -> tuple[list[float], set[str], list[int]]:
    """Sends deliveries. Returns the times of the answers, the acknowledged ids, and the statuses of the others."""
    rng = random.Random(6)
    count = int(rate * seconds)
    fresh = bodies(max(int(count * (1 - REPEATED)), 1), rng)
    order = list(range(len(fresh))) + [rng.randrange(len(fresh)) for _ in range(count - len(fresh))]
    rng.shuffle(order)
    began = time.perf_counter()

    async def one(at: int, which: int) -> tuple[float, int, str]:
        await asyncio.sleep(max(began + at / rate - time.perf_counter(), 0))
        guid = f"ack-{which:08}"
        return (*await deliver(port, *fresh[which], guid), guid)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(at, which)) for at, which in enumerate(order)]
    answers = [task.result() for task in tasks]
    times = sorted(took_s for took_s, status, _ in answers if status == 202)
    return times, {guid for _, status, guid in answers if status == 202}, [s for _, s, _ in answers if s != 202]


def main() -> None:
    """Prints one line of figures. The exit code tells whether the promise was kept."""
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--rate", type=float, default=50.0, help="deliveries a second")
    read.add_argument("--seconds", type=float, default=60.0)
    read.add_argument("--database", help="postgresql://… (default: SQLite)")
    read.add_argument("--part", choices=["web", "everything"], default="everything")
    options = read.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.database or f"sqlite:///{folder}/data/bot.sqlite3"
        part = ["web"] if options.part == "web" else []
        with running(Path(folder), *part, DATABASE_URL=url, PROMPTVERDICT_API_URL=NOWHERE) as bot:
            port = urlsplit(bot.url).port or 0
            times, acknowledged, refused = asyncio.run(load(port, options.rate, options.seconds))
            began = time.monotonic()
            code = bot.stop()
            stopped_s = time.monotonic() - began
        records = Records(url)
        kept = records.known_deliveries(acknowledged)
        records.close()
    at = {share: times[min(int(len(times) * share), len(times) - 1)] * 1000 for share in (0.5, 0.99, 1.0)}
    print(
        f"{options.part}, {url.partition(':')[0]}: "
        f"{len(times):,} acknowledged at {options.rate:g}/s, {len(refused)} refused; "
        f"p50 {at[0.5]:.1f} ms, p99 {at[0.99]:.1f} ms, max {at[1.0]:.0f} ms; {len(acknowledged):,} different, "
        f"{len(kept):,} in the ledger; stopped in {stopped_s:.1f} s with {code}"
    )
    kept_all = len(kept) == len(acknowledged) and not refused and code == 0
    sys.exit(0 if kept_all and at[0.99] < 1000 else 1)


if __name__ == "__main__":
    main()
