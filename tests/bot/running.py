"""The bot as an operator starts it: ``python -m bot`` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from tests.bot.served import KEY, SECRET

ROOT = Path(__file__).parents[2]


def variables_for(folder, **more):
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder),
        "PROMPTVERDICT_APP_ID": "123", "PROMPTVERDICT_PRIVATE_KEY": KEY, "PROMPTVERDICT_WEBHOOK_SECRET": SECRET,
        "PROMPTVERDICT_DATA": str(folder / "data"), "PROMPTVERDICT_HOST": "127.0.0.1", "PROMPTVERDICT_PORT": "0",
        "PROMPTVERDICT_SLOT": "one", **more,
    }  # fmt: skip


class Bot:
    """One process and what it logs."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def until(self, event, *, wait_s=20):
        """The first line that says ``event``."""
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            found = [line for line in self.lines if line["event"] == event]
            if found:
                return found[0]
            time.sleep(0.02)
        raise TimeoutError(f"{event!r} is not in {self.lines}")

    @cached_property
    def url(self):
        return f"http://127.0.0.1:{self.until('listening')['port']}"

    def stop(self, number=signal.SIGTERM):
        """The exit code; it has 15 s to be there.

        Raises:
            subprocess.TimeoutExpired: It goes on.
        """
        self.process.send_signal(number)
        code = self.process.wait(15)
        self._reader.join(5)
        return code


@contextmanager
def running(folder, *arguments, **variables):
    """``python -m bot …``; killed at the end if it is still there."""
    with subprocess.Popen(
        [sys.executable, "-P", "-u", "-m", "bot", *arguments], env=variables_for(folder, **variables), cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Bot(process)
        finally:
            process.kill()


def command(folder, *arguments, **variables):
    """``python -m bot …`` to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "bot", *arguments], env=variables_for(folder, **variables), cwd=folder,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
