"""A partial copy of a remote repository: commits by id, the history that a merge needs, and blobs in batches.

There is no checkout and no clone: file contents are fetched on demand. Git gets the token through environment variables
that become configuration, so it is on no command line and in no file.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from adapters.git.repository import GitRepository, batches
from schemas.errors import HostUnavailable, SourceError
from schemas.trees import Merge, TreeEntry

DEPTHS = (100, 2_000, 2**31 - 1)
"""Commits of history to fetch for a merge, step by step. The last step means all. A commit takes about 300 bytes."""
FILE_MODES = ("100644", "100755", "120000")
TRIES = 3
GONE = ("not our ref", "couldn't find remote ref", "no such remote ref", "upload-pack: not our ref")
REFUSED = re.compile(
    r"authentication failed|could not read username|returned error: 40[13]|repository (?:'\S*' )?not found"
)
"""Matches git's own words, not those of an address or a commit id."""
NETWORK = re.compile(
    r"unable to access|could not resolve|timed out|rpc failed|hung up|early eof|unexpected disconnect|remote error"
    r"|connection (?:reset|refused)|curl \d|expected flush|bad line length|protocol error"
)
"""Faults of the server or the network, not of this folder."""


class RemoteRepository(GitRepository):
    """``SourceTree`` on a bare, partial copy in ``folder``, which is created.

    ``url`` is the repository's https address. ``proxy`` and ``ca_bundle`` come from the operator. ``held`` is as in
    ``run_git``. An earlier copy may be damaged, so its failures set ``failed`` and are not retried. Raises SourceError.
    """

    def __init__(
        self,
        folder: Path,
        url: str,
        token: str | None,
        *,
        proxy: str | None = None,
        ca_bundle: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        held: Sequence[int] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._kept = any(folder.iterdir())
        self._sleep = sleep
        self._here: set[str] = set()
        self._url = url
        settings = transport_settings(url, token, proxy=proxy, ca_bundle=ca_bundle) | {"remote.origin.url": url}
        # Repeated for an existing copy, which `git init` leaves as it is.
        GitRepository.start(folder)
        super().__init__(folder, settings, held=held)

    def fetch(self, commits: Sequence[str]) -> None:
        """Fetches commits and their trees, without history and file contents."""
        wanted = [self._id(commit) for commit in dict.fromkeys(commits)]
        self._fetch("--depth=1", "--filter=blob:none", "origin", *wanted)

    def merge(self, base: str, head: str) -> Merge:
        """Merges as in a complete repository. The contents that git needs for files changed on both sides are already
        fetched."""
        merge = super().merge(base, head)
        news = (
            {change.after.blob for change in self._compared(tip, merge.tree) if change.after} for tip in (base, head)
        )
        self._here |= set.intersection(*news)
        return merge

    def _merge_bases(self, base: str, head: str) -> tuple[str, ...]:
        """Returns the merge bases as in a complete repository. Fetches the necessary history, without trees."""
        if base == head:
            return (base,)
        # Most branches are recent. Deepening step by step avoids fetching the whole history.
        for depth in DEPTHS[:-1]:
            self._fetch(f"--depth={depth}", "--filter=tree:0", "origin", base, head)
            with suppress(SourceError):  # the common ancestors lie deeper
                return self._ready_to_merge(super()._merge_bases(base, head), base, head)
        # All of the history at last. Now a missing ancestor means that there is none.
        self._fetch(f"--depth={DEPTHS[-1]}", "--filter=tree:0", "origin", base, head)
        return self._ready_to_merge(super()._merge_bases(base, head), base, head)

    def _ready_to_merge(self, bases: tuple[str, ...], base: str, head: str) -> tuple[str, ...]:
        """Fetches the trees of the common ancestors and the files that both sides changed, together."""
        # Without a real merge, no further object is needed.
        if bases not in ((base,), (head,), ()):
            commits = [self._in("cat-file", "commit", common).stdout for common in bases]
            self._fetch("--filter=blob:none", "origin", *(commit.split()[1].decode() for commit in commits))
            for common in bases:
                here, there = (self._changed(common, tip) for tip in (base, head))
                self._bring(side[path] for side in (here, there) for path in here.keys() & there.keys())
        return bases

    def _changed(self, common: str, tip: str) -> dict[str, TreeEntry]:
        sides = ((change.before, change.after) for change in self._compared(common, tip))
        return {entry.path: entry for pair in sides for entry in pair if entry is not None}

    def _scratch(self) -> dict[str, str]:
        """Returns the variables for git. New objects go into the copy, which is ours, and are reused."""
        return dict(self._env)

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """Looks up paths as in a complete repository. Fetches their blobs together, because sizes need them."""
        wanted = list(paths)
        for batch in batches(wanted):
            command = ["ls-tree", "-z", "--full-tree", self._id(commit), "--", *batch]
            self._bring(self._listed(self._in("--literal-pathspecs", *command).stdout).values())
        return super().lookup(commit, wanted)

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Reads blobs as in a complete repository. Fetches missing ones in one request."""
        self._bring(TreeEntry(path="", mode=FILE_MODES[0], blob=blob) for blob in blobs)
        contents = super().read(blobs)
        for blob, content in contents.items():
            algorithm = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
            # A partial copy may be damaged on disk, and a wrong prompt must not be measured.
            if algorithm(b"blob %d\0%b" % (len(content), content)).hexdigest() != blob:
                self.failed = True
                raise SourceError(f"blob {blob} is damaged", where=str(self.path), hint="remove that folder")
        return contents

    def _bring(self, entries: Iterable[TreeEntry]) -> None:
        missing = {entry.blob for entry in entries if entry.mode in FILE_MODES} - self._here
        if missing:
            # By standard input, since thousands of ids don't fit on a command line.
            names = "\n".join(sorted(self._id(blob) for blob in missing)).encode() + b"\n"
            self._fetch("--filter=blob:none", "--stdin", "origin", stdin=names)
            self._here |= missing

    def _fetch(self, *arguments: str, stdin: bytes = b"") -> None:
        """Runs one fetch. Retries after network faults, but not after a refusal or in a copy that may be damaged."""
        # Submodules and tags may lead to other servers or bring history that no verdict needs.
        command = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", *arguments)
        said = ""
        for attempt in range(1, TRIES + 1):
            done = self._in(*command, stdin=stdin, check=False)
            if not done.returncode:
                return
            said = " ".join(done.stderr.decode(errors="replace").split())
            if any(words in said.lower() for words in GONE):
                raise SourceError(
                    "GitHub no longer has this commit",
                    where=self._url,
                    hint="it was force-pushed away; use the new head",
                )
            if REFUSED.search(said.lower()):
                raise SourceError(
                    "this token can't read the repository",
                    where=self._url,
                    hint="add `contents: read` to `permissions:`",
                )
            # An error that isn't the network's may come from a damaged copy. The caller replaces the copy instead of
            # retrying.
            if self._kept and not NETWORK.search(said.lower()):
                raise self._failure(done)
            if attempt < TRIES:
                self._sleep(2.0**attempt)
        raise HostUnavailable(
            f"git fetch failed {TRIES} times: {said[-300:]}", where=self._url, hint="run it again later"
        )


def transport_settings(
    url: str, token: str | None, *, proxy: str | None = None, ca_bundle: str | None = None
) -> dict[str, str]:
    """Returns configuration for git: one protocol, no redirects, no credential helpers, only the operator's proxy, and
    the token for this one server."""
    parts = urlsplit(url)
    settings = {
        "credential.helper": "",
        # Commits are asked for by id, so the server need not be told which ones are here.
        "fetch.negotiationAlgorithm": "noop",
        # A collection in the background could go on after the copy's lock is released.
        "gc.auto": "0",
        # A redirect could carry the token to another server.
        "http.followRedirects": "false",
        # A connection that stalls ends after half a minute, long before the command's own limit.
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "30",
        "http.proxy": proxy or "",
        # Only the protocol of our own address: others may run programs or read local files.
        "protocol.allow": "never",
        f"protocol.{parts.scheme}.allow": "always",
        "protocol.version": "2",
    }
    if ca_bundle is not None:
        settings["http.sslCAInfo"] = ca_bundle
    if token is not None:
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings[f"http.{parts.scheme}://{parts.netloc}/.extraheader"] = f"AUTHORIZATION: basic {basic}"
    return settings
