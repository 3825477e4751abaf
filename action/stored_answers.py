"""Reuses the answers of another run of this workflow, from its artifact, so that nothing is paid twice."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import HostError, StoreError

if TYPE_CHECKING:
    from adapters.store.committer import CommittedStore
    from schemas.ports import PullRequestHost

FILE = "outcomes.sqlite3"
"""The one file that is read from the artifact."""
LARGEST_ARCHIVE = 256 * 2**20
LARGEST_STORE = 1024 * 2**20
BATCH = 500


def artifact_name(number: int) -> str:
    """Returns the artifact's name under which the sample workflow uploads a pull request's answers."""
    return f"prompt-verdict-{number}"


def take_over(host: PullRequestHost, number: int, store: Path, say: Callable[[str], None]) -> int | None:
    """Adds the stored answers of a pull request's runs to the file ``store``; returns how many were new.

    Returns ``None`` if there is no artifact. Its file is opened beside ``store`` and never replaces it. Raises
    HostError and StoreError; what was added before stays.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="prompt-verdict-") as folder:
            brought = Path(folder, FILE)
            return asyncio.run(_merge(brought, store, say)) if _download(host, number, brought) else None
    except OSError as error:
        raise StoreError(f"the answers can't be stored: {error.strerror}", where=artifact_name(number)) from error


def _download(host: PullRequestHost, number: int, into: Path) -> bool:
    """Writes the pull request's newest answers to the file ``into``. Returns False if there are none.

    Artifacts of runs on a fork are refused: the author could have written anything into them.
    """
    found = [artifact for artifact in host.artifacts(artifact_name(number)) if artifact.same_repository]
    if not found:
        return False
    data = host.download(found[0], max_bytes=LARGEST_ARCHIVE)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(FILE) as member:
            # Bounded while it is unpacked: a small archive may contain a huge file.
            store = member.read(LARGEST_STORE + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError) as error:
        raise HostError(f"the artifact can't be read ({type(error).__name__})", where=artifact_name(number)) from None
    if len(store) > LARGEST_STORE:
        raise HostError("the artifact's store is larger than 1 GiB", where=artifact_name(number))
    into.write_bytes(store)
    return True


def open_kept(path: Path, say: Callable[[str], None]) -> CommittedStore:
    """Opens the store in the Action's home.

    A damaged store, or one of another version, is moved aside and replaced: the cache would restore it in every run.
    Raises StoreError for failures that a new file would not fix.
    """
    from adapters.store import open_store

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return open_store(str(path))
    except StoreError as error:
        # A full disk or a lock is no damage, and moving the file would lose paid answers.
        if isinstance(error.__cause__, OSError | sqlite3.OperationalError):
            raise
        for rest in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + rest).replace(path.with_name(f"unreadable-{path.name}{rest}"))
        say(f"Earlier answers can't be read, so they are paid for again: {error}")
        return open_store(str(path))


async def _merge(brought: Path, store: Path, say: Callable[[str], None]) -> int:
    """Adds every answer and plan of the file ``brought`` that ``store`` lacks; returns how many answers."""
    from adapters.store import open_store

    added = 0
    async with aclosing(open_store(str(brought))) as source, aclosing(open_kept(store, say)) as target:
        # In portions, so that a large store need not fit into memory.
        rows = iter(source.export())
        while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
            there = await target.get([(row.request_digest, row.repetition) for row in batch])
            # Only what is missing: our own answer is as good, and an older decision may have used it.
            new = [row for row in batch if (row.request_digest, row.repetition) not in there]
            await target.put(new)
            added += len(new)
        for content_digest, plan in source.plans():
            await target.keep_plan(content_digest, plan)
    return added
