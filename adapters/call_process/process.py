"""The calling process itself: how it is started, and our end of its line. Imports next to nothing, so that it can be
started before everything else is imported; adapters/call_process/client.py has it make calls.

It gets no environment, no arguments but names, no files and no output: keys come over the line, and with the line it
ends, however we end.
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
"""After Python's own modules and before what else is installed: ours is this ``adapters``."""
PROGRAM = PATHS + "from adapters.call_process.worker import main; main(sys.argv[2:])"
ENVIRONMENT = {"PYDANTIC_DISABLE_PLUGINS": "1", "SSL_CERT_FILE": "/dev/null"}
"""No plugin beside the keys, no certificates but those that the transport names (reading the system's takes 50 ms)."""
ROOT = Path(__file__).parents[2]


class CallingProcess:
    """Starts it. ``sdks``: what it imports at once. Raises OSError."""

    def __init__(self, sdks: Sequence[str] = ()) -> None:
        ours, theirs = socket.socketpair()
        unwritten = ["-B"] if sys.dont_write_bytecode else []
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
        """A stream of lines, both ways. Blocks, until an event loop takes it over."""
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
    """A process that imports the SDK of each provider whose own key is set, while nothing is known yet but that; none
    where there is no such key."""
    specs = [spec for spec in PROVIDERS.values() if spec.key is not None and environment.get(spec.key)]
    sdks = [module for spec in specs for module in (spec.opens.partition(":")[0], spec.sdk) if module]
    with suppress(OSError):  # tried again when it is needed
        return CallingProcess(sdks) if sdks else None
    return None


def _folders() -> list[str]:
    """Returns where our modules are found, and those that the user installed without an environment (``pip install
    --user``): an isolated Python leaves them out, and would take the system's older ones."""
    return [str(ROOT), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(KeyboardInterrupt):  # a second Ctrl-C must not print a traceback
        process.wait()
