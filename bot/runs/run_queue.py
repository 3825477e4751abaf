"""Runs that survive: DBOS Transact behind start, cancel and status, so that it can be replaced.

The row in ``runs`` says what is to be done; a workflow only does it. Its two steps may be repeated at any time: what
was paid for is in the outcome store, what was decided is in the records, and publishing writes the same thing again.

Measured before it was chosen (and kept in mind here): a step per call mixes results up after a kill; without a pinned
version an edited comment strands what is running; two workers with the default executor id steal each other's runs;
nobody takes over from a dead worker by itself; ``destroy`` blocks the loop that it is called in.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from bot.telemetry.logs import logger
from schemas.errors import PromptVerdictError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dbos import DBOSConfig

T = TypeVar("T")
VERSION = "1"
"""Of the order of steps, to be raised with it: what another version left pending isn't gone on with."""
NAME = "prompt-verdict"
WORKFLOW = "run"
QUEUE = "runs"
STRANGERS_QUEUE = "strangers"
"""Runs of forks that nobody has approved: they only render, one at a time, and keep nobody else waiting."""
SCHEMA = "promptverdict_workflows"
"""Where the tables lie in Postgres; SQLite has a file of their own."""
THREADS = 16
POLL_S = 0.25
"""How soon a free worker sees a new run."""

log = logger("durable")


class Status(StrEnum):
    """What the executor knows of a run."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    """Whatever way: whether it came to a verdict is in the records."""


STATUSES = {
    "ENQUEUED": Status.WAITING,
    "DELAYED": Status.WAITING,
    "PENDING": Status.RUNNING,
}
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
TOGETHER = 500


class Work(Protocol):
    """What a run does. Both may be called again after a kill, at any point."""

    async def measure(self, run_id: str) -> None:
        """Everything up to the kept verdict. It is cancelled when the run is."""
        ...

    async def publish(self, run_id: str) -> None:
        """Puts the kept verdict on GitHub, unless it is superseded."""
        ...


class RunQueue:
    """The executor of runs. One per process: the library keeps its state in globals.

    ``url`` is ``sqlite:///file`` or ``postgresql://…``; ``slot`` is this worker's name, stable over restarts and
    unique; ``concurrency`` counts runs at a time in this process.
    """

    def __init__(self, url: str, *, slot: str, concurrency: int, work: Work) -> None:
        self._url = url
        self._slot = slot
        self._concurrency = concurrency
        self._work = work
        self._turn = threading.Lock()
        """Who is asked to stop while it starts does one after the other."""
        self._stopped = False

    async def start(self) -> None:
        """Connects, takes back what this slot left pending, and begins to work. Off this loop: runs have one of their
        own, so that requests are answered while something is computed."""
        await _outside(self._launch)

    async def stop(self) -> None:
        """Ends; what is under way is taken up by the next worker in this slot, or by the sweep of another."""
        await _outside(self._destroy)

    async def enqueue(self, run_id: str, *, stranger: bool = False) -> None:
        """Has the run executed, if it isn't waiting or running: may be repeated. One that ended is executed again.

        ``stranger``: it stands in a line of its own, in which one at a time is executed.
        """
        await _outside(self._enqueue, run_id, STRANGERS_QUEUE if stranger else QUEUE)

    async def cancel(self, run_id: str) -> None:
        """Stops the run within a second, calls under way included. May be repeated, and for one that never was."""
        await _outside(self._cancel, run_id)

    async def statuses(self, run_ids: Sequence[str]) -> dict[str, Status]:
        """What the executor knows of each."""
        return await _outside(self._statuses, list(run_ids))

    async def recover(self, slot: str) -> list[str]:
        """Puts what a dead worker left pending back on the queue; which runs. Never call it for one that lives."""
        return await _outside(self._recover, slot)

    def check(self) -> None:
        """Raises StoreError where runs can't be put into the queue. Blocks."""
        from dbos import DBOS

        with _told():
            DBOS.list_workflows(limit=1, load_input=False, load_output=False)

    async def forget(self, before: datetime) -> None:
        """Drops what the executor remembers of runs that ended before: their records say everything."""
        await _outside(self._forget, before)

    # -- in a thread: the library's own asynchronous calls take over the loop's thread pool

    def _launch(self) -> None:
        from dbos import DBOS

        with self._turn:
            if self._stopped:
                return
            _begin_anew_where_damaged(self._url)
            _write_ahead(self._url)
            DBOS(config=self._config())
            _register(self._work)
            DBOS.listen_queues([QUEUE, STRANGERS_QUEUE])
            logging.getLogger("dbos").addFilter(_expected)
            DBOS.launch()
            for queue, concurrency in ((QUEUE, self._concurrency), (STRANGERS_QUEUE, 1)):
                DBOS.register_queue(
                    queue, worker_concurrency=concurrency, polling_interval_sec=POLL_S, on_conflict="always_update"
                )

    def _config(self) -> DBOSConfig:
        from dbos import DBOSPortableJSONSerializer

        return {
            "name": NAME,
            "system_database_url": self._url,
            "dbos_system_schema": SCHEMA,
            "application_version": VERSION,
            "executor_id": self._slot,
            "max_executor_threads": THREADS,
            "serializer": DBOSPortableJSONSerializer(),
            "use_listen_notify": False,
            "log_level": "WARNING",
        }

    def _destroy(self) -> None:
        from dbos import DBOS

        with self._turn:
            self._stopped = True
            DBOS.destroy(destroy_registry=True)

    def _enqueue(self, run_id: str, queue: str) -> None:
        from dbos import DBOS

        if self._statuses([run_id])[run_id] is Status.ENDED:
            DBOS.delete_workflows([run_id])
        DBOS.enqueue_workflow_with_options(
            {"workflow_name": WORKFLOW, "queue_name": queue, "workflow_id": run_id, "app_version": VERSION}, run_id
        )

    def _cancel(self, run_id: str) -> None:
        from dbos import DBOS

        if self._statuses([run_id])[run_id] in (Status.WAITING, Status.RUNNING):
            DBOS.cancel_workflows([run_id])

    def _statuses(self, run_ids: list[str]) -> dict[str, Status]:
        from dbos import DBOS

        found = DBOS.list_workflows(workflow_ids=run_ids, load_input=False, load_output=False) if run_ids else []
        known = {one.workflow_id: STATUSES.get(one.status, Status.ENDED) for one in found}
        return {run_id: known.get(run_id, Status.UNKNOWN) for run_id in run_ids}

    def _recover(self, slot: str) -> list[str]:
        from dbos import DBOS

        pending = DBOS.list_workflows(
            status="PENDING", executor_id=slot, name=WORKFLOW, load_input=False, load_output=False
        )
        for queue in (QUEUE, STRANGERS_QUEUE):
            ids = [one.workflow_id for one in pending if (one.queue_name == STRANGERS_QUEUE) == (queue != QUEUE)]
            if ids:
                DBOS.resume_workflows(ids, queue_name=queue)
        return [one.workflow_id for one in pending]

    def _forget(self, before: datetime) -> None:
        from dbos import DBOS

        while ended := DBOS.list_workflows(
            name=WORKFLOW, status=ENDED, completed_before=before.isoformat(), limit=TOGETHER,
            load_input=False, load_output=False,
        ):  # fmt: skip
            DBOS.delete_workflows([one.workflow_id for one in ended])


async def _outside(work: Callable[..., T], *arguments: object) -> T:
    """In a thread that doesn't know on behalf of which step it is asked: what a step starts is no child of its run.

    Raises StoreError where the executor's database fails.
    """

    def told() -> T:
        with _told():
            return work(*arguments)

    return await asyncio.get_running_loop().run_in_executor(None, told)


@contextmanager
def _told() -> Iterator[None]:
    """Turns a failure of the executor's database into ours."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        first = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise StoreError(
            f"the queue of runs failed: {first}",
            mend="mend the database, or start the bot again: a damaged file is begun anew",
        ) from error


def _register(work: Work) -> None:
    from dbos import DBOS

    @DBOS.step(name="measure", preemptible=True)
    async def measure(run_id: str) -> None:
        await work.measure(run_id)

    @DBOS.step(name="publish")
    async def publish(run_id: str) -> None:
        await work.publish(run_id)

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
    async def run(run_id: str) -> None:
        await measure(run_id)
        await publish(run_id)


def _expected(record: logging.LogRecord) -> bool:
    """Whether the library's message is shown: of runs that were cancelled, or wait for an outage to end, we tell."""
    failure = record.exc_info[1] if record.exc_info else None
    ours = isinstance(failure, PromptVerdictError) or "Cancel" in type(failure).__name__
    said = record.getMessage()
    return not ours and not any(words in said for words in ("was cancelled", "task cancelled", "no longer owned"))


def _begin_anew_where_damaged(url: str) -> None:
    """Removes a damaged file: whatever is open in the records is put into the queue again."""
    if not url.startswith("sqlite:///"):
        return
    path = Path(url.removeprefix("sqlite:///"))
    try:
        with closing(sqlite3.connect(path)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        log.warning("queue of runs begun anew", file=path.name)
        for rest in ("", "-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)


def _write_ahead(url: str) -> None:
    """SQLite's journal mode is a property of the file; synced at every commit is its default."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
