"""Outcomes that another run of this workflow measured, brought here as an artifact so that nothing is paid twice."""

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
    from adapters.store import CommittedStore
    from schemas.ports import PullRequestHost

FILE = "outcomes.sqlite3"
"""The one member of the artifact that counts."""
LARGEST_ARCHIVE = 256 * 2**20
LARGEST_STORE = 1024 * 2**20
BATCH = 500


def artifact_name(number: int) -> str:
    """The name that the sample workflow uploads a pull request's outcomes under."""
    return f"prompt-verdict-{number}"


def take_over(host: PullRequestHost, number: int, store: Path, say: Callable[[str], None]) -> int | None:
    """Adds what the pull request's runs have measured to the file ``store``; how many outcomes were new to it.

    ``None``: they left nothing. The file that they left is opened beside ``store``, which is never replaced by it.
    Raises HostError and StoreError; what was added before stays.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="prompt-verdict-") as folder:
            brought = Path(folder, FILE)
            return asyncio.run(_adopt(brought, store, say)) if _bring(host, number, brought) else None
    except OSError as error:
        raise StoreError(f"the outcomes can't be kept: {error.strerror}", where=artifact_name(number)) from error


def _bring(host: PullRequestHost, number: int, into: Path) -> bool:
    """Writes the pull request's newest outcomes to the file ``into``; False when there are none.

    What a run on a fork left behind is refused: its author could have written anything into it.
    """
    found = [artifact for artifact in host.artifacts(artifact_name(number)) if artifact.same_repository]
    if not found:
        return False
    data = host.download(found[0], max_bytes=LARGEST_ARCHIVE)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(FILE) as member:
            store = member.read(LARGEST_STORE + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError) as error:
        raise HostError(f"the artifact can't be read ({type(error).__name__})", where=artifact_name(number)) from None
    if len(store) > LARGEST_STORE:
        raise HostError("the artifact's store is larger than 1 GiB", where=artifact_name(number))
    into.write_bytes(store)
    return True


def open_kept(path: Path, say: Callable[[str], None]) -> CommittedStore:
    """The store in the action's home. One that is damaged or another version's is moved aside and begun anew: the cache
    would bring it back to every run. Raises StoreError for what a new file wouldn't fix."""
    from adapters.store import open_store

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return open_store(str(path))
    except StoreError as error:
        if isinstance(error.__cause__, OSError | sqlite3.OperationalError):
            raise
        for rest in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + rest).replace(path.with_name(f"unreadable-{path.name}{rest}"))
        say(f"What earlier runs have paid for can't be read, so it is paid for again: {error}")
        return open_store(str(path))


async def _adopt(brought: Path, store: Path, say: Callable[[str], None]) -> int:
    """Adds every outcome and plan of the file ``brought`` that ``store`` lacks; how many outcomes."""
    from adapters.store import open_store

    added = 0
    async with aclosing(open_store(str(brought))) as source, aclosing(open_kept(store, say)) as target:
        rows = iter(source.export())
        while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
            there = await target.get([(row.request_digest, row.repetition) for row in batch])
            new = [row for row in batch if (row.request_digest, row.repetition) not in there]
            await target.put(new)
            added += len(new)
        for content_digest, plan in source.plans():
            await target.keep_plan(content_digest, plan)
    return added
