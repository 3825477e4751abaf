"""What an organization's pull requests cost the bot, and where the first bottleneck is.

    python -m benchmarks.organization [--pulls 60] [--workers 2] [--arrivals 120] [--loads 0.5,0.8,1.2]

Real are ``promptverdict bot web`` and ``bot worker`` as processes, signatures, ledger, queue, git fetches, sandbox,
gate, outcome store, publishing, sweep and PostgreSQL. The model is the offline one, with 60 cases and no latency.
GitHub is ``tests/fakes/github`` over HTTP; it counts requests and refuses none.

1. An idle bot: what polling costs.
2. Each kind of event alone, without what the idle bot costs: CPU seconds, requests to GitHub, rows and bytes in
   Postgres for each pull request.
3. A mixture that arrives in bursts, at several multiples of the measured capacity: how long runs wait.
4. An outcome store that is filled: how long retention holds the lock that all writes wait for.

CPU, requests and bytes hardly depend on other work on the machine. Waits do, so they are also given as multiples of the
median run. The fake GitHub runs on the same cores: real capacity is higher.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from adapters.store import open_store
from benchmarks.organization_usage import Usage, delta, per
from benchmarks.webhooks import PERMISSIONS, postgres
from bot.store.records import Records
from bot.webhooks.routing import EVENTS
from tests.bot.running import Bot, running
from tests.bot.served import SECRET
from tests.end_to_end.conftest import FILES, PROMPT
from tests.fakes.github import FakeGitHub, Scene
from tests.fakes.github.state import Hook, Pull

REPOSITORIES = 20
KINDS = {"no prompt": 0.40, "prompt": 0.35, "fork": 0.20, "re-run": 0.05}
"""Share of each kind of event. A re-run is a command on a pull request that has a verdict."""
BURST = 6
"""Mean number of pull requests that arrive together."""
PROMPT_PATH = "prompts/triage.prompt.yml"
PATIENCE_S = 1800.0
SETTLES_S = 15.0
"""For another worker, which should not sweep as well."""


@dataclass
class Town:
    """The repositories of one organization, and events on them. Every event is made before it is timed."""

    github: FakeGitHub
    app: Any
    scenes: list[Scene] = field(default_factory=list)
    measured: list[tuple[Scene, Pull]] = field(default_factory=list)
    made: int = 0

    def build(self) -> None:
        """Creates the repositories, with the App installed on them."""
        for number in range(REPOSITORIES):
            repository = self.github.repository(f"acme/service-{number}", mia="maintain", ada="write")
            repository.git.commit("main", FILES)
            required = {"context": "prompt-verdict", "integration_id": self.app.id}
            repository.required_checks = {"main": [required]}
            self.scenes.append(Scene(self.github, repository))
        installation = self.github.next_id()
        self.app.installations[installation] = frozenset(scene.repository.full_name for scene in self.scenes)

    def event(self, kind: str) -> tuple[str, Any]:
        """Returns the event of one kind."""
        self.made += 1
        with self.github.lock:
            if kind == "re-run":
                scene, pull = self.measured[self.made % len(self.measured)]
                return "issue_comment", scene.comment(pull.number, "mia", "/verdict rerun")
            scene = self.scenes[self.made % REPOSITORIES]
            text = PROMPT.replace("Answer with the label alone.", f"Answer with the label alone ({self.made}).")
            files = {"README.md": f"{self.made}\n"} if kind == "no prompt" else {PROMPT_PATH: text}
            fork = "stranger/service" if kind == "fork" else None
            pull, opened = scene.open_pull(files, branch=f"change-{self.made}", fork=fork)
            if kind == "prompt":
                self.measured.append((scene, pull))
            return "pull_request", opened


@dataclass
class Organization:
    """A running bot and the town around it."""

    town: Town
    records: Records
    usage: Usage
    idle_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds a second, by part, without work."""

    def emit(self, event: str, payload: Any) -> None:
        """Delivers one event as GitHub does."""
        for delivery in self.town.github.webhooks.emit(event, payload):
            assert delivery.status_code == 202, delivery.status_code

    def first_sweep(self) -> Counter[str]:
        """Returns the requests of the sweep after the start, when every repository was looked at."""
        end = time.monotonic() + PATIENCE_S
        while self.town.github.count("GET", "/pulls$") < REPOSITORIES:
            assert time.monotonic() < end, "no worker swept"
            time.sleep(0.25)
        time.sleep(SETTLES_S)
        found: Counter[str] = self.usage.now()["asked"]
        return found

    def quiet(self) -> None:
        """Waits until every delivery is handled and every run has ended."""
        end = time.monotonic() + PATIENCE_S
        while self.records.unhandled_count() or self.records.open_runs():
            assert time.monotonic() < end, "it never became quiet"
            time.sleep(0.25)

    def cost(self, kind: str, pulls: int) -> dict[str, Any]:
        """Measures ``pulls`` events of one kind, which arrive at once."""
        events = [self.town.event(kind) for _ in range(pulls)]
        before, began = self.usage.now(), time.monotonic()
        with ThreadPoolExecutor(8) as senders:
            list(senders.map(lambda one: self.emit(*one), events))
        self.quiet()
        took_s = time.monotonic() - began
        spent = delta(before, self.usage.now())
        spent["cpu s"] = {name: s - took_s * self.idle_s[name] for name, s in spent["cpu s"].items()}
        return per(spent, pulls) | {"took s": round(took_s, 1)}

    def idle(self, seconds: float) -> dict[str, Any]:
        """Measures a bot without work. ``cost`` then leaves that out."""
        before = self.usage.now()
        time.sleep(seconds)
        spent = delta(before, self.usage.now())
        self.idle_s = {name: s / seconds for name, s in spent["cpu s"].items()}
        return {
            "seconds": seconds,
            "CPU % of a core": {name: round(100 * s / seconds, 1) for name, s in spent["cpu s"].items()},
            "transactions/s": round(spent["transactions"] / seconds, 1),
            "connections": spent["connections"],
            "memory MB": spent["memory MB"],
        }

    def bursts(self, rate: float, arrivals: int, seed: int) -> dict[str, Any]:
        """Plays a mixture at ``rate`` events a second, in bursts. Returns how long deliveries and runs waited."""
        dice = random.Random(seed)
        kinds = dice.choices(list(KINDS), list(KINDS.values()), k=arrivals)
        events = [self.town.event(kind) for kind in kinds]
        times, at = [], 0.0
        while len(times) < arrivals:
            at += dice.expovariate(rate / BURST)
            times += [at] * min(1 + int(dice.expovariate(1 / (BURST - 0.5))), arrivals - len(times))
        before, began, start = self.usage.now(), time.monotonic(), datetime.now().astimezone()
        with ThreadPoolExecutor(8) as senders:
            for when, event in zip(times, events, strict=True):
                time.sleep(max(0.0, began + when - time.monotonic()))
                senders.submit(self.emit, *event)
        self.quiet()
        spent, took_s = delta(before, self.usage.now()), time.monotonic() - began
        waits = self.waits(start)
        median = statistics.median(waits["run"])
        return {
            "arrivals": arrivals, "asked rate/s": round(rate, 2), "took s": round(took_s, 1),
            "cores used": round(sum(spent["cpu s"].values()) / took_s, 2), "run median s": round(median, 2),
            "ledger wait s": _spread(waits["ledger"]), "queue wait s": _spread(waits["queue"]),
            "queue wait in runs": {name: round(s / median, 1) for name, s in _spread(waits["queue"]).items()},
        }  # fmt: skip

    def waits(self, since: datetime) -> dict[str, list[float]]:
        """Returns seconds of each delivery until it was handled, of each run until it began, and of each run itself."""
        asked = {
            "ledger": "SELECT ended_at - received_at FROM deliveries WHERE received_at >= %s AND ended_at IS NOT NULL",
            "queue": "SELECT started_at - opened_at FROM runs WHERE opened_at >= %s AND started_at IS NOT NULL",
            "run": "SELECT ended_at - started_at FROM runs WHERE opened_at >= %s AND started_at IS NOT NULL",
        }
        with psycopg.connect(self.usage.url) as connection:
            return {
                name: [waited.total_seconds() for (waited,) in connection.execute(sql, (since,)).fetchall()]
                for name, sql in asked.items()
            }


async def prunes(url: str, answers: int) -> dict[str, Any]:
    """Returns how long it takes to look for old answers among many, and to delete a thousandth of them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, (answers, answers))
        connection.execute("VACUUM ANALYZE promptverdict_completions")
    store, figures = open_store(url), {"answers": answers}
    for name, before in (("none is old, ms", "2020-01-01"), ("a thousandth is old, ms", "2025-01-01T08:45:37")):
        began = time.perf_counter()
        figures[f"{name[:-4]}, deleted"] = await store.prune(older_than=before)
        figures[name] = round(1000 * (time.perf_counter() - began), 1)
    await store.aclose()
    return figures


FILL = """
INSERT INTO promptverdict_completions
    (request_digest, repetition, created_at, provider, model, completion, cost_usd, neutral_cost_usd, price)
SELECT md5(n::text) || md5(n::text), 0,
    to_char(timestamp '2025-01-01' + n * interval '365 days' / %s, 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00',
    'offline', 'toy', repeat('x', 300), '0', '0', '' FROM generate_series(1, %s) AS n
"""
"""As many answers as asked for, evenly in a year."""


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99}
    return {name: round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2) for name, share in at.items()}


@contextlib.contextmanager
def organization(folder: Path, url: str, workers: int, **variables: str) -> Iterator[Organization]:
    """Starts the fake GitHub, the web process and the workers."""
    with contextlib.ExitStack() as stack:
        github = stack.enter_context(FakeGitHub(folder / "github", strict=False, writes_a_minute=10**9))
        app, _ = github.app("prompt-verdict", [], **PERMISSIONS)
        app.installations.clear()
        town = Town(github, app)
        town.build()
        records = Records(url)
        records.migrate()
        stack.callback(records.close)
        shared = {
            "PROMPTVERDICT_APP_ID": str(app.id), "PROMPTVERDICT_PRIVATE_KEY": app.private_key, "DATABASE_URL": url,
            "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url, **variables,
        }  # fmt: skip
        bots: dict[str, Bot] = {}
        for name in ("web", *(f"worker-{number}" for number in range(workers))):
            home = folder / name
            home.mkdir()
            part = name.partition("-")[0]
            bots[name] = stack.enter_context(running(home, part, **shared, PROMPTVERDICT_SLOT=name))
        for name, bot in bots.items():
            bot.until("listening" if name == "web" else "working", wait_s=120)
        github.hooks.append((app, Hook(f"{bots['web'].url}/webhook", SECRET, frozenset(EVENTS))))
        processes = {name: psutil.Process(bot.process.pid) for name, bot in bots.items()}
        yield Organization(town, records, Usage(processes, github, url))


def campaign(folder: Path, url: str, given: argparse.Namespace) -> dict[str, Any]:
    """Returns all figures."""
    with organization(folder, url, given.workers) as made:
        figures: dict[str, Any] = {"workers": given.workers, "pulls of each kind": given.pulls, "cases": 60}
        swept = made.first_sweep()
        figures["requests of the first sweep"] = {name: times for name, times in sorted(swept.items()) if times}
        figures["idle"] = made.idle(given.idle)
        made.cost("prompt", 2 * given.workers)  # imports, tokens, first fetches
        figures["for each"] = {}
        for kind in ("no prompt", "prompt", "fork", "re-run"):
            figures["for each"][kind] = made.cost(kind, given.pulls)
            print(json.dumps({kind: figures["for each"][kind]}), file=sys.stderr, flush=True)
        took = sum(KINDS[kind] * figures["for each"][kind]["took s"] / given.pulls for kind in KINDS)
        figures["capacity/s"] = round(1 / took, 3)
        figures["bursts"] = {}
        for load in given.loads:
            figures["bursts"][load] = made.bursts(float(load) / took, given.arrivals, seed=int(100 * float(load)))
            print(json.dumps({load: figures["bursts"][load]}), file=sys.stderr, flush=True)
        figures["checks"] = dict(
            Counter(str(check["conclusion"]) for scene in made.town.scenes for check in scene.repository.check_runs)
        )
        figures["failed deliveries"] = made.records.failed_count()
    figures["retention"] = asyncio.run(prunes(url, given.answers))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pulls", type=int, default=60, help="of each kind")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--arrivals", type=int, default=120, help="for each load")
    parser.add_argument("--loads", type=lambda text: text.split(","), default=["0.5", "0.8", "1.2"])
    parser.add_argument("--idle", type=float, default=20.0, help="seconds")
    parser.add_argument("--answers", type=int, default=1_000_000, help="in the store that is pruned")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres() as url:
        figures = campaign(Path(folder), url, given)
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 1 if figures["failed deliveries"] or "None" in figures["checks"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
