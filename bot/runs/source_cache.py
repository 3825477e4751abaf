"""Partial copies of repositories, kept between runs. A copy is a cache: one that is damaged is thrown away."""

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

from adapters.remote import RemoteRepository
from bot.telemetry.logs import logger
from schemas.errors import HostUnavailable, PromptVerdictError, SourceError, StoreError

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.store.values import RepositoryRef

T = TypeVar("T")
MOST_BYTES = 4 * 2**30
"""Of all copies together."""
LARGEST = 2**29
"""Bytes of one copy. Nothing is ever removed from a copy, so one that grew beyond this is begun anew."""
MOST_PACKS = 300
"""Each fetch leaves a pack; git looks through all of them."""
OURS = re.compile("no space left|disk quota|read-only file system|permission denied|input/output error")
"""What git says where it is neither GitHub nor the copy: an operator must act."""
GONE = ".gone"
"""The ending of what is being removed."""

log = logger("sources")


class SourceCache:
    """One bare copy for each repository in ``folder``. Several threads and workers may share the folder."""

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
        """What ``work`` reads of a repository. It is the only one to work in that copy, so it should only read.

        Where a copy from an earlier run fails, ``work`` is called again with a new one. Raises SourceError and
        HostError, and StoreError where no copy can be kept at all.
        """
        token = self._app.token(repo.installation_id, repo.full_name)
        url = f"{self._server_url}/{repo.full_name}.git"
        copy = self._folder / f"{repo.repository_id}.git"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _locked(copy) as lock:
                assert lock is not None
                result = self._read(copy, url, token, lock, work)
                os.utime(copy)
                if _bytes(copy) > LARGEST or len(list(copy.glob("objects/pack/*.pack"))) > MOST_PACKS:
                    _remove(copy)
            self._trim()
        except OSError as error:
            raise self._full(error.strerror or str(error)) from error
        except (HostUnavailable, SourceError) as error:
            found = OURS.search(str(error).lower())
            if found is None:
                raise
            raise self._full(found[0]) from error
        return result

    def _full(self, why: str) -> StoreError:
        return StoreError(
            f"the copies of repositories can't be kept: {why}",
            where=str(self._folder),
            mend="free the disk, or make the data folder writable for the bot",
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
                _remove(copy)  # the network, most likely; the next try begins anew, in case it was the copy
                raise
            except Exception as error:
                # What was read from a damaged copy may look like anything; an error of ours was well-founded.
                if isinstance(error, PromptVerdictError) and tree is not None and not tree.failed:
                    raise
                why = str(error)
            log.warning("copy begun anew", copy=copy.name, why=why)
            _remove(copy)
        return work(self._open(copy, url, token, lock))

    def _open(self, copy: Path, url: str, token: str | None, lock: IO[str]) -> RemoteRepository:
        return RemoteRepository(copy, url, token, proxy=self._proxy, ca_bundle=self._ca_bundle, held=(lock.fileno(),))

    def _trim(self) -> None:
        """Removes the copies that were used longest ago, but none that is in use."""
        copies = []
        for copy in self._folder.glob("*.git"):
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
        for rest in self._folder.glob(f"*{GONE}"):  # whoever removed it was killed meanwhile
            _remove(rest)


@contextmanager
def _locked(copy: Path, *, wait: bool = True) -> Iterator[IO[str] | None]:
    """Holds the lock beside a copy, which the system drops when its last holder dies; ``None``: another has it."""
    path = copy.with_suffix(".lock")
    try:
        lock = path.open("w")
    except OSError:
        _remove(path)  # a file that can't be opened locks nobody out
        lock = path.open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        yield lock


def _remove(path: Path) -> None:
    """Removes a folder or a file, whatever its mode. First under another name: a git that outlived its worker writes
    where it began to, and not into what comes next."""
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
