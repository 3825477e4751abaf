"""One process of the bot: webhooks, or a worker, or both.

It may be killed at any moment. Acknowledged webhooks and paid answers are stored, and unfinished work is repeated by
the next process. A requested stop is only tidier.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

from bot.telemetry.logs import logger, start_logs
from bot.telemetry.metrics import Metrics
from bot.webhooks.endpoints import create_app
from bot.webhooks.listener import Listener, listen
from schemas.errors import PromptVerdictError, UsageError

if TYPE_CHECKING:
    import socket

    from bot.settings import Settings
    from bot.store.records import Records

EXIT_WITHIN_S = 9.0
"""Seconds from the request to stop until the process exits, whatever hangs. Container engines kill after ten."""
BROKEN = 3
"""Exit code after a part failed."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logger("service")


class ServiceWorker(Protocol):
    """Handles deliveries and executes runs."""

    async def start(self) -> None:
        """Connects everything. Raises PromptVerdictError."""
        ...

    async def run(self) -> None:
        """Works until it is cancelled."""
        ...

    async def stop(self) -> None:
        """Stops runs that are under way and closes everything."""
        ...

    def troubles(self) -> tuple[str, ...]:
        """Names the parts that don't work, in a few words. Blocks."""
        ...


MakeWorker = Callable[["Settings", "Records", Metrics, asyncio.Event], ServiceWorker]
"""Takes settings, records, metrics, and the event that is set after each new delivery."""


def serve(settings: Settings, stream: TextIO, *, web: bool, worker: bool) -> bool:
    """Runs until the process is asked to stop. The log goes to ``stream``. Returns False after a bug of ours.

    Raises UsageError for a port or folder that can't be used, and PromptVerdictError for other fatal errors.
    """
    from adapters.loop import run_async
    from bot.worker import make_worker

    # First, so that no later line can contain a secret.
    start_logs(stream, settings.secrets)
    # Bound before anything starts: a port in use is reported at once and without side effects.
    listening = listen(settings.host, settings.port)
    try:
        run_async(Service(settings, listening, make_worker if worker else None, web=web).run())
    except PromptVerdictError:
        raise
    except Exception:
        log.exception("bug")
        return False
    log.info("stopped")
    return True


class Service:
    """Starts the parts in order: database, worker, port. Stops them in reverse."""

    def __init__(
        self, settings: Settings, listening: socket.socket, make_worker: MakeWorker | None, *, web: bool
    ) -> None:
        self._settings = settings
        self._listening = listening
        self._make_worker = make_worker
        self._web = web
        self._stopping = asyncio.Event()
        self._starting = True

    async def run(self) -> None:
        """Returns when everything has stopped. A part that fails ends the service, which is restarted from outside."""
        from bot.store.records import Records

        self._listen_to_signals()
        _open_folder(self._settings)
        if self._make_worker and self._settings.workflows_url.startswith("sqlite"):
            check_sqlite(sys.version_info[:2], sqlite3.sqlite_version_info)
        records = Records(self._settings.database_url)
        try:
            # Before any part starts: each of them expects this version's tables.
            await asyncio.to_thread(records.migrate)
            await self._work(records)
        finally:
            records.close()

    async def _work(self, records: Records) -> None:
        from adapters.clock import SystemClock

        metrics, wake = Metrics(), asyncio.Event()
        worker = self._make_worker(self._settings, records, metrics, wake) if self._make_worker else None
        app = create_app(
            records,
            self._settings,
            clock=SystemClock(),
            metrics=metrics,
            wake=wake.set,
            troubles=lambda: self._troubles(worker),
            webhook=self._web,
        )
        if self._web:
            from bot.site import add_hub, add_intake, add_pages, services_of

            hub, suggesting = services_of(records, self._settings, SystemClock())
            add_hub(app, records, self._settings, SystemClock(), hub)
            add_intake(app, records, self._settings, SystemClock(), metrics)
            add_pages(app, records, self._settings, SystemClock(), hub, suggesting=suggesting)
        listener = Listener(app, self._listening)
        try:
            async with asyncio.TaskGroup() as parts:
                parts.create_task(self._listen(listener), name="listener")
                working = parts.create_task(self._run_worker(worker), name="worker") if worker else None
                await self._stopping.wait()
                log.info("stopping")
                listener.stop()
                if working is not None:
                    working.cancel()
        except BaseExceptionGroup as several:
            # A part that failed may have left threads behind that never end.
            _exit_soon(BROKEN)
            raise _first(several) from several

    async def _listen(self, listener: Listener) -> None:
        port = self._listening.getsockname()[1]
        parts = [name for name, there in (("web", self._web), ("worker", self._make_worker)) if there]
        log.info("listening", host=self._settings.host, port=port, parts=parts, slot=self._settings.slot)
        if self._settings.unknown:
            log.warning("unknown settings", names=self._settings.unknown)
        await listener.run_until_stopped()
        self._stopping.set()

    async def _run_worker(self, worker: ServiceWorker) -> None:
        try:
            await worker.start()
            self._starting = False
            log.info("working")
            await worker.run()
        finally:
            await worker.stop()

    def _troubles(self, worker: ServiceWorker | None) -> tuple[str, ...]:
        # Not ready while stopping, so that a load balancer sends no more requests.
        if self._stopping.is_set():
            return ("stopping",)
        if worker is None:
            return ()
        return ("starting",) if self._starting else worker.troubles()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop, loop)

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Handles the first signal as a request to stop. The second then kills the process."""
        self._stopping.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        _exit_soon(0)


def _first(several: BaseExceptionGroup) -> BaseException:
    """Returns the exception that came first: it caused the others."""
    first: BaseException = several
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _exit_soon(code: int) -> None:
    last = threading.Timer(EXIT_WITHIN_S, _exit_now, (code,))
    # A timer that isn't needed any more must not keep the process alive.
    last.daemon = True
    last.start()


def _exit_now(code: int) -> None:
    """Exits although something hangs. Nothing is lost: everything that counts is stored."""
    log.warning("exited before everything had stopped", after_s=EXIT_WITHIN_S)
    os._exit(code)


def check_sqlite(python: tuple[int, int], sqlite: tuple[int, ...]) -> None:
    """Raises UsageError for an SQLite that is too old for DBOS on this Python."""
    if python >= (3, 12) and sqlite < (3, 42):
        raise UsageError(
            f"this Python's SQLite is {'.'.join(map(str, sqlite))}, but a worker needs 3.42 or newer",
            where="DATABASE_URL",
            hint="use the image or another Python, or DATABASE_URL=postgresql://…",
        )


def _open_folder(settings: Settings) -> None:
    """Creates the data folder, for this user only. Raises UsageError."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(settings.data, os.R_OK | os.W_OK | os.X_OK)
    except OSError:
        usable = False
    if not usable:
        raise UsageError(
            f"the data folder {settings.data} can't be written",
            where="PROMPTVERDICT_DATA",
            hint="name a folder that this user can write",
        )
