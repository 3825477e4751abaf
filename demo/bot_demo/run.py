"""``make bot-demo``: the bot at work, from a pull request to an answered command, in less than a minute.

``python -m bot`` runs as in production, on SQLite, with the offline model. It talks to a fake GitHub over real HTTP
(tests/fakes/github), which has a repository with the examples, sends signed webhooks, and receives comments and check
runs. A pull request raises the average and breaks the adversarial cases. A maintainer asks why, and then approves it
with a reason.

The exit code is 0 only if the comment, the check, the answers and the approval all appear, and doctor finds no problem.
At the end the pages of all of it, and of a staged organization, can be looked at in a browser (not with ``--once``).
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.staged import blobs
from bot.operations.app_manifest import EVENTS, PERMISSIONS, ruleset
from bot.store.records import Records
from tests.bot.pages.stage import organization
from tests.fakes.github import App, FakeGitHub, Hook, Pull, Scene

ROOT = Path(__file__).parents[2]
PULL_REQUEST = "trusting-triage"
TITLE = "Let customers choose their team"
SECRET = "the webhook secret of the demo"
PATIENCE_S = 45.0
COMMENT_LINES, ANSWER_LINES, CHECK_LINES = 16, 20, 6
Found = TypeVar("Found")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Missing(Exception):  # noqa: N818 - named after what it says
    """An expected step of the demo did not happen."""


def main() -> int:
    """Plays the story. Returns 0 if all of it happened."""
    parser = argparse.ArgumentParser(prog="python -m demo.bot_demo", description=__doc__)
    parser.add_argument("--short", action="store_true", help="only the headlines")
    parser.add_argument("--once", action="store_true", help="end after the demo, without waiting for a browser")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prompt-verdict-bot-demo-") as name:
        folder = Path(name)
        with FakeGitHub(folder / "github") as github:
            try:
                stage = Stage(github, folder)
                play(stage, short=given.short)
                show_pages(stage, stay=not given.once)
            except Missing as missing:
                say(f"\nIT DID NOT HAPPEN: {missing}\n\nThe bot's log:\n{log_of(folder)}")
                return 1
    say(f"\nAll of it happened, in {time.monotonic() - started:.0f} s.")
    return 0


class Stage:
    """The repository, its App, and the bot's process."""

    def __init__(self, github: FakeGitHub, folder: Path) -> None:
        self.github, self.folder = github, folder
        self.repository = github.repository("tidewell/shop", ada="write", mia="maintain")
        files = {
            path: data for path, data in blobs().items() if path.startswith(("prompts/", "tests/", "promptverdict"))
        }
        self.repository.git.commit("main", files, message="Prompts, cases and the gate")
        self.scene = Scene(github, self.repository)
        app, _ = github.app("prompt-verdict", [self.repository], **PERMISSIONS)
        self.app: App = app
        app.events = EVENTS
        (rule,) = ruleset(app.id)["rules"]
        self.repository.required_checks["main"] = rule["parameters"]["required_status_checks"]

    def open_pull_request(self) -> Pull:
        """Opens Ada's pull request. GitHub notifies the bot."""
        changed = {path: data for path, data in blobs(PULL_REQUEST).items() if blobs().get(path) != data}
        pull, event = self.scene.open_pull(changed, author="ada", branch="triage/trust-the-customer")
        pull.title = TITLE
        self.github.webhooks.emit("pull_request", event)
        return pull

    def comment(self, pull: Pull, by: str, text: str) -> int:
        """Posts a comment on the pull request and returns its id."""
        event = self.scene.comment(pull.number, by, text)
        self.github.webhooks.emit("issue_comment", event)
        number: int = event["comment"]["id"]
        return number

    def check(self, pull: Pull) -> dict[str, Any] | None:
        """Returns the newest completed check run of the head."""
        ended = [
            check
            for check in self.repository.check_runs
            if check["head_sha"] == pull.head_sha and check["status"] == "completed"
        ]
        return ended[-1] if ended else None

    def ours(self, start: str) -> str | None:
        """Returns our comment whose first line starts with ``start``."""
        bodies = [c["body"] for c in self.repository.comments if c["author"] == self.app.login]
        return next((body for body in bodies if body.startswith(start)), None)

    @contextmanager
    def bot(self) -> Iterator[None]:
        """Runs ``python -m bot`` until the end of the block, then asks it to stop."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.variables = {
            "PATH": os.environ["PATH"],
            "PROMPTVERDICT_APP_ID": str(self.app.id),
            "PROMPTVERDICT_PRIVATE_KEY_FILE": str(self._secret("app.pem", self.app.private_key)),
            "PROMPTVERDICT_WEBHOOK_SECRET_FILE": str(self._secret("webhook-secret", SECRET)),
            "PROMPTVERDICT_API_URL": self.github.api_url,
            "PROMPTVERDICT_SERVER_URL": self.github.server_url,
            "PROMPTVERDICT_DATA": str(self.folder / "data"),
            "PROMPTVERDICT_HOST": "127.0.0.1",
            "PROMPTVERDICT_PORT": str(port),
        }
        command = [sys.executable, "-m", "bot"]
        with (self.folder / "bot.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self.variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            until("the bot to be ready", lambda: process.poll() is not None or ready(port))
            if process.poll() is not None:
                raise Missing(f"the bot ended with exit code {process.returncode}")
            self.github.hooks.append((self.app, Hook(f"http://127.0.0.1:{port}/webhook", SECRET, frozenset(EVENTS))))
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def doctor(self) -> tuple[int, str]:
        """Runs ``promptverdict doctor`` on this installation. Returns its exit code and output."""
        command = [sys.executable, "-m", "bot", "doctor"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def _secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


def play(stage: Stage, *, short: bool) -> None:
    """Plays the story. Raises Missing."""
    say("A fake GitHub, a repository with the examples, the offline model. No key, no network.")
    with stage.bot():
        say("The bot runs: python -m bot, one process, SQLite.\n")
        pull = stage.open_pull_request()
        say(f"ada opens #{pull.number} “{TITLE}” ({pull.head_sha[:7]}), and GitHub notifies the bot.")
        check = until("the check's verdict", lambda: stage.check(pull))
        show_check(check, short=short)
        expect(check["conclusion"] == "failure", f"the check is {check['conclusion']}, and should have failed")
        comment = until("the scorecard as a comment", lambda: finished(stage.ours("<!-- prompt-verdict ")))
        show("prompt-verdict[bot] comments", comment, 1 if short else COMMENT_LINES)

        case = worst_case(comment)
        asked = stage.comment(pull, "mia", f"/verdict explain {case}")
        say(f"\nmia asks: /verdict explain {case}")
        answer = until("the answer", lambda: stage.ours(f"<!-- prompt-verdict-answer {asked} "))
        expect(any(r["comment"] == asked and r["content"] == "eyes" for r in stage.repository.reactions), "no 👀")
        show("prompt-verdict[bot] reacts with 👀 and answers", answer, 1 if short else ANSWER_LINES)

        time.sleep(1.1)  # GitHub's clock has whole seconds, and only a verdict shown before can be approved
        reason = "support checks these tickets by hand until Friday"
        asked = stage.comment(pull, "mia", f"/verdict approve {reason}")
        say(f"\nmia accepts it: /verdict approve {reason}")
        answer = until("the answer", lambda: stage.ours(f"<!-- prompt-verdict-answer {asked} "))
        show("prompt-verdict[bot] answers", answer, 1 if short else ANSWER_LINES)
        check = until("the check to pass", lambda: passed(stage.check(pull)))
        show_check(check, short=True)

        code, said = stage.doctor()
        say("\nIs everything in place? promptverdict doctor")
        say(textwrap.indent(said.rstrip().rpartition("\n")[2] if short else said.rstrip(), "  │ "))
        expect(code == 0, "doctor found a problem")
    expect(len(stage.repository.check_runs) == 1, f"there are {len(stage.repository.check_runs)} checks")
    expect(not stage.github.violations, f"GitHub would have refused: {stage.github.violations[:3]}")


def show_pages(stage: Stage, *, stay: bool) -> None:
    """Adds an organization with some history, and shows everything on loopback. Raises Missing."""
    records = Records(f"sqlite:///{stage.folder / 'data' / 'bot.sqlite3'}")
    organization(records, datetime.now(UTC))
    records.close()
    variables = {**stage.variables, "PROMPTVERDICT_PORT": "0"}
    command = [sys.executable, "-m", "bot", "--local"]
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            expect(found is not None, "the pages didn't start")
            address = found[0] if found else ""
            with DIRECT.open(f"{address}repositories/{stage.repository.id}", timeout=20) as answer:
                expect("Run 1" in answer.read().decode(), "the pages don't show the run")
            about = "\nThe same records as web pages, with the history of an example organization"
            if stay:
                say(f"{about}: {address}\nPress Ctrl-C to stop.")
                process.wait()
            else:
                say(f"{about}: they answer. Without --once they stay open.")
        except KeyboardInterrupt:
            say("")
        finally:
            process.terminate()


def finished(body: str | None) -> str | None:
    """Returns the comment, once it has the verdict."""
    return body if body is not None and "running" not in body.split("\n", 2)[1] else None


def passed(check: dict[str, Any] | None) -> dict[str, Any] | None:
    """Returns the check, once it passes."""
    return check if check is not None and check["conclusion"] == "success" else None


def worst_case(comment: str) -> str:
    """Returns a case that the comment names."""
    found = re.search(r"\b[a-z]+(?:-[a-z0-9]+)*-[0-9]{2,4}\b", plain(comment))
    if found is None:
        raise Missing("the comment names no case")
    return found[0]


def until(what: str, look: Callable[[], Found | None]) -> Found:
    """Returns the first result of ``look``. Raises Missing."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise Missing(f"{what} didn't come within {PATIENCE_S:.0f} s")


def ready(port: int) -> bool:
    """Returns whether the bot reports that it is ready."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def expect(true: bool, otherwise: str) -> None:
    """Raises Missing with ``otherwise``."""
    if not true:
        raise Missing(otherwise)


def show_check(check: dict[str, Any], *, short: bool) -> None:
    """Prints a check run as the pull request shows it."""
    sign = {"success": "✔", "failure": "✘"}.get(check["conclusion"], "●")
    buttons = ", ".join(f"[{action['label']}]" for action in check.get("actions", []))
    output = check["output"]
    say(f"\n{sign} {check['name']}: {check['conclusion']} · {output['title']}   {buttons}")
    if not short:
        for note in output["annotations"]:
            say(f"  {note['path']}:{note['start_line']} {note['annotation_level']}: {note['title']}")
        show("the check's summary", output["summary"], CHECK_LINES)


def show(who: str, markdown: str, most: int) -> None:
    """Prints the first lines of Markdown as plain text."""
    lines = [line for line in plain(markdown).splitlines() if line.strip()]
    width = min(118, shutil.get_terminal_size((118, 24)).columns - 2)
    say(f"\n  ── {who} " + "─" * max(0, width - len(who) - 6))
    for line in lines[:most]:
        say(textwrap.indent("\n".join(textwrap.wrap(line, width - 4) or [""]), "  │ "))
    if len(lines) > most:
        say(f"  └ and {len(lines) - most} more lines")


def plain(markdown: str) -> str:
    """Returns Markdown without the parts for browsers."""
    text = re.sub(r"<!--.*?-->", "", markdown, flags=re.DOTALL)
    text = re.sub(r"</?(?:details|summary|p|table|tr|ul|li|pre|div)\b[^>]*>", "\n", text)
    text = re.sub(r"</t[hd]>", " ", re.sub(r"<br ?/?>", " / ", text))
    text = html.unescape(re.sub(r"<[^>]+>", "", text))
    text = re.sub(r"^\|?[ :|-]+\|?$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"^\| (.*) \|$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"[ \t]+", " ", text.replace("**", ""))


def log_of(folder: Path) -> str:
    """Returns the end of the bot's log."""
    return "\n".join((folder / "bot.log").read_text(errors="replace").splitlines()[-30:])


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
