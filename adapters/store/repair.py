"""Repairs a damaged SQLite file of outcomes: copies the intact rows into a new file."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from adapters.store.rows import COLUMNS, PLAN_COLUMNS, Row, is_sound
from adapters.store.sqlite import APPLICATION, SCHEMA, VERSION, hint_of, is_damage, lives, living_folder
from schemas.errors import StoreError

TABLES = {"completions": ("id", *COLUMNS), "plans": PLAN_COLUMNS}
"""Columns that are copied. The first column is the key."""

MAGIC = b"SQLite format 3\0"

log = logging.getLogger("outcomes")


def repair(path: Path) -> None:
    """Replaces a damaged store of this version. Leaves every other file alone.

    Raises StoreError if a living process still uses the file, or if the new one can't be written.
    """
    if not path.is_file() or not _is_damaged(path):
        return
    # A process with the file open would keep writing to the old one after the replacement.
    if any(lives(path, owner.name) for owner in living_folder(path).glob("*")):
        raise StoreError(
            "the outcome store is damaged",
            where=str(path),
            hint="stop every process that uses it, then start the bot; it keeps the intact rows",
        )
    new = path.with_name(f"{path.name}.repaired")
    try:
        new.unlink(missing_ok=True)
        kept = _carry_over(path, new)
        for rest in ("-wal", "-shm"):  # these belong to the damaged file
            path.with_name(path.name + rest).unlink(missing_ok=True)
        # Replaced in one step at the end: a crash before leaves the damaged file for the next attempt.
        new.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"the outcome store is damaged and can't be repaired: {error}", where=str(path), hint=hint_of(error)
        ) from error
    log.warning("the outcome store was damaged: %d intact rows are kept, other answers will be requested again", kept)


def _is_damaged(path: Path) -> bool:
    if not _is_ours(path):
        return False
    try:
        with closing(sqlite3.connect(path)) as store:
            return bool(store.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError as error:
        # A file that is only locked or unreadable for us isn't damaged and must not be replaced.
        return is_damage(error)


def _is_ours(path: Path) -> bool:
    """Returns whether the header names a store of this version. SQLite doesn't open a truncated file."""
    with path.open("rb") as file:
        header = file.read(100)
    version, application = header[60:64], header[68:72]
    return header.startswith(MAGIC) and (application, version) == (_word(APPLICATION), _word(VERSION))


def _word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _carry_over(damaged: Path, new: Path) -> int:
    """Writes a new store with the intact rows of a damaged one, and returns their number."""
    _lengthen(damaged)
    with closing(sqlite3.connect(damaged)) as old, closing(sqlite3.connect(new, isolation_level=None)) as fresh:
        old.text_factory = lambda raw: raw.decode(errors="replace")
        for statement in (*SCHEMA, f"PRAGMA application_id = {APPLICATION}", f"PRAGMA user_version = {VERSION}"):
            fresh.execute(statement)
        fresh.execute("BEGIN")
        for table, columns in TABLES.items():
            marks = ", ".join("?" * len(columns))
            add = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our own names
            for row in _readable(old, table, columns):
                if is_sound(row[1:] if table == "completions" else row):
                    fresh.execute(add, row)
        fresh.execute("COMMIT")
        return fresh.total_changes


def _lengthen(damaged: Path) -> None:
    """Appends empty pages to a truncated file, so that SQLite reads the rest of it.

    sqlite.org/fileformat.html: bytes 16 and 17 are the size of a page, bytes 28 to 31 the number of pages.
    """
    with damaged.open("r+b") as file:
        header = file.read(100)
        page = int.from_bytes(header[16:18], "big")
        whole = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
        file.truncate(max(whole, file.seek(0, os.SEEK_END)))


def _readable(old: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yields rows from the first up to the damage, then from the last up to the damage."""
    # An unreadable page ends a scan. Reading from the other end gets the rows behind it.
    for order in ("ASC", "DESC"):
        try:
            yield from old.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {columns[0]} {order}")  # noqa: S608
        except sqlite3.DatabaseError:
            continue
        return
