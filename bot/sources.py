"""Partial copies of repositories, kept between runs: commits and blobs that were brought once are there."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.remote import RemoteRepository

if TYPE_CHECKING:
    from adapters.github.app import GitHubApp
    from bot.intents import Place

MOST_BYTES = 4 * 2**30
"""Of all copies together."""
LARGEST = 2**29
"""Bytes of one copy. Nothing is ever removed from a copy, so one that grew beyond this is begun anew."""
MOST_PACKS = 300
"""Each fetch leaves a pack; git looks through all of them."""


class Sources:
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

    @contextmanager
    def open(self, place: Place) -> Iterator[RemoteRepository]:
        """The copy of one repository, for one reader at a time: two fetches in one folder get in each other's way.

        Raises SourceError and HostError.
        """
        token = self._app.token(place.installation_id, place.repository)
        url = f"{self._server_url}/{place.repository}.git"
        self._folder.mkdir(parents=True, exist_ok=True)
        copy = self._folder / f"{place.repository_id}.git"
        with _locked(copy):
            yield RemoteRepository(copy, url, token, proxy=self._proxy, ca_bundle=self._ca_bundle)
            os.utime(copy)
            if _bytes(copy) > LARGEST or len(list(copy.glob("objects/pack/*.pack"))) > MOST_PACKS:
                shutil.rmtree(copy, ignore_errors=True)
        self._trim()

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
                    shutil.rmtree(copy, ignore_errors=True)
                    total -= size

    def keep_only(self, repository_ids: Collection[int]) -> None:
        """Removes every other copy: the App was removed from its repository. One that is in use goes the next time."""
        for copy in self._folder.glob("*.git"):
            if copy.stem not in {str(number) for number in repository_ids}:
                with _locked(copy, wait=False) as mine:
                    if mine:
                        shutil.rmtree(copy, ignore_errors=True)


@contextmanager
def _locked(copy: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds the lock beside a copy, which the system drops when its holder dies; whether it was got."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with copy.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def _bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total
