"""Stores outcomes in one SQLite file, with a write-ahead log that is synced at every commit."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

from adapters.store.backend import StoreStats
from adapters.store.rows import COLUMNS, CONTENT, PLAN_COLUMNS, Row, checksum, is_sound
from schemas.errors import StoreError
from schemas.ports import CallKey

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS completions (
    id INTEGER PRIMARY KEY, request_digest TEXT NOT NULL, repetition INTEGER NOT NULL, created_at TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, completion TEXT NOT NULL, cost_usd TEXT NOT NULL,
    neutral_cost_usd TEXT NOT NULL, price TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '')""",
    "CREATE INDEX IF NOT EXISTS completions_by_request ON completions (request_digest, repetition, id)",
    """CREATE TABLE IF NOT EXISTS claims (
    request_digest TEXT NOT NULL, repetition INTEGER NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (request_digest, repetition)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS plans (
    content_digest TEXT PRIMARY KEY, plan TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
)
VERSION = 2
"""Version of the schema. In version 1, rows had no checksum."""
APPLICATION = 0x50_56_64_74
"""SQLite's ``application_id`` of a store. Other programs' databases are never written to."""
TABLES = {"completions", "claims", "plans"}
SELECT = f"SELECT {', '.join(COLUMNS)} FROM completions"  # noqa: S608 - our own names
SELECT_PLAN = f"SELECT {', '.join(PLAN_COLUMNS)} FROM plans"  # noqa: S608
FORGET = ("DELETE FROM completions WHERE request_digest = ?", "DELETE FROM plans WHERE content_digest = ?")
BUSY_S = 30


class SqliteBackend:
    """``Backend`` in a file.

    Each process with claims holds a lock on a file of its own. The system releases it when the process dies, so the
    claims of a killed process are free at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.transaction = self._transaction
        # New for each process, because process ids are reused.
        self._owner = uuid.uuid4().hex
        self._living = living_folder(path)
        with self._reported_errors(), ExitStack() as undo:
            self._recognize()
            self._living.mkdir(parents=True, exist_ok=True)
            self._pulse = os.open(self._living / self._owner, os.O_CREAT | os.O_RDWR, 0o600)
            undo.callback(os.close, self._pulse)
            # Held until this process ends, however it ends: this is how others know that it lives.
            fcntl.flock(self._pulse, fcntl.LOCK_EX)
            self._writer = undo.enter_context(closing(self._connect()))
            self._reader = undo.enter_context(closing(self._connect()))
            with self._transaction():
                self._make_tables()
                self._drop_claims_of_dead_processes()
            self._file = self._identity()
            undo.pop_all()
        # Readers of several threads share one connection. The writer has its own thread.
        self._reading = threading.Lock()

    def _make_tables(self) -> None:
        for statement in SCHEMA:
            self._writer.execute(statement)
        for table, columns in CONTENT.items():
            # Stores of the first version have no checksums. They are upgraded in place, so paid answers are kept.
            if "checksum" not in {name for _, name, *_ in self._writer.execute(f"PRAGMA table_info({table})")}:
                self._writer.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT NOT NULL DEFAULT ''")
                self._writer.execute(f"UPDATE {table} SET checksum = checksum_of({', '.join(columns)})")  # noqa: S608
        for pragma in (f"application_id = {APPLICATION}", f"user_version = {VERSION}"):
            self._writer.execute(f"PRAGMA {pragma}")

    def check(self) -> None:
        """Raises StoreError if the file can't be read, or was replaced since it was opened."""
        with self._reported_errors(), self._reading:
            self._reader.execute("SELECT count(*) FROM (SELECT 1 FROM completions LIMIT 1)").fetchone()
            # Writes to a deleted or replaced file would succeed and be lost.
            if self._identity() != self._file:
                raise StoreError(
                    "the outcome store was replaced while it was open", where=str(self.path), hint="start it again"
                )

    def _identity(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    def rows(self, digests: Sequence[str]) -> list[Row]:
        """Returns every row of these requests, oldest first."""
        found: list[Row] = []
        with self._reported_errors(), self._reading:
            # SQLite limits the number of parameters in one statement.
            for start in range(0, len(digests), 500):
                some = digests[start : start + 500]
                marks = ",".join("?" * len(some))
                found += self._reader.execute(f"{SELECT} WHERE request_digest IN ({marks}) ORDER BY id", some)
        return found

    def plan(self, content_digest: str) -> Row | None:
        """Returns the stored plan, or ``None``."""
        with self._reported_errors(), self._reading:
            found: Row | None = self._reader.execute(
                f"{SELECT_PLAN} WHERE content_digest = ?", (content_digest,)
            ).fetchone()
        return found

    def stats(self) -> StoreStats:
        """Returns counts and sizes."""
        with self._reported_errors(), self._reading:
            one = self._reader.execute
            count, requests, oldest, newest = one(
                "SELECT count(*), count(DISTINCT request_digest), min(created_at), max(created_at) FROM completions"
            ).fetchone()
            plans = one("SELECT count(*) FROM plans").fetchone()[0]
            cost = dict(one("SELECT model, exact_sum(cost_usd) FROM completions GROUP BY model ORDER BY model"))
        return StoreStats(
            completions=count,
            requests=requests,
            plans=plans,
            bytes=self._bytes(self._reader),
            oldest=oldest,
            newest=newest,
            cost_usd=cost,
        )

    def export(self) -> Iterator[Row]:
        """Yields every row, oldest first."""
        with self._reported_errors():
            # A connection of its own: a slow reader of the export must not block other reads.
            connection = self._connect()
            try:
                yield from connection.execute(f"{SELECT} ORDER BY id")
            finally:
                connection.close()

    def plans(self) -> Iterator[Row]:
        """Yields every plan."""
        with self._reported_errors(), self._reading:
            found = self._reader.execute(f"{SELECT_PLAN} ORDER BY content_digest").fetchall()
        yield from found

    def close(self) -> None:
        """Releases all claims and closes the file."""
        with self._reported_errors():
            self._writer.execute("DELETE FROM claims WHERE owner = ?", (self._owner,))
            self._writer.close()
            self._reader.close()
        # After the claims are deleted: without the lock, others may take them over at any moment.
        os.close(self._pulse)
        (self._living / self._owner).unlink(missing_ok=True)

    @contextmanager
    def _transaction(self) -> Iterator[SqliteBackend]:
        with self._reported_errors():
            # A deferred transaction can fail when it upgrades from reading to writing. This one waits.
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise

    def put(self, rows: Sequence[Row]) -> None:
        """Adds rows and releases the claims of their keys."""
        marks = ",".join("?" * len(COLUMNS))
        self._writer.executemany(f"INSERT INTO completions ({', '.join(COLUMNS)}) VALUES ({marks})", rows)  # noqa: S608
        # In the same transaction, so that no process sees a free claim without its answer.
        self.release([(row[0], row[1]) for row in rows])

    def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims keys and returns those that no other live process holds."""
        won = set()
        # One test for each owner and not for each key: a run claims hundreds of keys at once.
        dead: dict[str, bool] = {self._owner: False}
        for key in keys:
            holder = self._writer.execute(
                "SELECT owner FROM claims WHERE request_digest = ? AND repetition = ?", key
            ).fetchone()
            # A claim of a dead process is taken over, otherwise its call would never be made.
            if holder is not None:
                if holder[0] not in dead:
                    dead[holder[0]] = not lives(self.path, holder[0])
                if not dead[holder[0]]:
                    continue
            self._writer.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (*key, self._owner))
            won.add(key)
        return frozenset(won)

    def release(self, keys: Sequence[CallKey]) -> None:
        """Releases our claims of these keys."""
        self._writer.executemany(
            "DELETE FROM claims WHERE request_digest = ? AND repetition = ? AND owner = ?",
            [(*key, self._owner) for key in keys],
        )

    def keep_plan(self, row: Row) -> Row:
        """Stores the plan, unless the digest has an undamaged one. Returns the stored plan."""
        kept: Row | None = self._writer.execute(f"{SELECT_PLAN} WHERE content_digest = ?", row[:1]).fetchone()
        # The first plan wins, so that all processes run the same experiment.
        if kept is not None and is_sound(kept):
            return kept
        self._writer.execute("INSERT OR REPLACE INTO plans (content_digest, plan, checksum) VALUES (?, ?, ?)", row)
        return row

    def forget(self, digests: Sequence[str]) -> int:
        """Deletes every row of these requests and the plans of these contents, and overwrites their bytes. Returns how
        many."""
        # Deleted prompts and answers must not remain readable in free pages of the file.
        self._writer.execute("PRAGMA secure_delete = ON")
        deleted = 0
        for digest in digests:
            for statement in FORGET:
                deleted += self._writer.execute(statement, (digest,)).rowcount
        return deleted

    def prune(self, *, older_than: str | None, newer_than: str | None, max_bytes: int | None) -> int:
        """Deletes the oldest rows, and rows from the future. Returns how many."""
        deleted = 0
        if newer_than is not None:
            deleted += self._writer.execute("DELETE FROM completions WHERE created_at > ?", (newer_than,)).rowcount
        if older_than is not None:
            deleted += self._writer.execute("DELETE FROM completions WHERE created_at < ?", (older_than,)).rowcount
        while max_bytes is not None and self._bytes(self._writer) > max_bytes:
            # In portions, because the size is only known after each deletion.
            share = "DELETE FROM completions WHERE id IN (SELECT id FROM completions ORDER BY id LIMIT 1000)"
            some = self._writer.execute(share).rowcount
            if not some:
                break
            deleted += some
        return deleted

    def _recognize(self) -> None:
        """Raises StoreError for a file that is no store of this version, before anything is written to it."""
        # A missing or empty file becomes a new store.
        if not self.path.exists() or not self.path.stat().st_size:
            return
        # Read-only: another program's database must not be changed by looking at it.
        with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as found:
            application, version = (
                int(found.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
            )
            tables = {str(name) for (name,) in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        # A store may lack the application id. Its tables then identify it.
        if application == APPLICATION or (not application and tables >= TABLES):
            if version > VERSION:
                raise StoreError(
                    "the outcome store was written by a newer version",
                    where=str(self.path),
                    hint="upgrade, or move it away",
                )
        elif application or version or tables:
            raise StoreError(
                "this database is not an outcome store",
                where=str(self.path),
                hint="move it away, or choose another file with --store",
            )

    def _connect(self) -> sqlite3.Connection:
        # Transactions begin and end by our own statements, and the committer's thread uses a connection that another
        # thread opened.
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        with ExitStack() as undo:
            undo.callback(connection.close)
            # A write-ahead log lets others read while one process writes.
            connection.execute("PRAGMA journal_mode = WAL")
            # With a write-ahead log, only FULL survives a power failure, and answers cost money.
            connection.execute("PRAGMA synchronous = FULL")
            connection.text_factory = lambda raw: raw.decode(errors="replace")  # the checksum reveals the damage
            connection.create_function("checksum_of", -1, lambda *values: checksum(values), deterministic=True)
            connection.create_aggregate("exact_sum", 1, _ExactSum)  # type: ignore[arg-type]  # the stub wants Any
            undo.pop_all()
        return connection

    def _bytes(self, connection: sqlite3.Connection) -> int:
        """Returns the bytes in use, without free pages."""
        page, pages, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
        # Free pages stay in the file, so its size says nothing about its content.
        return int(page * (pages - free))

    def _drop_claims_of_dead_processes(self) -> None:
        for file in self._living.iterdir():
            if file.name != self._owner and not lives(self.path, file.name):
                self._writer.execute("DELETE FROM claims WHERE owner = ?", (file.name,))
                file.unlink(missing_ok=True)

    @contextmanager
    def _reported_errors(self) -> Iterator[None]:
        """Raises a failure of the database as StoreError."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the outcome store failed: {error}",
                where=str(self.path),
                hint=hint_of(error) if is_damage(error) else f"{hint_of(error)}; earlier answers are kept",
            ) from error


WRITABLE = "make the file and its folder writable, or choose another with --store"
HINTS = {
    sqlite3.SQLITE_FULL: "free the disk",
    sqlite3.SQLITE_IOERR: "free or fix the disk",
    sqlite3.SQLITE_BUSY: "another process uses it; wait until that ends",
    sqlite3.SQLITE_LOCKED: "another process uses it; wait until that ends",
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_NOTADB: "it is not a store; move the file away, or choose another with --store",
    sqlite3.SQLITE_CORRUPT: "it is damaged; move the file away; a bot repairs it at its next start",
}
"""Fixes by SQLite's primary result code."""


def hint_of(error: sqlite3.Error | OSError) -> str:
    """Returns the fix for an error. An OSError is about the folder of lock files beside the store."""
    if isinstance(error, OSError):
        return "free the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else WRITABLE
    return HINTS.get(_code(error), "free the disk, fix its permissions or move the file away")


def is_damage(error: sqlite3.Error | OSError) -> bool:
    """Whether the content of the file is wrong, not its disk or its permissions."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error | OSError) -> int:
    """Returns SQLite's primary result code; 0 if it gave none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def living_folder(store: Path) -> Path:
    """Returns the folder in which each process that uses a store holds a lock on a file."""
    return store.with_name(store.name + ".live")


def lives(store: Path, owner: str) -> bool:
    """Whether the process that uses a store under this name still runs."""
    try:
        handle = os.open(living_folder(store) / owner, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        # The process that gets the lock knows that its holder is gone. A process id could belong to another process
        # by now.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


class _ExactSum:
    """An SQL aggregate that adds decimals stored as text."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, text: str) -> None:
        """Adds the value of one row."""
        self._sum += Decimal(text)

    def finalize(self) -> str:
        """Returns the sum as text."""
        return str(self._sum)
