"""The prompts of one tag, kept in memory and refreshed in the background."""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from promptverdict_client import saved
from promptverdict_client.document import DocumentError, PromptSet, parse
from promptverdict_client.errors import LoadError, SettingsError, UnknownNameError
from promptverdict_client.hub import Hub, HubError
from promptverdict_client.prompt import Prompt
from promptverdict_client.rendering.template import EXTRAS, missing_extra

FIRST_LOAD_S = 5.0
"""Most seconds that the start waits for the hub where nothing else has the prompts."""
PATIENCE_S = 0.3
"""Most seconds that the start waits for the hub where a copy has the prompts."""
FIRST_RETRY_S = 1.0
"""Seconds until the first retry. Each further one waits twice as long, up to the time between refreshes."""
FORK_WAIT_S = 1.0
"""Most seconds that a fork waits for a refresh to end."""
_log = logging.getLogger("promptverdict_client")
_all: weakref.WeakSet[Prompts] = weakref.WeakSet()


class Prompts:
    """The prompts of one tag of a repository, by name.

    Creating it loads them: from the hub, else from the newer of cache and bundle. From then on everything is read from
    memory, and a daemon thread refreshes it. After a fork, the child's thread starts with its first read. Threads may
    share an object; create one for each tag, and keep it.
    """

    def __init__(
        self,
        repository: str,
        *,
        tag: str,
        bundle: str | os.PathLike[str] | None = None,
        hub: str | None = None,
        token: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        refresh_s: float = 60.0,
    ) -> None:
        """Loads the prompts. Raises SettingsError, and LoadError if nothing has them.

        ``bundle`` is a file that ``promptverdict pull`` wrote. ``hub`` and ``token`` default to the environment's
        PROMPTVERDICT_HUB and PROMPTVERDICT_TOKEN. An empty ``hub`` reads the bundle only, once. ``cache`` is a folder;
        the user's own by default. ``refresh_s``: most seconds until a promotion is seen.
        """
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII) or not tag:
            raise SettingsError(f"{repository!r} and {tag!r} must be a repository, as in 'acme/shop', and a tag")
        if not refresh_s > 0:
            raise SettingsError("refresh_s must be more than 0 seconds")
        self.repository = repository
        self.tag = tag
        url = _setting(hub, "hub")
        self._hub = Hub(url, _setting(token, "token"), repository, tag) if url else None
        self._refresh_s = refresh_s
        folder = saved.default_folder() if cache is None else Path(cache)
        self._cache = saved.cache_file(folder, self._hub.url, repository, tag) if folder and self._hub else None
        self._prompts: dict[str, Prompt] = {}
        self._body: bytes | None = None
        """The document in memory; ``None``: none yet."""
        self._etag = ""
        self._failures = 0
        self._trouble = ""
        """Why the hub gave nothing the last time; empty after a success."""
        self._due = 0.0
        """The time of the next refresh, as ``time.monotonic`` has it."""
        self._idle = True
        """Whether the refreshing thread is still to be started."""
        self._closed = False
        self._renew()
        _all.add(self)
        self._load(None if bundle is None else Path(bundle))

    def __getitem__(self, name: str) -> Prompt:
        """Returns the version that the tag has, from memory. Raises UnknownNameError."""
        if self._idle:
            self._start()
        prompts = self._prompts
        try:
            return prompts[name]
        except KeyError:
            raise UnknownNameError(f"{self.repository} has no prompt at {self.tag} named", name, prompts) from None

    def __contains__(self, name: object) -> bool:
        return name in self._prompts

    def __iter__(self) -> Iterator[str]:
        return iter(self._prompts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends refreshing. What is in memory can still be read."""
        self._closed = True
        self._idle = False
        self._stop.set()

    def _renew(self) -> None:
        """Makes new locks and events. After a fork, a thread that the child doesn't have may hold the old ones."""
        self._stop = threading.Event()
        self._asked = threading.Event()
        """Set once the hub was asked."""
        self._starting = threading.Lock()
        self._refreshing = threading.Lock()

    def _forked(self) -> None:
        self._renew()
        self._idle = not self._closed

    def _start(self) -> None:
        """Starts the refreshing thread, once. Never raises: a reader calls it."""
        with self._starting:
            if not self._idle:
                return
            self._idle = False
        try:
            threading.Thread(target=self._run, args=(self._hub, self._stop), name="promptverdict", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter ends
            self._idle = not self._closed

    def _run(self, hub: Hub, stop: threading.Event) -> None:
        while not stop.wait(max(self._due - time.monotonic(), 0.0)):
            self._refresh(hub)
            self._asked.set()

    def _load(self, bundle: Path | None) -> None:
        """Fills the memory. Raises LoadError."""
        copies, tried = self._copies(bundle)
        if copies:
            self._install(max(copies, key=lambda copy: copy.moved_at))
        asked = "none"
        if self._hub is None:
            self.close()
        else:
            # In the thread, because nothing else bounds a name server or a hub that accepts and never answers. The
            # thread goes on, since one that ends may hold a lock of OpenSSL while the application forks.
            self._start()
            patience_s = PATIENCE_S if copies else FIRST_LOAD_S
            self._asked.wait(patience_s)
            asked = f"{self._hub.url}: {self._trouble or f'no answer within {patience_s:g} s'}"
        if self._body is None:
            self.close()
            raise LoadError(
                f"the prompts of {self.repository} at {self.tag} can't be loaded. "
                + "; ".join([f"hub {asked}", *tried])
            )

    def _copies(self, bundle: Path | None) -> tuple[list[PromptSet], list[str]]:
        """Returns the copies in files, and what is wrong with the others."""
        copies, tried = [], []
        for what, path in (("cache", self._cache), ("bundle", bundle)):
            if path is None:
                tried.append(f"{what}: none")
                continue
            try:
                copies.append(saved.read(path, self.repository, self.tag))
            except (OSError, DocumentError) as error:
                tried.append(f"{what} {path}: {saved.reason(error)}")
                # A cache is missing at the first start. A bundle is there to be used.
                if not (what == "cache" and isinstance(error, FileNotFoundError)):
                    _log.warning("%s is not used", tried[-1])
        return copies, tried

    def _install(self, found: PromptSet) -> None:
        # One assignment: a reader sees the old prompts or the new ones, and needs no lock.
        self._prompts = found.prompts
        self._body = found.body
        # Not an error: the application may never use these prompts.
        for extra in EXTRAS:
            names = [
                prompt.name for prompt in found.prompts.values() if extra == missing_extra(prompt.template.dialect)
            ]
            if names:
                _log.warning("to render %s, install promptverdict-client[%s]", ", ".join(names[:5]), extra)

    def _refresh(self, hub: Hub) -> None:
        """Asks the hub once. Never raises. On an error, the prompts stay as they are."""
        with self._refreshing:
            retry_after_s = 0.0
            trouble = ""
            try:
                self._ask(hub)
            except HubError as error:
                trouble, retry_after_s = str(error), error.retry_after_s
            except DocumentError as error:
                trouble = f"its answer is not used: {error}"
            except Exception as error:  # noqa: BLE001 - a dead thread would never see a promotion again
                trouble = f"{type(error).__name__}: {error}"
            self._failures = self._failures + 1 if trouble else 0
            wait_s = self._refresh_s * random.uniform(0.8, 1.0)  # noqa: S311 - spreads the load of many processes
            if trouble:
                retry_s = FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 20) * random.uniform(0.5, 1.0)  # noqa: S311
                wait_s = max(min(retry_s, wait_s), retry_after_s)
            self._due = time.monotonic() + wait_s
            self._report(hub, trouble)

    def _ask(self, hub: Hub) -> None:
        """Takes over what the hub has. Raises HubError and DocumentError."""
        answer = hub.get(self._etag)
        if answer is None:
            return
        if answer.body != self._body:
            self._install(parse(answer.body, self.repository, self.tag))
        self._etag = answer.etag
        self._keep(answer.body)

    def _keep(self, body: bytes) -> None:
        if self._cache is None:
            return
        try:
            saved.write(self._cache, body)
        except OSError as error:
            _log.warning("cache %s: %s", self._cache, saved.reason(error))

    def _report(self, hub: Hub, trouble: str) -> None:
        """Logs what changed: an outage of an hour is one warning."""
        if trouble and trouble != self._trouble:
            serves = "the last good prompts stay" if self._body is not None else "there are no prompts"
            _log.warning("hub %s, %s at %s: %s; %s", hub.url, self.repository, self.tag, trouble, serves)
        elif self._trouble and not trouble:
            _log.info("hub %s, %s at %s: answers again", hub.url, self.repository, self.tag)
        self._trouble = trouble


def _setting(given: str | None, name: str) -> str:
    variable = f"PROMPTVERDICT_{name.upper()}"
    value = os.environ.get(variable) if given is None else given
    if value is None:
        bundle_only = " (an empty one reads the bundle only)" if name == "hub" else ""
        raise SettingsError(f"no {name} is given: set {variable}, or pass {name}={bundle_only}")
    return value.strip()


_held = threading.local()


def _before_fork() -> None:
    """Waits for refreshes to end, because a lock of OpenSSL that one holds would stay locked in the child forever."""
    _held.locks = [prompts._refreshing for prompts in list(_all)]  # noqa: SLF001 - of this module
    _held.locks = [lock for lock in _held.locks if lock.acquire(timeout=FORK_WAIT_S)]


def _after_fork_in_parent() -> None:
    for lock in _held.locks:
        lock.release()


def _after_fork_in_child() -> None:
    for prompts in list(_all):
        prompts._forked()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # not on Windows, which doesn't fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
