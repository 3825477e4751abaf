"""docs/operating.md, executed: a backup while the bot works, a restore elsewhere; nothing that was stored is paid again."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.store import open_store
from bot.store.records import Records
from schemas.errors import StoreError
from tests.bot.store.test_removal import NOW, OURS, SECOND, evaluate, everything

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[3] / "docs" / "operating.md"


def documented(name, programs=None, **variables):
    """Runs the shell block after the comment ``test: name``, as it is written."""
    (script,) = re.findall(rf"<!-- test: {name} -->\n```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    search = os.pathsep.join([str(programs or ""), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": search} | {key: str(value) for key, value in variables.items()}
    done = subprocess.run(["sh", "-euc", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


async def prove(before, url, outcomes, prepared, run):
    """What was there at the backup is there again, still can't be changed, and is not paid again."""
    restored = Records(url)
    restored.migrate()
    restored.check()
    store = open_store(outcomes)
    assert restored.verdict(run.id) == before.verdict(run.id)
    assert restored.audit_log(70, 3) == before.audit_log(70, 3)
    assert restored.known_deliveries(["70-handled", "after"]) == {"70-handled"}
    with pytest.raises(StoreError, match="never changed"), restored._database.writing() as session:
        session.execute(text("DELETE FROM audit"))
    _, calls = await everything(restored, store, SECOND, prepared, "canary", NOW + timedelta(minutes=1))
    assert calls == 0
    await store.aclose()
    restored.close()


async def test_sqlite_is_backed_up_while_in_use_and_restored(tmp_path):
    data, backup = tmp_path / "data", tmp_path / "backup"
    backup.mkdir()
    records = Records(f"sqlite:///{data / 'bot.sqlite3'}")
    records.migrate()
    store = open_store(str(data / "outcomes.sqlite3"))
    prepared = evaluate(tmp_path, "canary")
    run, paid = await everything(records, store, OURS, prepared, "canary")
    assert paid > 0
    with records._database.writing() as session:
        session.execute(text("UPDATE slots SET slot = slot"))  # a transaction that is open meanwhile
        documented("sqlite backup", DATA=data, BACKUP=backup)
    records.receive("after", "push", b"{}", NOW)
    await store.aclose()
    records.close()
    (data / "workflows.sqlite3").touch()
    documented("sqlite restore", DATA=data, BACKUP=backup)
    assert {file.name for file in data.iterdir()} == {"bot.sqlite3", "outcomes.sqlite3"}
    before = Records(f"sqlite:///{tmp_path / 'data.before' / 'bot.sqlite3'}")
    await prove(before, f"sqlite:///{data / 'bot.sqlite3'}", str(data / "outcomes.sqlite3"), prepared, run)
    before.close()


async def test_postgres_is_backed_up_while_in_use_and_restored(server, new_database, tmp_path):
    url, elsewhere = new_database(), new_database()
    records = Records(url)
    records.migrate()
    store = open_store(url)
    prepared = evaluate(tmp_path, "canary")
    run, paid = await everything(records, store, OURS, prepared, "canary")
    assert paid > 0
    documented("postgres backup", server.bin_path, DATABASE_URL=url, BACKUP=tmp_path)
    records.receive("after", "push", b"{}", NOW)
    documented("postgres restore", server.bin_path, DATABASE_URL=elsewhere, BACKUP=tmp_path)
    await prove(records, elsewhere, elsewhere, prepared, run)
    await store.aclose()
    records.close()
