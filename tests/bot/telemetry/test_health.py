"""A worker is ready when it has what it needs: store, disk, copies, queue."""

import os
import sqlite3
from contextlib import closing

import httpx
import pytest

from bot.runs.run_queue import _replace_if_damaged
from bot.store.records import Records
from bot.telemetry.health import Health, writable
from schemas.errors import StoreError
from tests.bot.running import command, running


class Parts:
    def __init__(self):
        self.now, self.asked, self.broken = 0.0, 0, None
        self.health = Health(lambda: self.now, {"the store": self.probe})

    def probe(self):
        self.asked += 1
        if self.broken:
            raise self.broken


@pytest.mark.parametrize("error", [StoreError("gone"), ValueError("a bug")])
def test_a_part_is_looked_at_now_and_then_and_what_failed_in_use_until_it_works(error):
    parts = Parts()
    assert [parts.health.troubles() for _ in range(3)] == [()] * 3
    assert parts.asked == 1
    parts.broken, parts.now = error, 5.0
    parts.health.fails("a", "runs")
    parts.health.fails("b", "runs")
    parts.health.fails("c", "runs", "free the disk")
    assert parts.health.troubles() == ("the store", "runs", "runs (free the disk)")
    parts.broken, parts.now = None, 10.0
    parts.health.works("a")
    assert parts.health.troubles() == ("runs", "runs (free the disk)")
    parts.health.only("runs", ["d"])
    assert parts.health.troubles() == ()


def test_a_full_disk_is_noticed(tmp_path, monkeypatch):
    writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*free the disk"):
        writable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("content", [b"no database" * 100, b"", None])
def test_a_damaged_queue_is_begun_anew_and_a_sound_one_kept(tmp_path, content):
    path = tmp_path / "workflows.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
    if content is not None:
        path.write_bytes(content)
    _replace_if_damaged(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == ([("t",)] if content is None else [])


@pytest.mark.slow
def test_a_damaged_database_says_what_to_do(tmp_path):
    path = tmp_path / "bot.sqlite3"
    records = Records(str(path))
    records.migrate()
    records.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    (tmp_path / "bot.sqlite3-wal").unlink(missing_ok=True)
    (tmp_path / "data").mkdir()
    path.rename(tmp_path / "data" / "bot.sqlite3")
    done = command(tmp_path)
    assert done.returncode != 0
    assert "bot.sqlite3: the bot's database is damaged" in done.stderr + done.stdout
    assert "restore the backup" in done.stderr + done.stdout


@pytest.mark.slow
def test_the_readiness_page_names_what_the_worker_cant_use(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "outcomes.sqlite3").write_bytes(b"no database" * 1000)
    (tmp_path / "data" / "sources").write_text("no folder")
    with running(tmp_path) as bot:
        bot.until("working")
        answer = httpx.get(f"{bot.url}/readyz", trust_env=False)
        assert answer.status_code == 503
        said = (
            "the copies of repositories (free the disk, or make the folder writable for this user), the outcome store"
        )
        assert answer.text.startswith(f"not ready: {said} (it is not a store; move the file away")
        unusable = {line["what"] for line in bot.lines if line["event"] == "part not usable"}
        assert unusable == {"the copies of repositories", "the outcome store"}
        bot.stop()
