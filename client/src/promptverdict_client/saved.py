"""Copies of prompt sets in files: the cache of this machine, and the bundle of an image."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from promptverdict_client.document import MAX_BYTES, DocumentError, PromptSet, parse


def default_folder() -> Path | None:
    """Returns the user's folder for caches; ``None`` for a user without a home."""
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    try:
        return Path(base) / "promptverdict" if base else Path.home() / ".cache" / "promptverdict"
    except RuntimeError:
        return None


def cache_file(folder: Path, hub: str, repository: str, tag: str) -> Path:
    """Returns the file of one tag of one repository of one hub."""
    return folder / f"{hashlib.sha256(json.dumps([hub, repository, tag]).encode()).hexdigest()}.json"


def read(path: Path, repository: str, tag: str) -> PromptSet:
    """Returns the copy. Raises OSError and DocumentError."""
    with path.open("rb") as file:
        body = file.read(MAX_BYTES + 1)
    return parse(body, repository, tag)


def reason(error: OSError | DocumentError) -> str:
    """Returns why a copy can't be used, for people."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def write(path: Path, body: bytes) -> None:
    """Replaces the copy in one step: other processes read and write it too. Only this user may read it.

    Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
