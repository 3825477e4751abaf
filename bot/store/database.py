"""Connections to SQLite or Postgres, synced transactions, typed errors."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from decimal import InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, literal, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlmodel import Session

from schemas.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
    from sqlalchemy.pool import ConnectionPoolEntry

    from bot.store.tables import Table

BUSY_S = 30
"""Seconds to wait for another transaction."""
CONNECTIONS = 16
"""Connections in the pool: as many as threads that work at once. More threads wait."""
DAMAGED = (
    "restore the backup as docs/operating.md says; without one, move the file away and start the bot: it finds open "
    "pull requests by itself, but overrides must be given again"
)
WRITABLE = "make the data folder and its files writable for the bot"
HINTS = {
    sqlite3.SQLITE_FULL: "free the disk; earlier records are kept",
    sqlite3.SQLITE_IOERR: "free or fix the disk; earlier records are kept",
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
"""By SQLite's primary result code."""
SETUP_LOCK = 0x50_56_42_4F_54
REMOVAL_LOCK = SETUP_LOCK + 1
"""Advisory locks in Postgres. Processes that start together migrate one after the other."""


SOME = 500
"""Values in one statement: SQLite has a limit."""


class Database:
    """Connections and transactions. All methods block."""

    def __init__(self, url: str) -> None:
        """Takes ``sqlite:///file.db``, a file's path, or ``postgresql://…``; connects at the first use.

        Raises StoreError for an invalid address.
        """
        self.url = _address(url)
        self.where = f"{self.url.host or 'local'}/{self.url.database}" if self.is_postgres else str(self.url.database)
        # SQLite lets one connection write and makes the others poll, so a late one may win again and again. A lock
        # makes our own threads take turns.
        self._turn = nullcontext() if self.is_postgres else threading.Lock()
        self._engine: Engine = _postgres(self.url) if self.is_postgres else _sqlite(self.url)

    @property
    def is_postgres(self) -> bool:
        """Whether workers on several machines can share it."""
        return self.url.get_backend_name() == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Opens a session that sees one consistent state. Raises StoreError."""
        # Several queries of one page must see the same state. SQLite gives that to every transaction.
        options = {"only_reads": True} | ({"isolation_level": "REPEATABLE READ"} if self.is_postgres else {})
        with self._typed_errors(), Session(self._engine.execution_options(**options)) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Opens a transaction that is committed and synced on success, and rolled back on an error.

        Raises StoreError.
        """
        with (
            self._turn,
            self._typed_errors(),
            # Rows are read after the commit, outside the session.
            Session(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def removing(self) -> Iterator[Session]:
        """Opens a transaction that removes content, one at a time.

        Two at the same moment could each keep an outcome because the other's repository still uses it.
        """
        with self.writing() as session:
            if self.is_postgres:
                session.connection().execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": REMOVAL_LOCK})
            yield session
        if not self.is_postgres:
            # The write-ahead log still contains the removed pages. If a reader prevents this, the next removal does it.
            with self._typed_errors():
                connection = self._engine.raw_connection()
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                connection.close()

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Opens a transaction for changes of the tables, one process at a time. Raises StoreError."""
        with self._typed_errors(), self._engine.begin() as connection:
            if self.is_postgres:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SETUP_LOCK})
            yield connection

    def check_file(self) -> None:
        """Raises StoreError for a damaged SQLite file. Postgres checks its own files."""
        if self.is_postgres:
            return
        try:
            with self.reading() as session:
                found = session.connection().exec_driver_sql("PRAGMA quick_check(1)").scalar()
        except StoreError as error:
            found = error.what
        if found != "ok":
            raise StoreError(f"the bot's database is damaged: {found}", where=self.where, hint=DAMAGED)

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._engine.dispose()

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        """Raises a database error as StoreError, with its first line but without the statement and its values."""
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            first = str(cause).strip().partition("\n")[0]
            raise StoreError(
                f"the bot's database failed: {first}",
                where=self.where,
                hint=_hint(cause),
            ) from error
        except UnicodeEncodeError:  # a bug of ours: it was to be written
            raise
        except (ValueError, InvalidOperation) as error:  # a value that was never written so: columns have no checksums
            raise StoreError(
                f"the bot's database holds a record that can't be read: {type(error).__name__}",
                where=self.where,
                hint=DAMAGED,
            ) from error


def _hint(cause: BaseException) -> str:
    """Returns what an operator must do about a database error."""
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return HINTS.get(code, "repair the database or correct its address; earlier records are kept")


def add_once(session: Session, row: Table) -> bool:
    """Adds a row. Returns False if one with the same key exists; that one stays. Waits for a concurrent insert."""
    values = {name: value for name, value in row.model_dump().items() if value is not None}
    added = insert_once(session, type(row)).values(values).returning(literal(1))
    return session.connection().execute(added).first() is not None


def insert_once(session: Session, table: type[Table]) -> postgresql.Insert | sqlite.Insert:
    """Returns the statement that inserts rows and leaves those alone that exist."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def portions(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields as many values at a time as one statement takes."""
    for start in range(0, len(values), SOME):
        yield values[start : start + SOME]


def _address(url: str) -> URL:
    if "://" not in url:
        url = f"sqlite:///{url}"
    try:
        address = make_url(url)
    except ArgumentError:
        # Falls through to the error for any other unknown address.
        address = make_url("other://")
    if address.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername in ("sqlite", "sqlite+pysqlite") and address.database not in (None, "", ":memory:"):
        return address
    raise StoreError("the database address is invalid", hint="give sqlite:///file.db or postgresql://…")


def _postgres(url: URL) -> Engine:
    # Set by the client, because the server's defaults may be weaker: a stored delivery must survive a crash.
    options = f"-c lock_timeout={BUSY_S}s -c synchronous_commit=on -c timezone=UTC"
    return create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        # A restart of the server leaves dead connections in the pool.
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10, "options": options},
    )


def _write_ahead(cursor: DBAPICursor) -> None:
    """Turns on the write-ahead log.

    If two processes do so at once for a new file, SQLite refuses one without waiting. That one tries again.
    """
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.05)
        else:
            return


def _sqlite(url: URL) -> Engine:
    Path(str(url.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_size=CONNECTIONS, max_overflow=0, hide_parameters=True, connect_args={"timeout": BUSY_S}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the handler below begins transactions, not the driver
        cursor = connection.cursor()
        _write_ahead(cursor)
        # Synced, because acknowledged webhooks must survive a power failure. Deleted content is overwritten, so that
        # it can't be read from free pages.
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads and then writes must hold the lock from its start: SQLite does not wait for an
        # upgrade of a read lock, it fails.
        only_reads = connection.get_execution_options().get("only_reads", False)
        connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")

    return engine
