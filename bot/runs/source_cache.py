"""Partial copies of repositories, kept between runs. They are a cache: a damaged copy is fetched again."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from adapters.git.remote import RemoteRepository
from bot.telemetry.logs import logger
from schemas.errors import HostUnavailable, PromptVerdictError, SourceError, StoreError

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.store.values import RepositoryRef

T = TypeVar("T")
MOST_BYTES = 4 * 2**30
"""The limit of all copies together, in bytes."""
LARGEST = 2**29
"""The limit of one copy, in bytes. Nothing is removed inside a copy, so a larger one is fetched again."""
MOST_PACKS = 300
"""Each fetch adds a pack, and git searches all of them."""
OURS = re.compile("no space left|disk quota|read-only file system|permission denied|input/output error")
"""Git's messages about the machine, not about GitHub or the copy: an operator must act."""
GONE = ".gone"
"""The suffix of copies that are being removed."""

log = logger("sources")


class SourceCache:
    """One bare copy for each repository in ``folder``, which several threads and workers may share."""

    def __init__(
        self,
        folder: Path,
        app: GitHubApp,
        server_url: str,
        *,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._folder = folder
        self._app = app
        self._server_url = server_url
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._most_bytes = most_bytes

    def read(self, repo: RepositoryRef, work: Callable[[RemoteRepository], T]) -> T:
        """Returns what ``work`` reads in a repository. The copy is locked meanwhile.

        If a copy from an earlier run fails, ``work`` is called again with a new one, so it should only read. Raises
        SourceError and HostError, and StoreError if no copy can be kept.
        """
        # Before the lock: a slow answer of GitHub must not hold up other runs of this repository.
        token = self._app.token(repo.installation_id, repo.full_name)
        url = f"{self._server_url}/{repo.full_name}.git"
        # By id and not by name: a renamed repository keeps its copy, and a new one of that name doesn't get it.
        copy = self._folder / f"{repo.repository_id}.git"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _locked(copy) as lock:
                assert lock is not None
                result = self._read(copy, url, token, lock, work)
                # The modification time marks the last use, by which old copies are removed.
                os.utime(copy)
                # Fetching a fresh copy is faster than git's garbage collection, and it can't corrupt anything.
                if _bytes(copy) > LARGEST or len(list(copy.glob("objects/pack/*.pack"))) > MOST_PACKS:
                    _remove(copy)
            # After the lock is released, so the copy that was just used can be trimmed like any other.
            self._trim()
        except OSError as error:
            raise self._full(error.strerror or str(error)) from error
        except (HostUnavailable, SourceError) as error:
            # The words tell a full disk from an outage of GitHub: only the operator can fix the first.
            found = OURS.search(str(error).lower())
            if found is None:
                raise
            raise self._full(found[0]) from error
        return result

    def _full(self, why: str) -> StoreError:
        return StoreError(
            f"copies of repositories can't be stored: {why}",
            where=str(self._folder),
            hint="free the disk, or make the data folder writable for the bot",
        )

    def _read(self, copy: Path, url: str, token: str | None, lock: IO[str], work: Callable[[RemoteRepository], T]) -> T:
        if os.path.lexists(copy):
            tree = None
            try:
                tree = self._open(copy, url, token, lock)
                result = work(tree)
                if not tree.failed:
                    return result
                why = "git failed"
            except HostUnavailable:
                _remove(copy)  # most likely the network; but in case it was the copy, the next try fetches a new one
                raise
            except Exception as error:
                # A damaged copy may raise anything. But an error of ours while git worked was about the content.
                if isinstance(error, PromptVerdictError) and tree is not None and not tree.failed:
                    raise
                why = str(error)
            log.warning("damaged copy replaced", copy=copy.name, why=why)
            _remove(copy)
        # A new copy has no earlier damage, so its errors are real ones.
        return work(self._open(copy, url, token, lock))

    def _open(self, copy: Path, url: str, token: str | None, lock: IO[str]) -> RemoteRepository:
        return RemoteRepository(copy, url, token, proxy=self._proxy, ca_bundle=self._ca_bundle, held=(lock.fileno(),))

    def _trim(self) -> None:
        """Removes the least recently used copies, but none that is in use."""
        copies = []
        for copy in self._folder.glob("*.git"):
            # Another worker may remove it at the same moment.
            with suppress(FileNotFoundError):
                copies.append((copy.stat().st_mtime, _bytes(copy), copy))
        total = sum(size for _, size, _ in copies)
        for _, size, copy in sorted(copies):
            if total <= self._most_bytes:
                return
            with _locked(copy, wait=False) as mine:
                if mine:
                    _remove(copy)
                    total -= size

    def keep_only(self, repository_ids: Collection[int]) -> None:
        """Removes every other copy: the App was removed from its repository. One that is in use goes the next time."""
        for copy in self._folder.glob("*.git"):
            if copy.stem not in {str(number) for number in repository_ids}:
                with _locked(copy, wait=False) as mine:
                    if mine:
                        _remove(copy)
        for rest in self._folder.glob(f"*{GONE}"):  # left by a worker that died while it removed them
            _remove(rest)


@contextmanager
def _locked(copy: Path, *, wait: bool = True) -> Iterator[IO[str] | None]:
    """Holds the lock beside a copy. Yields ``None`` if another process has it.

    The system releases it when its last holder dies.
    """
    path = copy.with_suffix(".lock")
    try:
        lock = path.open("w")
    except OSError:
        _remove(path)  # a lock file that can't be opened must not block forever
        lock = path.open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        yield lock


def _remove(path: Path) -> None:
    """Removes a folder or a file, whatever its mode.

    It is renamed first: a git process that outlived its worker keeps writing to the old folder, not to a new copy.
    """
    gone = path.with_name(f"{uuid.uuid4().hex}{GONE}")
    try:
        path.rename(gone)
    except FileNotFoundError:
        return
    if gone.is_symlink() or not gone.is_dir():
        gone.unlink()
        return
    shutil.rmtree(gone, ignore_errors=True)
    if gone.exists():
        # A folder without write permission can't be emptied, so the modes are corrected first.
        for folder, _, _ in os.walk(gone, onerror=None):
            with suppress(OSError):
                Path(folder).chmod(0o700)
                for inner in Path(folder).iterdir():
                    if inner.is_dir() and not inner.is_symlink():
                        inner.chmod(0o700)
        shutil.rmtree(gone, ignore_errors=True)


def _bytes(folder: Path) -> int:
    total = 0
    for repo, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(repo) / name).stat().st_size
    return total
