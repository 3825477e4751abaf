"""Starts and ends the calling process, and holds our end of its line (a socket).

Imports very little, so that the process starts before everything else is imported. adapters/call_process/client.py
sends it calls. The process inherits no environment, no files and no output, and its arguments are only names. Keys
arrive over the line. When the line closes, the process ends, even if we were killed.
"""

from __future__ import annotations

import os
import site
import socket
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from schemas.providers import PROVIDERS

PATHS = "import os, site, sys; sys.path += sys.argv[1].split(os.pathsep); site.main(); "
"""Puts our folders after the standard library and before installed packages, so ``adapters`` is ours."""
PROGRAM = PATHS + "from adapters.call_process.worker import main; main(sys.argv[2:])"
ENVIRONMENT = {"PYDANTIC_DISABLE_PLUGINS": "1", "SSL_CERT_FILE": "/dev/null"}
"""No plugins run beside the keys. The transport names its certificates; reading the system's takes 50 ms."""
ROOT = Path(__file__).parents[2]


class CallingProcess:
    """The running child. ``sdks``: modules that it imports at once. Raises OSError if it can't start."""

    def __init__(self, sdks: Sequence[str] = ()) -> None:
        ours, theirs = socket.socketpair()
        unwritten = ["-B"] if sys.dont_write_bytecode else []
        # Our copy of the child's end is closed, so that the line closes when the child dies.
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program and names of ours
                    [sys.executable, "-I", "-S", *unwritten, "-c", PROGRAM, os.pathsep.join(_folders()), *sdks],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,  # Ctrl-C reaches the parent only, which decides what happens to the calls
                )
            except OSError:
                ours.close()
                raise
        self.line = ours
        """A socket for lines in both directions. Blocking until an event loop takes it over."""
        self._finalizer = weakref.finalize(self, _end, self._process)

    def say(self, data: bytes) -> None:
        """Sends a line before there is a loop. A dead child is noticed later."""
        with suppress(OSError):
            self.line.sendall(data)

    def end(self) -> int:
        """Kills the child if it still runs; returns its exit code."""
        self._finalizer()
        return self._process.wait()


def started_for(environment: Mapping[str, str]) -> CallingProcess | None:
    """Returns a process that already imports the SDK of each provider whose key is set; ``None`` without such a key."""
    specs = [spec for spec in PROVIDERS.values() if spec.key is not None and environment.get(spec.key)]
    sdks = [module for spec in specs for module in (spec.opens.partition(":")[0], spec.sdk) if module]
    with suppress(OSError):  # the first call tries again
        return CallingProcess(sdks) if sdks else None
    return None


def _folders() -> list[str]:
    """Returns the folders of our modules and of the user's packages (``pip install --user``).

    An isolated Python leaves out the user's packages and would import older ones of the system."""
    return [str(ROOT), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(KeyboardInterrupt):  # a second Ctrl-C must not print a traceback
        process.wait()
