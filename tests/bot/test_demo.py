"""`make bot-demo` shows what it promises, and says so when it doesn't."""

import subprocess
import sys
from pathlib import Path

import pytest

from demo.bot_demo import run as bot_demo

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_pull_request_gets_its_check_its_comment_and_its_commands_answered():
    command = [sys.executable, "-m", "demo.bot_demo", "--short", "--once"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "✘ prompt-verdict: failure",
        "[bot] comments",
        "reacts with 👀 and answers",
        "✔ prompt-verdict: success",
        "with the history of an example organization: they answer",
        "All of it",
    ):
        assert line in done.stdout


def test_what_does_not_happen_is_said_and_is_no_success(monkeypatch, capsys):
    def nothing(stage, *, short):
        (stage.folder / "bot.log").write_text("what the bot said last")
        raise bot_demo.Missing("the comment didn't come")

    monkeypatch.setattr(bot_demo, "play", nothing)
    monkeypatch.setattr(sys, "argv", ["bot_demo"])
    assert bot_demo.main() == 1
    said = capsys.readouterr().out
    assert "IT DID NOT HAPPEN: the comment didn't come" in said
    assert "what the bot said last" in said


def test_waiting_ends(monkeypatch):
    monkeypatch.setattr(bot_demo, "PATIENCE_S", 0.1)
    with pytest.raises(bot_demo.Missing, match="it didn't come"):
        bot_demo.until("it", lambda: None)
