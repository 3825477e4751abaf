"""Durable execution of runs. Hides DBOS Transact behind start, cancel and status, so that it can be replaced.

The row in ``runs`` is the order; a workflow only carries it out. Its two steps may be repeated at any time: paid
answers are in the outcome store, verdicts are in the records, and publishing writes the same text again.

Measured before DBOS was chosen, and the reason for the settings below:

- A step per model call assigns results to the wrong cases after a crash. So there are two steps per run.
- Without a pinned version, editing a comment in a workflow strands the runs that are under way.
- Two workers with the default executor id steal each other's runs.
- DBOS does not take over from a dead worker; our sweep does.
- ``DBOS.destroy`` blocks the event loop that it is called in.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from bot.telemetry.logs import logger
from schemas.errors import PromptVerdictError, StoreError

if TYPE_CHECKING:
    from dbos import DBOSConfig

P = ParamSpec("P")
T = TypeVar("T")
VERSION = "1"
"""The version of the order of steps. Workflows of another version are not resumed."""
NAME = "prompt-verdict"
WORKFLOW = "run"
QUEUE = "runs"
FORKS_QUEUE = "strangers"
"""Runs of forks without approval. They only render, one at a time, so that they don't delay other runs."""
PAGES_QUEUE = "pages"
"""Runs that people ask for on pages. They have places of their own, so that no person delays pull requests."""
QUEUES = (QUEUE, FORKS_QUEUE, PAGES_QUEUE)
SCHEMA = "promptverdict_workflows"
"""The schema of the tables in Postgres. SQLite uses a separate file."""
THREADS = 16
POLL_S = 0.25
"""Seconds until a free worker sees a new run."""
FORKS_POLL_S = 1.0
"""The same for runs of forks, which wait for a maintainer anyway. An idle worker costs the database what it polls."""
CONNECTIONS = 8
"""The most connections to Postgres. DBOS would open twenty, for each worker."""

log = logger("queue")


class QueueStatus(StrEnum):
    """The queue's status of a run."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    """Ended, for any reason. The records say whether there is a verdict."""


STATUSES = {
    "ENQUEUED": QueueStatus.WAITING,
    "DELAYED": QueueStatus.WAITING,
    "PENDING": QueueStatus.RUNNING,
}
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
BATCH = 500
"""Workflows that are forgotten at once."""


class RunSteps(Protocol):
    """The steps that are executed for a run. Both may be called again after a crash, at any point."""

    async def measure(self, run_id: str) -> None:
        """Evaluates the run and stores its verdict. It is cancelled together with the run."""
        ...

    async def publish(self, run_id: str) -> None:
        """Publishes the stored verdict, unless the run is superseded."""
        ...


def _outside(
    method: Callable[Concatenate[RunQueue, P], T],
) -> Callable[Concatenate[RunQueue, P], Coroutine[Any, Any, T]]:
    """Runs a blocking method in a thread. Raises StoreError if the queue's database fails."""

    # Not asyncio.to_thread: that copies the context, and DBOS would take what is started on behalf of a step for a
    # child of its run. Its own asynchronous calls take over the loop's thread pool.
    @wraps(method)
    async def call(self: RunQueue, /, *args: P.args, **kwargs: P.kwargs) -> T:
        def work() -> T:
            with _store_errors():
                return method(self, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(None, work)

    return call


class RunQueue:
    """The queue of runs and its executor. One for each process, since DBOS keeps its state in globals.

    ``url`` is ``sqlite:///file`` or ``postgresql://…``. ``slot`` is this worker's name, unique and the same after a
    restart. ``concurrency`` is the number of runs that this process executes at once.
    """

    def __init__(self, url: str, *, slot: str, concurrency: int, steps: RunSteps) -> None:
        self._url = url
        self._slot = slot
        self._concurrency = concurrency
        self._steps = steps
        self._lock = threading.Lock()
        """Held by ``start`` and ``stop``, which may be called at the same moment."""
        self._stopped = False

    @_outside
    def start(self) -> None:
        """Connects, takes back the runs that this slot left unfinished, and begins to execute.

        Runs have an event loop of their own, so that requests are answered during computations.
        """
        from dbos import DBOS

        with self._lock:
            # A stop that comes during the start wins: nothing would end what is launched after it.
            if self._stopped:
                return
            _replace_if_damaged(self._url)
            _write_ahead(self._url)
            DBOS(config=self._config())
            _register(self._steps)
            DBOS.listen_queues(list(QUEUES))
            logging.getLogger("dbos").addFilter(_is_unexpected)
            DBOS.launch()
            for queue, concurrency, poll_s in (
                (QUEUE, self._concurrency, POLL_S),
                (FORKS_QUEUE, 1, FORKS_POLL_S),
                (PAGES_QUEUE, self._concurrency, POLL_S),
            ):
                DBOS.register_queue(
                    queue, worker_concurrency=concurrency, polling_interval_sec=poll_s, on_conflict="always_update"
                )

    @_outside
    def stop(self) -> None:
        """Stops executing. Unfinished runs are resumed by the next worker in this slot, or by another's sweep."""
        from dbos import DBOS

        with self._lock:
            self._stopped = True
            DBOS.destroy(destroy_registry=True)

    @_outside
    def enqueue(self, run_id: str, *, unapproved_fork: bool = False, of_page: bool = False) -> None:
        """Puts a run on its queue unless it is waiting or running. One that ended is executed again."""
        from dbos import DBOS

        # DBOS ignores a workflow id that it has already executed, so the old one is deleted first.
        if _statuses([run_id])[run_id] is QueueStatus.ENDED:
            DBOS.delete_workflows([run_id])
        queue = FORKS_QUEUE if unapproved_fork else PAGES_QUEUE if of_page else QUEUE
        DBOS.enqueue_workflow_with_options(
            {"workflow_name": WORKFLOW, "queue_name": queue, "workflow_id": run_id, "app_version": VERSION}, run_id
        )

    @_outside
    def cancel(self, run_id: str) -> None:
        """Stops a run within a second, including its model calls. Does nothing for a run that isn't on the queue."""
        from dbos import DBOS

        if _statuses([run_id])[run_id] in (QueueStatus.WAITING, QueueStatus.RUNNING):
            DBOS.cancel_workflows([run_id])

    @_outside
    def statuses(self, run_ids: Sequence[str]) -> dict[str, QueueStatus]:
        """Returns the status of each run."""
        return _statuses(run_ids)

    @_outside
    def recover(self, slot: str) -> list[str]:
        """Puts the unfinished runs of a dead worker back on the queue; returns their ids.

        Never call it for a living worker: its runs would be executed twice.
        """
        from dbos import DBOS

        pending = DBOS.list_workflows(
            status="PENDING", executor_id=slot, name=WORKFLOW, load_input=False, load_output=False
        )
        # Back on their own queues, so that runs of forks don't take the places of others.
        for queue in QUEUES:
            of = [(one.workflow_id, one.queue_name if one.queue_name in QUEUES else QUEUE) for one in pending]
            ids = [run_id for run_id, own in of if own == queue]
            if ids:
                DBOS.resume_workflows(ids, queue_name=queue)
        return [one.workflow_id for one in pending]

    @_outside
    def forget(self, before: datetime) -> None:
        """Deletes the queue's data on runs that ended before this time. The records keep everything needed."""
        from dbos import DBOS

        # In portions, so that the table is never locked for long.
        while ended := DBOS.list_workflows(
            name=WORKFLOW, status=ENDED, completed_before=before.isoformat(), limit=BATCH,
            load_input=False, load_output=False,
        ):  # fmt: skip
            DBOS.delete_workflows([one.workflow_id for one in ended])

    def check(self) -> None:
        """Raises StoreError if no run can be put on the queue. Blocks."""
        from dbos import DBOS

        with _store_errors():
            DBOS.list_workflows(limit=1, load_input=False, load_output=False)

    def _config(self) -> DBOSConfig:
        from dbos import DBOSPortableJSONSerializer

        return {
            "name": NAME,
            "system_database_url": self._url,
            "dbos_system_schema": SCHEMA,
            "sys_db_pool_size": CONNECTIONS,
            "application_version": VERSION,
            "executor_id": self._slot,
            "max_executor_threads": THREADS,
            "serializer": DBOSPortableJSONSerializer(),
            "use_listen_notify": False,
            "log_level": "WARNING",
        }


def _statuses(run_ids: Sequence[str]) -> dict[str, QueueStatus]:
    from dbos import DBOS

    found = DBOS.list_workflows(workflow_ids=list(run_ids), load_input=False, load_output=False) if run_ids else []
    known = {one.workflow_id: STATUSES.get(one.status, QueueStatus.ENDED) for one in found}
    return {run_id: known.get(run_id, QueueStatus.UNKNOWN) for run_id in run_ids}


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raises a failure of the queue's database as StoreError."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        first = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise StoreError(
            f"the queue of runs failed: {first}",
            hint="repair the database, or restart the bot: it replaces a damaged file",
        ) from error


def _register(steps: RunSteps) -> None:
    from dbos import DBOS

    # Preemptible: a superseded run must stop its paid calls at once.
    @DBOS.step(name="measure", preemptible=True)
    async def measure(run_id: str) -> None:
        await steps.measure(run_id)

    @DBOS.step(name="publish")
    async def publish(run_id: str) -> None:
        await steps.publish(run_id)

    # No limit here. The sweep decides when a run is given up, and says so on the check.
    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
    async def run(run_id: str) -> None:
        await measure(run_id)
        await publish(run_id)


def _is_unexpected(record: logging.LogRecord) -> bool:
    """Returns whether to log a message of DBOS. Cancelled and postponed runs are left out: we log those ourselves."""
    failure = record.exc_info[1] if record.exc_info else None
    ours = isinstance(failure, PromptVerdictError) or "Cancel" in type(failure).__name__
    said = record.getMessage()
    return not ours and not any(words in said for words in ("was cancelled", "task cancelled", "no longer owned"))


def _replace_if_damaged(url: str) -> None:
    """Removes a damaged SQLite file. The sweep then puts every open run of the records on the new queue."""
    if not url.startswith("sqlite:///"):
        return
    path = Path(url.removeprefix("sqlite:///"))
    try:
        with closing(sqlite3.connect(path)) as connection:
            sound = connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        log.warning("damaged queue replaced", file=path.name)
        # The log and its index belong to the damaged file, so they go with it.
        for rest in ("", "-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)


def _write_ahead(url: str) -> None:
    """Turns on SQLite's write-ahead log, a property of the file. It syncs at every commit by default."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
