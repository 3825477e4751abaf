"""``promptverdict bot``: two shells, one command, and help that teaches."""

import os
import re
import subprocess
import sys

import httpx
import pytest

from bot.store.records import Records
from bot.variables import VARIABLES
from tests.bot.running import ROOT, command, variables_for

MODULE = [sys.executable, "-P", "-m", "action"]


def promptverdict(folder, *arguments, start=MODULE, **variables):
    return subprocess.run(
        [*start, *arguments], env=variables_for(folder, **variables), cwd=folder, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip


def test_the_command_line_becomes_the_bot(tmp_path):
    assert promptverdict(tmp_path, "bot", "web", "--help").stdout.startswith("Usage: promptverdict bot web")
    refused = promptverdict(tmp_path, "bot", PROMPTVERDICT_WEBHOOK_SECRET="")
    assert refused.returncode == 2
    assert "PROMPTVERDICT_WEBHOOK_SECRET is not set" in refused.stderr


def test_help_says_where_to_begin(tmp_path):
    text = " ".join(command(tmp_path, "--help").stdout.split())
    for taught in (
        "promptverdict bot setup",
        "PROMPTVERDICT_APP_ID",
        "promptverdict doctor",
        "web",
        "worker",
        "settings",
    ):
        assert taught in text


def test_every_setting_is_listed(tmp_path):
    text = command(tmp_path, "settings").stdout
    for variable in VARIABLES:
        assert f"\n{variable.name}" in f"\n{text}"


def test_a_database_is_migrated_without_starting_anything(tmp_path):
    done = command(tmp_path, "migrate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "The database is at this version.\n", "")
    records = Records(f"sqlite:///{tmp_path / 'data' / 'bot.sqlite3'}")
    records.check()
    records.close()


def test_a_folder_that_lies_is_not_looked_into(tmp_path):
    """The working directory may be a checkout with a folder ``bot`` of its own."""
    tmp_path.joinpath("bot").mkdir()
    for name in ("__init__.py", "__main__.py", "cli.py"):
        tmp_path.joinpath("bot", name).write_text("raise SystemExit('foreign code was run')\n")
    assert "Usage: promptverdict bot" in promptverdict(tmp_path, "bot", "--help").stdout


def test_an_isolated_command_line_stays_isolated(tmp_path, monkeypatch):
    from action.cli import bot_process

    called = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: called.append(arguments))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bot_process.sys, "flags", type("Flags", (), {"isolated": 1, "verbose": 0})())
        bot_process.become_bot(["web"])
    bot_process.become_bot(["doctor"])
    assert called[0] == [sys.executable, "-u", "-I", "-m", "bot", "web"]
    assert called[1][-3:] == ["-m", "bot", "doctor"]


def test_the_command_lines_help_does_not_load_the_bot():
    code = (
        "import sys; sys.argv = ['promptverdict', '--help']\n"
        "from action.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('bot', 'fastapi', 'dbos', 'structlog')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_local_pages_are_for_this_machine_only(tmp_path):
    empty = command(tmp_path, "--local")
    assert (empty.returncode, f"PROMPTVERDICT_DATA: {tmp_path}/data holds no records" in empty.stderr) == (2, True)
    assert not list(tmp_path.glob("data/*"))
    folder = tmp_path / ".local" / "share" / "prompt-verdict"
    Records(f"sqlite:///{folder / 'bot.sqlite3'}").migrate()
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "--local"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PROMPTVERDICT_PORT": "0"},
    ) as process:  # fmt: skip
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        assert "No repository to show" in httpx.get(address, trust_env=False).text
        assert httpx.get(address, headers={"host": "evil.example"}, trust_env=False).status_code == 403
        assert httpx.post(f"{address}webhook", trust_env=False).status_code == 404
        process.terminate()
        assert process.wait(20) == 0
    refused = command(tmp_path, "--local", "web")
    assert (refused.returncode, "--local takes no command" in refused.stderr) == (2, True)
