"""The process: what an operator sees when it starts, when it is asked to stop, and when it is killed."""

import asyncio
import io
import json
import os
import signal
import socket
import threading
import time

import httpx
import pytest

from bot import service
from bot.service import Service
from bot.store.records import Records
from bot.webhooks.listener import listen
from schemas.errors import StoreError, UsageError
from tests.bot.running import ROOT, command, running
from tests.bot.served import SECRET, headers_for, settings_for
from tests.fakes.github import FakeGitHub
from tests.faults import ALL

pytestmark = pytest.mark.slow

BODY = b'{"zen": "Keep it logically awesome."}'


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def post(url, body=BODY, **more):
    return httpx.post(f"{url}/webhook", content=body, headers=headers_for(body, **more))


def kept(folder):
    """How many deliveries the ledger has."""
    records = Records(f"sqlite:///{folder / 'data' / 'bot.sqlite3'}")
    try:
        return records.known_deliveries([f"delivery-{n}" for n in range(50)])
    finally:
        records.close()


def test_three_settings_start_everything_and_a_signal_stops_it(tmp_path):
    with running(tmp_path, PROMPTVERDICT_WEBHOOK_SECERT=SECRET) as bot:
        assert post(bot.url).status_code == 202
        assert post(bot.url, secret="wrong, but long enough").status_code == 401
        bot.until("working")
        assert httpx.get(f"{bot.url}/readyz").text == "ready\n"
        assert httpx.get(f"{bot.url}/healthz").status_code == 200
        assert "promptverdict_ack_seconds_count 1.0" in httpx.get(f"{bot.url}/metrics").text
        code = bot.stop()
        assert (code, bot.lines[-1]["event"]) == (0, "stopped")
        assert bot.process.stderr.read() == ""
    said = json.dumps(bot.lines)
    assert "PROMPTVERDICT_WEBHOOK_SECERT" in said
    assert "webhook rejected" in said
    assert SECRET not in said
    assert tmp_path.joinpath("data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("loading", "code"), [("typer", 143), ("structlog", 0)])
def test_who_is_stopped_while_it_is_being_loaded_is_gone_at_once(tmp_path, loading, code):
    """As process 1 of a container it would not even be killed, if it didn't listen."""
    (tmp_path / f"{loading}.py").write_text('import time\nprint(\'{"event": "loading"}\')\ntime.sleep(30)\n')
    with running(tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}") as bot:
        bot.until("loading")
        assert bot.stop() == code
        assert bot.process.stderr.read() == ""


@pytest.mark.parametrize("after_s", [0.0, 0.2] if ALL else [0.2])
def test_who_is_stopped_while_it_starts_to_work_ends_in_order(tmp_path, after_s):
    with FakeGitHub(tmp_path) as github, running(tmp_path, PROMPTVERDICT_API_URL=github.api_url) as bot:
        bot.until("listening")
        time.sleep(after_s)
        assert bot.stop() == 0
        assert bot.process.stderr.read() == ""
        assert not [line for line in bot.lines if line["level"] == "error"]
        assert bot.lines[-1]["event"] == "stopped"


def test_what_was_acknowledged_survives_a_kill_in_the_next_moment(tmp_path):
    with running(tmp_path, "web") as bot:
        for n in range(50):
            assert post(bot.url, guid=f"delivery-{n}").status_code == 202
        bot.process.kill()
        bot.process.wait()
    assert len(kept(tmp_path)) == 50


def test_web_and_worker_are_two_processes_on_one_database(tmp_path):
    with running(tmp_path, "web") as web, running(tmp_path, "worker", PROMPTVERDICT_SLOT="two") as worker:
        assert post(web.url).status_code == 202
        assert post(worker.url).status_code == 404
        worker.until("working")
        assert httpx.get(f"{worker.url}/readyz").status_code == 200
        assert (web.stop(signal.SIGINT), worker.stop()) == (0, 0)
        assert not any(line["event"] == "working" for line in web.lines)


def test_who_sends_slowly_does_not_keep_it_from_stopping(tmp_path):
    with running(tmp_path, "web") as bot:
        port = int(bot.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as line:
            head = "".join(f"{name}: {value}\r\n" for name, value in headers_for(BODY).items())
            line.sendall(f"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n{head}\r\n{{".encode())
            time.sleep(0.2)
            assert bot.stop() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PROMPTVERDICT_WEBHOOK_SECRET": ""}, "PROMPTVERDICT_WEBHOOK_SECRET is not set"),
        ({"PROMPTVERDICT_DATA": "/proc/nowhere"}, "the data folder /proc/nowhere can't be written"),
        ({"PROMPTVERDICT_HOST": "256.0.0.1"}, "can't listen on 256.0.0.1"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(tmp_path, change, said):
    done = command(tmp_path, **change)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr


def test_a_database_that_can_not_be_reached_is_one_line_and_exit_code_3(tmp_path):
    done = command(tmp_path, DATABASE_URL="postgresql://bot:pass-word@127.0.0.1:1/x?connect_timeout=1")
    assert done.returncode == 3
    assert "the bot's database failed" in done.stderr
    assert "pass-word" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_a_sqlite_that_the_durable_engine_can_not_use_is_refused():
    for python, sqlite in (((3, 11), (3, 40, 1)), ((3, 12), (3, 42, 0)), ((3, 14), (4, 0, 0))):
        service.check_sqlite(python, sqlite)
    with pytest.raises(UsageError, match=r"SQLite is 3\.40\.1, but a worker needs 3\.42") as refusal:
        service.check_sqlite((3, 13), (3, 40, 1))
    assert "postgresql://" in str(refusal.value)


class Part:
    """A worker that does what a test wants."""

    def __init__(self, *, start=None, run=None, stop=None):
        self._start, self._run, self._stop = start, run, stop
        self.said = []

    def troubles(self):
        return ()

    async def start(self):
        self.said.append("start")
        await (self._start or asyncio.sleep)(0)

    async def run(self):
        self.said.append("run")
        try:
            await (self._run or (lambda _: asyncio.sleep(3600)))(0)
        finally:
            self.said.append("cancelled")

    async def stop(self):
        self.said.append("stop")
        await (self._stop or asyncio.sleep)(0)


@pytest.fixture(autouse=True)
def survive(monkeypatch):
    """What would end this process when something hangs."""
    monkeypatch.setattr(service, "_exit_now", lambda code: None)


async def raising(_):
    raise StoreError("the disk is gone")


def service_with(part, folder):
    settings = settings_for(folder)
    return Service(settings, listen("127.0.0.1", 0), lambda *_: part, web=True)


async def test_the_parts_stop_in_order(tmp_path):
    part = Part()
    running = asyncio.create_task(service_with(part, tmp_path).run())
    while "run" not in part.said:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 8)
    assert part.said == ["start", "run", "cancelled", "stop"]


@pytest.mark.parametrize("when", ["start", "run"])
async def test_what_breaks_a_part_ends_the_service(tmp_path, when):
    part = Part(**{when: raising})
    with pytest.raises(StoreError, match="the disk is gone"):
        await asyncio.wait_for(service_with(part, tmp_path).run(), 8)
    assert part.said[-1] == "stop"


async def test_until_the_worker_has_started_it_is_not_ready(tmp_path):
    never = asyncio.Event()
    worker = Part(start=lambda _: never.wait())
    made = service_with(worker, tmp_path)
    assert made._troubles(worker) == ("starting",)
    running = asyncio.create_task(made.run())
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert made._troubles(worker) == ("stopping",)
    await asyncio.wait_for(running, 8)


async def test_what_hangs_is_left_behind(tmp_path, monkeypatch):
    left = threading.Event()
    monkeypatch.setattr(service, "EXIT_WITHIN_S", 0.2)
    monkeypatch.setattr(service, "_exit_now", lambda code: left.set())
    hangs = asyncio.Event()
    running = asyncio.create_task(service_with(Part(stop=lambda _: hangs.wait()), tmp_path).run())
    await asyncio.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.to_thread(left.wait, 5)
    hangs.set()
    await asyncio.wait_for(running, 8)


def test_a_bug_is_in_the_log_and_ends_the_process(tmp_path, monkeypatch):
    import logging

    from bot import worker

    async def buggy(_):
        raise ZeroDivisionError("a bug")

    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(worker, "make_worker", lambda *_: Part(run=buggy))
    stream = io.StringIO()
    try:
        assert service.serve(settings_for(tmp_path, PROMPTVERDICT_PORT="0"), stream, web=True, worker=True) is False
    finally:
        root.handlers[:], root.level = before
        logging.captureWarnings(capture=False)
        logging.raiseExceptions = True
    last = json.loads(stream.getvalue().splitlines()[-1])
    assert last["event"] == "bug"
    assert "ZeroDivisionError" in last["exception"]
