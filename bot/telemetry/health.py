"""Tracks whether a worker has what it needs. Parts are probed, and failures in use are remembered until they pass."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from bot.telemetry.logs import logger
from schemas.errors import PromptVerdictError, StoreError

PROBE_AGAIN_S = 5.0
"""Seconds for which a probe's result is reused: anyone can ask, and each probe writes to the disk."""
PROBE_BYTES = 64 * 1024

WAITING = "runs that wait for the operator"

log = logger("health")

Probe = Callable[[], object]
"""Raises PromptVerdictError if the part can't be used. Blocks."""


class Trouble(NamedTuple):
    """What doesn't work, and what an operator must do about it. Both are public: no path, host or repository."""

    what: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.what} ({self.hint})" if self.hint else self.what


class Health:
    """The health of one worker. Thread-safe. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float], probes: Mapping[str, Probe] | None = None) -> None:
        self._monotonic = monotonic
        self._probes = dict(probes or {})
        self._looked_at: float | None = None
        self._found: tuple[Trouble, ...] = ()
        self._failing: dict[str, Trouble] = {}
        self._turn = threading.Lock()

    def fails(self, key: str, what: str, hint: str | None = None) -> None:
        """Records that a part failed in use. Both texts are shown on the readiness page."""
        self._failing[key] = Trouble(what, hint)

    def works(self, key: str) -> None:
        """Records that a part works, or is no longer needed."""
        self._failing.pop(key, None)

    def only(self, what: str, keys: Collection[str]) -> None:
        """Clears the failures with text ``what`` whose key is not among ``keys``."""
        # A copy, because runs report from other threads meanwhile.
        for key in [key for key, why in self._failing.copy().items() if why.what == what and key not in keys]:
            self.works(key)

    def troubles(self) -> tuple[str, ...]:
        """Names what doesn't work and what an operator must do. The log says why. Blocks."""
        # One prober at a time: a flood of requests would otherwise fill the disk with test files.
        with self._turn:
            now = self._monotonic()
            if self._looked_at is None or now - self._looked_at >= PROBE_AGAIN_S:
                tried = [_trouble(name, probe) for name, probe in self._probes.items()]
                self._found = tuple(trouble for trouble in tried if trouble is not None)
                self._looked_at = now
            return tuple(dict.fromkeys(str(one) for one in (*self._found, *self._failing.copy().values())))


def _trouble(name: str, probe: Probe) -> Trouble | None:
    try:
        probe()
    except PromptVerdictError as error:
        log.error("part not usable", what=name, why=str(error))
        return Trouble(name, error.hint)
    # A bug in a probe must not take the readiness page down with it.
    except Exception:
        log.exception("bug", what=name)
        return Trouble(name)
    return None


def writable(folder: Path) -> None:
    """Writes and removes a small file. Raises StoreError."""
    path = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                # Without it, a full disk may be noticed only when the system writes its cache.
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"this folder can't be written: {error.strerror or error}",
            where=str(folder),
            hint="free the disk, or make the folder writable for this user",
        ) from error
