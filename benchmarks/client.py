"""Measures the client of the hub: a read, a start without the hub, promotions, and kills of the hub under readers.

    python -m benchmarks.client

The hub is the bot's, in a process of its own. Readers check each text they get: it must be a version that
was promoted, and no older than the last one they saw. The exit code tells whether the promises were kept.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "client/src"
sys.path.insert(0, str(SOURCES))

from bot.hub.tokens import new_token, token_hash  # noqa: E402
from bot.store.hub_values import MoveKind, TagMove  # noqa: E402
from bot.store.records import Records  # noqa: E402
from bot.store.values import RepositoryRef  # noqa: E402
from promptverdict_client import Prompts  # noqa: E402 - not installed here
from schemas.hub import HubEntry, HubModel, HubPrompt, PromptSet  # noqa: E402
from schemas.prompts import Dialect, Message, Role  # noqa: E402

READERS, KILLS, PAUSE_S = 1000, 50, 0.05
PROMOTIONS, REFRESH_S = 20, 1.0
STARTS = 10
COLD = """
import sys
from promptverdict_client import Prompts
prompts = Prompts("acme/shop", tag="production", bundle=sys.argv[1], hub=sys.argv[2], token="pv_x", cache=sys.argv[3])
print(prompts["support-triage"].render().messages[0]["content"])
"""


SERVER = """
import sys
import uvicorn
from fastapi import FastAPI
from adapters.clock import SystemClock
from bot.hub.reading import HubReading
from bot.store.records import Records

app = FastAPI()
HubReading(Records(sys.argv[1]), SystemClock()).add_to(app)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""
"""The bot's read routes in a process of their own, which can be killed."""
REPO = RepositoryRef(installation_id=1, repository_id=2, full_name="acme/shop")
PROMPT = "support-triage"


class Hub:
    """The bot's hub on an SQLite file. Promotions are written to the file, as a worker does."""

    def __init__(self, folder: Path) -> None:
        self._database = f"sqlite:///{folder / 'bot.sqlite3'}"
        self._records = Records(self._database)
        self._records.migrate()
        self._records.repository(REPO, datetime.now(UTC))
        self.token = new_token()
        self._records.add_token(REPO.repository_id, "bench", token_hash(self.token) or "", "mia", datetime.now(UTC))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, number: int) -> None:
        """Promotes a version."""
        at, prompt = datetime.now(UTC), version(number)
        self._records.keep_version(REPO, prompt, at)
        now = self._records.current_move(REPO.repository_id, PROMPT, "production")
        self._records.move_tag(
            TagMove(
                repository_id=REPO.repository_id, lineage=PROMPT, tag="production", to_digest=prompt.digest, by="mia",
                from_digest=now.to_digest if now else None, role="maintain", kind=MoveKind.PROMOTED,
                request=str(number), at=at,
            )
        )  # fmt: skip

    def start(self) -> None:
        """Returns when the hub listens."""
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, self._database, str(self.port)], cwd=ROOT)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)

    def kill(self) -> None:
        """Ends the hub in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def version(number: int) -> HubPrompt:
    """Returns a prompt that says which version it is."""
    return HubPrompt(
        lineage=PROMPT,
        commit="c" * 40,
        path="p.prompt.yml",
        dialect=Dialect.GITHUB,
        messages=(Message(role=Role.USER, content=f"v{number}"),),
        models=(HubModel(name="fast", provider="openai", model="gpt-5-mini"),),
    )


def opened(hub: Hub, folder: Path, refresh_s: float) -> Prompts:
    """Opens a client of the hub."""
    return Prompts("acme/shop", tag="production", hub=hub.url, token=hub.token, cache=folder, refresh_s=refresh_s)


def number_of(prompts: Prompts) -> int:
    """Returns the version that a reader sees, from its rendered text."""
    return int(prompts["support-triage"].render().messages[0]["content"].removeprefix("v"))


def reads(prompts: Prompts) -> tuple[float, float]:
    """Returns nanoseconds of a read from the client, and of one from a dictionary."""
    plain = {"support-triage": prompts["support-triage"]}
    times = []
    for source in (prompts, plain):
        timer = timeit.Timer('source["support-triage"]', globals={"source": source})
        times.append(min(timer.repeat(7, 200_000)) / 200_000 * 1e9)
    return times[0], times[1]


def promotions(hub: Hub, prompts: Prompts) -> list[float]:
    """Returns for each promotion the seconds until it is read."""
    delays = []
    for number in range(1, PROMOTIONS + 1):
        hub.put(number)
        began = time.monotonic()
        while number_of(prompts) != number:
            time.sleep(0.005)
        delays.append(time.monotonic() - began)
        time.sleep(0.037 * number % 0.5)  # at another moment between two refreshes
    return delays


def cold_start(url: str, folder: Path) -> tuple[float, float]:
    """Returns the seconds of a process that reads one prompt from its bundle, and those of ``import httpx``.

    Each is the best of a few: other work on the machine only adds.
    """
    bundle = folder / "prompts.lock.json"
    entry = HubEntry(prompt=version(0), moved_at=datetime.now(UTC))
    bundle.write_text(json.dumps(PromptSet(repository="acme/shop", tag="production", entries=(entry,)).document()))
    whole, imports = [], []
    for code, times in ((COLD, whole), ("import httpx", imports)) * STARTS:
        began = time.monotonic()
        arguments = [sys.executable, "-c", code, str(bundle), url, str(folder / "none")]
        subprocess.run(arguments, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(SOURCES)})
        times.append(time.monotonic() - began)
    return min(whole), min(imports)


@contextmanager
def black_hole() -> Iterator[str]:
    """Yields the address of a hub that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def kills(hub: Hub, prompts: Prompts) -> tuple[int, int, int]:
    """Kills the hub under readers, with a promotion each time. Returns reads, failed reads, and wrong versions."""
    newest = number_of(prompts)
    last = newest + KILLS
    counts = [[0, 0, 0] for _ in range(READERS)]
    ended = threading.Event()

    def reader(count: list[int]) -> None:
        seen = 0
        while not ended.wait(PAUSE_S):
            try:
                number = number_of(prompts)
            except Exception:  # noqa: BLE001 - counted
                count[1] += 1
                continue
            count[0] += 1
            count[2] += not seen <= number <= newest
            seen = number

    threads = [threading.Thread(target=reader, args=(count,)) for count in counts]
    for thread in threads:
        thread.start()
    while newest < last:
        hub.kill()
        newest += 1
        hub.put(newest)
        hub.start()
    while number_of(prompts) != last:
        time.sleep(0.01)
    ended.set()
    for thread in threads:
        thread.join()
    return tuple(map(sum, zip(*counts, strict=True)))  # type: ignore[return-value]


def main() -> None:
    """Prints the figures. The exit code tells whether the promises were kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hub = Hub(folder)
        hub.put(0)
        hub.start()
        try:
            with opened(hub, folder / "one", refresh_s=60) as prompts:
                mine, plain = reads(prompts)
            print(f"read: {mine:.0f} ns, {mine / plain:.1f} × a dictionary's {plain:.0f} ns")
            with opened(hub, folder / "two", REFRESH_S) as prompts:
                delays = promotions(hub, prompts)
            seen = f"{statistics.median(delays):.2f} s at the median, {max(delays):.2f} s at most"
            print(f"{PROMOTIONS} promotions at {REFRESH_S:g} s: seen after {seen}")
            down, imports = cold_start("http://127.0.0.1:9", folder)
            with black_hole() as url:
                silent, _ = cold_start(url, folder)
            print(f"cold start from a bundle, best of {STARTS}: {down:.2f} s without a hub")
            print(f"  {silent:.2f} s with a hub that never answers")
            print(f"  of these, Python and `import httpx`: {imports:.2f} s")
            with opened(hub, folder / "three", REFRESH_S) as prompts:
                done, failed, wrong = kills(hub, prompts)
            print(f"{KILLS} kills, {READERS:,} readers: {done:,} reads, {failed} failed, {wrong} wrong versions")
        finally:
            hub.kill()
    sys.exit(0 if mine < 1000 and max(delays) < REFRESH_S + 1 and down < 0.5 and not failed and not wrong else 1)


if __name__ == "__main__":
    main()
