"""The processes of a storm: the web, and workers that are killed with SIGKILL while they work.

They are forked from one that has imported everything, since an import takes longer than a life lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from bot.settings import read_settings
from bot.store.records import Records
from bot.telemetry.logs import start_logs
from bot.telemetry.metrics import Metrics
from bot.webhooks.endpoints import create_app
from bot.webhooks.listener import Listener
from bot.worker import assemble
from tests.bot.scripted import Scripted

CALLS, CALL_S = 20, 0.01
"""Of each run: how many, and how long each takes."""
PRELOADED = [
    "bot.worker",
    "bot.webhooks.endpoints",
    "tests.bot.scripted",
    "tests.fakes.github",
    "dbos",
    "alembic",
    "github",
    "psycopg",
]


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


@dataclass
class Workers:
    """The workers, some of which are killed.

    A worker that has begun to work is killed within ``life_s`` seconds. ``new_slot`` of the killed ones never restart
    under their name, so others must take over their runs.
    """

    folder: Path
    variables: dict[str, str]
    workers: int
    kills: int
    life_s: float
    new_slot: float
    seed: int

    def __post_init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        self.killed = self.taken_over = 0

    @contextlib.contextmanager
    def listening(self, at: socket.socket) -> Iterator[None]:
        """Returns the web process, which is never killed."""
        server = self.context.Process(target=web, args=(self.variables, at), daemon=True)
        server.start()
        at.close()
        try:
            yield
        finally:
            server.kill()
            server.join()

    def spawn(self, slot: str) -> tuple[Any, Any]:
        working = self.context.Event()
        variables = self.variables | {"PROMPTVERDICT_SLOT": slot, "LOG": str(self.folder / "worker.log")}
        process = self.context.Process(target=worker, args=(variables, working), daemon=True)
        process.start()
        return process, working

    @contextlib.contextmanager
    def dying(self) -> Iterator[None]:
        """Workers that are killed while they work, until enough were."""
        living = {f"slot-{n}": self.spawn(f"slot-{n}") for n in range(self.workers)}
        stopping = threading.Event()

        def kill() -> None:
            luck = random.Random(self.seed)
            while not stopping.is_set() and self.killed < self.kills:
                slot = luck.choice(sorted(living))
                process, working = living.pop(slot)
                working.wait(60)
                stopping.wait(luck.uniform(0.2, self.life_s))
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                self.killed += 1
                if luck.random() < self.new_slot:
                    self.taken_over += 1
                    slot = f"slot-{self.workers + self.taken_over}"
                living[slot] = self.spawn(slot)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield
        finally:
            stopping.set()
            killer.join()
            for process, _ in living.values():
                process.kill()
                process.join()
