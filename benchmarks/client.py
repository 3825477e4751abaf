"""Measures the client of the hub: a read, a start without the hub, promotions, and kills of the hub under readers.

    python -m benchmarks.client

The hub is a process of its own that serves one document. Readers check each text they get: it must be a version that
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
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "client/src"
sys.path.insert(0, str(SOURCES))

from promptverdict_client import Prompts  # noqa: E402 - not installed here
from tests.client.fake_hub import version  # noqa: E402

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = Path(sys.argv[1]).read_bytes()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
"""Serves a file, whatever is asked."""


class Hub:
    """A process that serves a file, and that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.document = folder / "document.json"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, number: int) -> None:
        """Promotes a version."""
        new = self.document.with_suffix(".new")
        new.write_text(json.dumps(version(number)))
        new.replace(self.document)

    def start(self) -> None:
        """Returns when the hub listens."""
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, str(self.document), str(self.port)])
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


def opened(hub: Hub, folder: Path, refresh_s: float) -> Prompts:
    """Opens a client of the hub."""
    return Prompts("acme/shop", tag="production", hub=hub.url, token="pv_x", cache=folder, refresh_s=refresh_s)


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
    bundle.write_text(json.dumps(version(0)))
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
            print(f"cold start from a bundle, best of {STARTS}: {down:.2f} s with nobody listening")
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
