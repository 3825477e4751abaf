"""Runs the bot as an operator does, in its own process group, with a fake GitHub, for the long campaigns."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.webhooks.routing import EVENTS
from tests.bot.running import Bot, variables_for
from tests.bot.served import SECRET
from tests.bot.whole import Whole
from tests.end_to_end.conftest import CONFIG, FILES, PROMPT
from tests.fakes.github import FakeGitHub
from tests.fakes.github.state import Hook

PROMPT_PATH = "prompts/triage.prompt.yml"
SLOW_CONFIG = (
    f"{CONFIG}  slow: {{use_case: classification, prompt: s.j2, tests: s.jsonl, labels: [billing, refunds]}}\n"
)
SLOW = '{{ ticket }}{% for a in "x" * 1000 %}{% for b in "x" * 2500 %}{% endfor %}{% endfor %}'
"""About a tenth of a second for each case."""


def edited(words: str) -> dict[str, str]:
    """Returns a prompt that no run has seen."""
    return {PROMPT_PATH: PROMPT.replace("Answer with the label alone.", f"Answer with the label alone ({words}).")}


@dataclass
class Lab:
    """A repository on the fake GitHub, and the bot's processes one after the other."""

    folder: Path
    whole: Any
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Returns the bot's data folder."""
        return self.folder / "data"

    def start(self) -> Bot:
        """Starts a new process. GitHub delivers to it once it listens."""
        whole = self.whole
        variables = variables_for(
            self.folder, PROMPTVERDICT_APP_ID=str(whole.app.id), PROMPTVERDICT_PRIVATE_KEY=whole.app.private_key,
            PROMPTVERDICT_API_URL=whole.github.api_url, PROMPTVERDICT_SERVER_URL=whole.github.server_url,
        )  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-P", "-u", "-m", "bot"], env=variables, cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return Bot(process)

    def deliver_to(self, bot: Bot) -> None:
        """Webhooks go there from now on."""
        bot.until("listening", wait_s=120)
        self.whole.github.hooks[:] = [(self.whole.app, Hook(f"{bot.url}/webhook", SECRET, frozenset(EVENTS)))]

    def kill(self, bot: Bot) -> None:
        """Kills the whole group at once, as a container engine or the kernel does."""
        self.whole.github.hooks.clear()
        with suppress(ProcessLookupError):
            os.killpg(bot.process.pid, signal.SIGKILL)
        bot.process.wait()

    def check(self, sha: str) -> dict[str, Any]:
        """Returns the newest check of a head, or an empty object without one."""
        return ([*self.whole.checks(sha)] or [{}])[-1]

    def concluded(self, sha: str, patience_s: float) -> bool:
        """Waits for a verdict on a head."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if self.check(sha).get("conclusion") not in (None, "cancelled"):
                return True
            time.sleep(0.02)
        return False

    def readiness(self, bot: Bot) -> str:
        """Returns the text of the page, or an empty text without an answer."""
        try:
            with urllib.request.urlopen(f"{bot.url}/readyz", timeout=20) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except (OSError, TimeoutError):
            return ""

    def assert_ready(self, bot: Bot, patience_s: float) -> None:
        """Waits until the page reports readiness."""
        end = time.monotonic() + patience_s
        while (said := self.readiness(bot)) != "ready\n":
            assert time.monotonic() < end, said
            time.sleep(0.1)


@contextmanager
def lab() -> Iterator[Lab]:
    """Returns an installed App and one repository, without a process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with FakeGitHub(folder / "github", strict=False, writes_a_minute=10**6) as github:
            whole = Whole(github, folder / "data")
            whole.records.close()
            shutil.rmtree(folder / "data")
            whole.move_to("acme/shop", FILES)
            made = Lab(folder, whole)
            try:
                yield made
            finally:
                for process in made.started:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
