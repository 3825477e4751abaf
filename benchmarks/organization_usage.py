"""What the processes of ``benchmarks.organization`` have used: CPU, memory, requests to GitHub, Postgres."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
from psycopg import sql

from tests.fakes.github import FakeGitHub

WRITES = ("POST", "PATCH", "PUT", "DELETE")
READ_POINTS, WRITE_POINTS = 1, 5
"""docs.github.com, rate limits for the REST API: at most 900 points a minute."""
TABLES = """
SELECT n.nspname, c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


@dataclass
class Usage:
    """Reads everything that is counted. ``processes`` are those of the bot, by name."""

    processes: dict[str, psutil.Process]
    github: FakeGitHub
    url: str

    def now(self) -> dict[str, Any]:
        """Returns the totals so far, and the present memory and connections."""
        asked, git = list(self.github.asked), len(self.github.git_requests)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_clear_snapshot()")
            sizes = _sizes(connection)
            transactions, wal = connection.execute(
                "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') FROM pg_stat_database"
                " WHERE datname = current_database()"
            ).fetchone() or (0, 0)
            clients = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone() or (0,)
        names = {name: process for name, process in self.processes.items() if process.is_running()}
        cpu = {name: _cpu_s(process) for name, process in names.items()}
        memory = {name: _memory_mb(process) for name, process in names.items()}
        return {
            "cpu s": _by_part(cpu) | {"postgres": _cpu_s(self._postgres())},
            "memory MB": {name: round(mb) for name, mb in memory.items()},
            "asked": Counter(_named(one.method, one.path, one.status) for one in asked),
            "git": git, "sizes": sizes, "transactions": int(transactions), "WAL kB": float(wal) / 1024,
            "connections": int(clients[0]),
        }  # fmt: skip

    def _postgres(self) -> psutil.Process:
        with psycopg.connect(self.url) as connection:
            found = connection.execute("SELECT pg_backend_pid()").fetchone()
            assert found is not None
            backend = psutil.Process(found[0])
            parent = backend.parent()
            assert parent is not None
            return parent


def _sizes(connection: psycopg.Connection) -> dict[str, tuple[int, int]]:
    """Returns bytes, with indexes, and rows of each table."""
    found = {}
    for schema, name, size in connection.execute(TABLES).fetchall():
        counted = connection.execute(sql.SQL("SELECT count(*) FROM {}.{}").format(*map(sql.Identifier, (schema, name))))
        found[f"{schema}.{name}"] = (size, (counted.fetchone() or (0,))[0])
    return found


def _cpu_s(process: psutil.Process) -> float:
    """Returns the CPU seconds of a process and its descendants, with those that have ended and were waited for."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory_mb(process: psutil.Process) -> float:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            # A share of what several processes map, so that forked children aren't counted whole.
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total / 2**20


def _by_part(cpu: dict[str, float]) -> dict[str, float]:
    """Adds up the workers."""
    return {part: sum(s for name, s in cpu.items() if name.partition("-")[0] == part) for part in ("web", "worker")}


UNCHANGED = " (unchanged)"
"""GitHub answered 304. It doesn't count these requests against the hour's limit."""


def _named(method: str, path: str, status: int) -> str:
    """Returns a request without the names in it: ``GET pulls/N``."""
    route = re.sub(r"^/repos/[^/]+/[^/]+/?", "", path)
    return f"{method} {re.sub(r'[0-9a-f]{40}|[0-9]+', 'N', route)}{UNCHANGED if status == 304 else ''}"


def delta(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Returns what was used between two readings; memory and connections as they are afterwards."""
    sizes = {name: tuple(a - b for a, b in zip(now, before["sizes"].get(name, (0, 0)), strict=True))
             for name, now in after["sizes"].items()}  # fmt: skip
    return {
        "cpu s": {name: s - before["cpu s"][name] for name, s in after["cpu s"].items()},
        "asked": after["asked"] - before["asked"], "git": after["git"] - before["git"], "sizes": sizes,
        **{name: after[name] - before[name] for name in ("transactions", "WAL kB")},
        **{name: after[name] for name in ("memory MB", "connections")},
    }  # fmt: skip


def per(spent: dict[str, Any], pulls: int) -> dict[str, Any]:
    """Returns ``spent`` for each of ``pulls``."""
    # Requests as the App itself, with its key, have a limit of their own.
    installed = {name: times for name, times in spent["asked"].items() if " /app" not in name}
    writes = sum(times for name, times in installed.items() if name.startswith(WRITES))
    unchanged = sum(times for name, times in installed.items() if name.endswith(UNCHANGED))
    reads = sum(installed.values()) - writes
    sizes = {name: one for name, one in spent["sizes"].items() if any(one)}
    return {
        "CPU s": {name: round(s / pulls, 3) for name, s in spent["cpu s"].items()},
        "GitHub requests": {name: round(times / pulls, 2) for name, times in sorted(spent["asked"].items())},
        "requests that count": round((reads + writes - unchanged) / pulls, 2),
        "points": round((reads * READ_POINTS + writes * WRITE_POINTS) / pulls, 1),
        "writes": round(writes / pulls, 2),
        "git requests": round(spent["git"] / pulls, 2),
        "WAL kB": round(spent["WAL kB"] / pulls, 1),
        "database kB": round(sum(size for size, _ in sizes.values()) / 1024 / pulls, 2),
        "rows and kB": {
            name: (round(rows / pulls, 2), round(size / 1024 / pulls, 2))
            for name, (size, rows) in sorted(sizes.items())
        },
        "memory MB": spent["memory MB"], "connections": spent["connections"],
    }  # fmt: skip
