"""Outcomes that another run of this workflow measured, brought here as an artifact so that nothing is paid twice."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import HostError, StoreError

if TYPE_CHECKING:
    from schemas.ports import PullRequestHost

FILE = "outcomes.sqlite3"
"""The one member of the artifact that counts."""
LARGEST_ARCHIVE = 256 * 2**20
LARGEST_STORE = 1024 * 2**20
BATCH = 500


def artifact_name(number: int) -> str:
    """The name that the sample workflow uploads a pull request's outcomes under."""
    return f"prompt-verdict-{number}"


def bring(host: PullRequestHost, number: int, into: Path) -> bool:
    """Writes the pull request's newest outcomes to the file ``into``; False when there are none.

    What a run on a fork left behind is refused: its author could have written anything into it. Raises HostError.
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
    into.parent.mkdir(parents=True, exist_ok=True)
    for rest in ("-wal", "-shm"):  # of the file that was here: replayed onto another database they would damage it
        into.with_name(into.name + rest).unlink(missing_ok=True)
    into.write_bytes(store)
    return True


async def adopt(brought: Path, store: Path) -> int:
    """Adds every outcome of the file ``brought`` that ``store`` lacks; how many. Raises StoreError."""
    from adapters.store import open_store

    source, target = open_store(str(brought)), open_store(str(store))
    added = 0
    try:
        rows = iter(source.export())
        while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
            there = await target.get([(row.request_digest, row.repetition) for row in batch])
            new = [row for row in batch if (row.request_digest, row.repetition) not in there]
            await target.put(new)
            added += len(new)
    except ValueError as error:
        raise StoreError(f"an adopted outcome can't be read: {error}", where=str(brought)) from error
    finally:
        await source.aclose()
        await target.aclose()
    return added
