"""Outcomes in Postgres, for several workers on several machines."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg

from adapters.store.backend import StoreStats
from adapters.store.rows import COLUMNS, CONTENT, PLAN_COLUMNS, Row, is_sound
from schemas.errors import StoreError
from schemas.ports import CallKey

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

SCHEMA = """
CREATE TABLE IF NOT EXISTS promptverdict_completions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request_digest TEXT NOT NULL, repetition BIGINT NOT NULL,
    created_at TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, completion TEXT NOT NULL,
    cost_usd TEXT NOT NULL, neutral_cost_usd TEXT NOT NULL, price TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS promptverdict_completions_by_request
    ON promptverdict_completions (request_digest, repetition, id);
CREATE INDEX IF NOT EXISTS promptverdict_completions_by_time
    ON promptverdict_completions USING brin (created_at) WITH (autosummarize = on);
CREATE TABLE IF NOT EXISTS promptverdict_claims (
    request_digest TEXT NOT NULL, repetition BIGINT NOT NULL, owner BIGINT NOT NULL,
    PRIMARY KEY (request_digest, repetition));
CREATE TABLE IF NOT EXISTS promptverdict_plans (
    content_digest TEXT PRIMARY KEY, plan TEXT NOT NULL, checksum TEXT NOT NULL DEFAULT '');
"""
TABLES = {
    "promptverdict_completions": {"id", *COLUMNS},
    "promptverdict_claims": {"request_digest", "repetition", "owner"},
    "promptverdict_plans": {*PLAN_COLUMNS},
}
CHECKSUM = "encode(sha256(convert_to(concat_ws(E'\\x1f', {}), 'UTF8')), 'hex')"
"""SQL for ``adapters.store.rows.checksum``."""
SELECT_PLAN = f"SELECT {', '.join(PLAN_COLUMNS)} FROM promptverdict_plans"  # noqa: S608 - our own names
SELECT = f"SELECT {', '.join(COLUMNS)} FROM promptverdict_completions"  # noqa: S608 - our own names
CLAIM = """
INSERT INTO promptverdict_claims AS held
SELECT digest, repetition, %s FROM unnest(%s::text[], %s::bigint[]) AS k(digest, repetition) ORDER BY 1, 2
ON CONFLICT (request_digest, repetition) DO UPDATE SET owner = EXCLUDED.owner WHERE held.owner NOT IN (
    SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
RETURNING request_digest, repetition
"""
FORGET = (
    "DELETE FROM promptverdict_completions WHERE request_digest = ANY(%s)",
    "DELETE FROM promptverdict_plans WHERE content_digest = ANY(%s)",
)
WRITE_LOCK = 7_236_441_002
"""Advisory lock of the writing transaction."""
SETUP_LOCK = 0x50_56_44_43_54
"""Advisory lock for creating tables. Processes that start together take turns."""
BUSY_S = 30
PORTION = 10_000
"""Rows that one transaction prunes. All workers' writes wait for it."""


class PostgresBackend:
    """``Backend`` at a URL.

    Each process with claims holds an advisory lock. The server releases it with the connection, so the claims of a
    killed worker are free at once. A broken connection is replaced at the next use.
    """

    def __init__(self, url: str) -> None:
        self.transaction = self._transaction
        self._url = url
        self._where = f"{urlsplit(url).hostname or 'local'}{urlsplit(url).path}"
        # Fits into Postgres' signed 64-bit key of an advisory lock.
        self._owner = secrets.randbits(62)
        self._reading = threading.Lock()
        with self._reported_errors(), ExitStack() as undo:
            self._writer: Connection = self._claimant()
            undo.callback(self._writer.close)
            # A second connection, so that reads don't wait for the writer's commit.
            self._reader: Connection = self._connect()
            undo.callback(self._reader.close)
            with self._writer.transaction():
                # CREATE TABLE IF NOT EXISTS can fail if two sessions run it at the same moment.
                self._writer.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK])
                older = self._recognize()
                self._writer.execute(SCHEMA)
                for table in older:
                    self._add_checksums(table)
            undo.pop_all()

    def _recognize(self) -> list[str]:
        """Returns the tables without checksums, before anything is written.

        Raises StoreError if a table with one of our names has columns that this version doesn't know.
        """
        older = []
        for table, columns in TABLES.items():
            rows = self._writer.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                [table],
            ).fetchall()
            found = {name for (name,) in rows}
            if "checksum" in columns and found == columns - {"checksum"}:
                older.append(table)
            elif found and found != columns:
                raise StoreError(
                    f"the columns of {table} don't match this version",
                    where=self._where,
                    hint="use another database, or upgrade",
                )
        return older

    def _add_checksums(self, table: str) -> None:
        made = CHECKSUM.format(", ".join(CONTENT[table.removeprefix("promptverdict_")]))
        self._writer.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT NOT NULL DEFAULT ''".encode())
        self._writer.execute(f"UPDATE {table} SET checksum = {made}".encode())  # noqa: S608 - our own names

    def check(self) -> None:
        """Raises StoreError if the database can't be reached or read."""
        self._read("SELECT count(*) FROM (SELECT 1 FROM promptverdict_completions LIMIT 1) AS one")

    def rows(self, digests: Sequence[str]) -> list[Row]:
        """Returns every row of these requests, oldest first."""
        return self._read(f"{SELECT} WHERE request_digest = ANY(%s) ORDER BY id", [list(digests)])

    def plan(self, content_digest: str) -> Row | None:
        """Returns the stored plan, or ``None``."""
        found = self._read(f"{SELECT_PLAN} WHERE content_digest = %s", [content_digest])
        return found[0] if found else None

    def stats(self) -> StoreStats:
        """Returns counts and sizes."""
        ((count, requests, oldest, newest, size),) = self._read(
            "SELECT count(*), count(DISTINCT request_digest), min(created_at), max(created_at),"
            " coalesce(sum(pg_column_size(c.*)), 0) FROM promptverdict_completions c"
        )
        ((plans,),) = self._read("SELECT count(*) FROM promptverdict_plans")
        cost = self._read(
            "SELECT model, sum(cost_usd::numeric)::text FROM promptverdict_completions GROUP BY model ORDER BY model"
        )
        return StoreStats(
            completions=count,
            requests=requests,
            plans=plans,
            bytes=size,
            oldest=oldest,
            newest=newest,
            cost_usd=dict(cost),
        )

    def export(self) -> Iterator[Row]:
        """Yields every row, oldest first."""
        with (
            self._reported_errors(),
            # A connection of its own, because a cursor on the server needs an open transaction.
            self._connect() as connection,
            connection.transaction(),
            connection.cursor(name="export") as cursor,
        ):
            yield from cursor.execute(f"{SELECT} ORDER BY id")

    def plans(self) -> Iterator[Row]:
        """Yields every plan."""
        yield from self._read(f"{SELECT_PLAN} ORDER BY content_digest", [])

    def close(self) -> None:
        """Releases all claims and closes both connections."""
        with self._reported_errors():
            if not self._writer.closed:
                self._writer.execute("DELETE FROM promptverdict_claims WHERE owner = %s", [self._owner])
            self._writer.close()
            self._reader.close()

    @contextmanager
    def _transaction(self) -> Iterator[PostgresBackend]:
        with self._reported_errors():
            # A new connection holds the lock again under the same owner, so the claims of this process stay its own.
            if self._writer.closed:
                self._writer = self._claimant()
            with self._writer.transaction():
                # One transaction holds many claims, rows and releases in any order: two at once could deadlock.
                self._writer.execute("SELECT pg_advisory_xact_lock(%s)", [WRITE_LOCK])
                yield self

    def put(self, rows: Sequence[Row]) -> None:
        """Adds rows and releases the claims of their keys."""
        marks = ", ".join(["%s"] * len(COLUMNS))
        with self._cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO promptverdict_completions ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608
                rows,
            )
        self.release([(row[0], row[1]) for row in rows])

    def claim(self, keys: Sequence[CallKey]) -> frozenset[CallKey]:
        """Claims keys and returns those that no other live process holds. Ordered, so that two workers can't
        deadlock."""
        digests, repetitions = [key[0] for key in keys], [key[1] for key in keys]
        with self._cursor() as cursor:
            cursor.execute(CLAIM, [self._owner, digests, repetitions])
            return frozenset((digest, repetition) for digest, repetition in cursor)

    def release(self, keys: Sequence[CallKey]) -> None:
        """Releases our claims of these keys."""
        with self._cursor() as cursor:
            cursor.execute(
                "DELETE FROM promptverdict_claims USING unnest(%s::text[], %s::bigint[]) AS k(digest, number)"
                " WHERE request_digest = k.digest AND repetition = k.number AND owner = %s",
                [[key[0] for key in keys], [key[1] for key in keys], self._owner],
            )

    def keep_plan(self, row: Row) -> Row:
        """Stores the plan, unless the digest has an undamaged one. Returns the stored plan."""
        with self._cursor() as cursor:
            found = cursor.execute(f"{SELECT_PLAN} WHERE content_digest = %s".encode(), row[:1]).fetchall()
            if found and is_sound(found[0]):
                return found[0]
            cursor.execute(
                "INSERT INTO promptverdict_plans (content_digest, plan, checksum) VALUES (%s, %s, %s)"
                " ON CONFLICT (content_digest) DO UPDATE SET plan = EXCLUDED.plan, checksum = EXCLUDED.checksum",
                row,
            )
        return row

    def forget(self, digests: Sequence[str]) -> int:
        """Deletes every row of these requests and the plans of these contents. Returns how many."""
        deleted = 0
        with self._cursor() as cursor:
            for statement in FORGET:
                cursor.execute(statement, [list(digests)])
                deleted += cursor.rowcount
        return deleted

    def prune(self, *, older_than: str | None, newer_than: str | None, max_bytes: int | None) -> int:
        """Deletes the oldest rows, at most ``PORTION`` for their age, and rows from the future. Returns how many."""
        deleted = 0
        with self._cursor() as cursor:
            if newer_than is not None:
                cursor.execute("DELETE FROM promptverdict_completions WHERE created_at > %s", [newer_than])
                deleted += cursor.rowcount
            if older_than is not None:
                cursor.execute(
                    "DELETE FROM promptverdict_completions WHERE id IN ("
                    "SELECT id FROM promptverdict_completions WHERE created_at < %s LIMIT %s)",
                    [older_than, PORTION],
                )
                deleted += cursor.rowcount
            if max_bytes is not None:
                cursor.execute(
                    "DELETE FROM promptverdict_completions WHERE id IN (SELECT id FROM (SELECT id,"
                    " sum(pg_column_size(c.*)) OVER (ORDER BY id DESC) AS used FROM promptverdict_completions c) AS s"
                    " WHERE used > %s)",
                    [max_bytes],
                )
                deleted += cursor.rowcount
        return deleted

    def _cursor(self) -> Cursor:
        return self._writer.cursor()

    def _read(self, query: str, arguments: Sequence[object] = ()) -> list[Row]:
        with self._reported_errors(), self._reading:
            if self._reader.closed:
                self._reader = self._connect()
            return self._reader.execute(query.encode(), arguments).fetchall()

    def _connect(self) -> Connection:
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=10,
            # Answers cost money: a commit must be on disk before it counts, whatever the server's default is.
            options=f"-c lock_timeout={BUSY_S}s -c synchronous_commit=on",
        )

    def _claimant(self) -> Connection:
        connection = self._connect()
        connection.execute("SELECT pg_advisory_lock(%s)", [self._owner])
        return connection

    @contextmanager
    def _reported_errors(self) -> Iterator[None]:
        """Raises a failure of the database as StoreError. Its text may contain the address, but no password."""
        try:
            yield
        except psycopg.Error as error:
            first = str(error).strip().partition("\n")[0]
            raise StoreError(
                f"the outcome store failed: {first}",
                where=self._where,
                hint="fix the database or its address; earlier answers are kept",
            ) from error
