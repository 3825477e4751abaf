"""A part of a remote repository: commits by their ids, as much history as a merge takes, and blobs in batches.

No checkout and no clone: file contents stay where they are until they are asked for. The token goes to git by
environment variables that become configuration, so it is on no command line and in no file.
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
"""Commits of history to bring before a merge, step by step; the last means all. A commit takes about 300 bytes."""
FILE_MODES = ("100644", "100755", "120000")
TRIES = 3
GONE = ("not our ref", "couldn't find remote ref", "no such remote ref", "upload-pack: not our ref")
REFUSED = re.compile(
    r"authentication failed|could not read username|returned error: 40[13]|repository (?:'\S*' )?not found"
)
"""What git says, not what an address or a commit id may happen to hold."""
NETWORK = re.compile(
    r"unable to access|could not resolve|timed out|rpc failed|hung up|early eof|unexpected disconnect|remote error"
    r"|connection (?:reset|refused)|curl \d|expected flush|bad line length|protocol error"
)
"""The other side or the way to it, and not this folder."""


class RemoteRepository(GitRepository):
    """``SourceTree`` over a bare, partial copy in ``folder``, which is made.

    ``url`` is the repository's https address; ``proxy`` and ``ca_bundle`` come from the operator; ``held`` is as in
    ``run_git``. What a copy that was there before can't do is not tried again (``failed``): it may be damaged. Raises
    SourceError.
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
        GitRepository.start(folder)
        super().__init__(folder, settings, held=held)

    def fetch(self, commits: Sequence[str]) -> None:
        """Brings commits and their trees, without history and without file contents."""
        wanted = [self._id(commit) for commit in dict.fromkeys(commits)]
        self._fetch("--depth=1", "--filter=blob:none", "origin", *wanted)

    def merge(self, base: str, head: str) -> Merge:
        """As in a whole repository. What git writes for files that both sides changed is here already."""
        merge = super().merge(base, head)
        news = (
            {change.after.blob for change in self._compared(tip, merge.tree) if change.after} for tip in (base, head)
        )
        self._here |= set.intersection(*news)
        return merge

    def _merge_bases(self, base: str, head: str) -> tuple[str, ...]:
        """As in a whole repository; brings the history that it takes, without trees."""
        if base == head:
            return (base,)
        for depth in DEPTHS[:-1]:
            self._fetch(f"--depth={depth}", "--filter=tree:0", "origin", base, head)
            with suppress(SourceError):  # the common ancestors lie deeper
                return self._ready_to_merge(super()._merge_bases(base, head), base, head)
        self._fetch(f"--depth={DEPTHS[-1]}", "--filter=tree:0", "origin", base, head)
        return self._ready_to_merge(super()._merge_bases(base, head), base, head)

    def _ready_to_merge(self, bases: tuple[str, ...], base: str, head: str) -> tuple[str, ...]:
        """Brings the trees of the common ancestors, and the files that both sides changed, together."""
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
        """New objects go into the copy: it is ours, and what a merge has to bring stays there."""
        return dict(self._env)

    def lookup(self, commit: str, paths: Iterable[str]) -> Mapping[str, TreeEntry]:
        """As in a whole repository; the blobs behind the paths are brought together, because sizes need them."""
        wanted = list(paths)
        for batch in batches(wanted):
            command = ["ls-tree", "-z", "--full-tree", self._id(commit), "--", *batch]
            self._bring(self._listed(self._in("--literal-pathspecs", *command).stdout).values())
        return super().lookup(commit, wanted)

    def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """As in a whole repository; what is missing is brought in one request."""
        self._bring(TreeEntry(path="", mode=FILE_MODES[0], blob=blob) for blob in blobs)
        contents = super().read(blobs)
        for blob, content in contents.items():
            algorithm = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
            if algorithm(b"blob %d\0%b" % (len(content), content)).hexdigest() != blob:
                self.failed = True
                raise SourceError(f"blob {blob} is damaged", where=str(self.path), hint="remove that folder")
        return contents

    def _bring(self, entries: Iterable[TreeEntry]) -> None:
        missing = {entry.blob for entry in entries if entry.mode in FILE_MODES} - self._here
        if missing:
            names = "\n".join(sorted(self._id(blob) for blob in missing)).encode() + b"\n"
            self._fetch("--filter=blob:none", "--stdin", "origin", stdin=names)
            self._here |= missing

    def _fetch(self, *arguments: str, stdin: bytes = b"") -> None:
        """One fetch; repeated after a fault of the network, not after a refusal and not in a copy that may be
        damaged."""
        command = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", *arguments)
        said = ""
        for attempt in range(1, TRIES + 1):
            done = self._in(*command, stdin=stdin, check=False)
            if not done.returncode:
                return
            said = " ".join(done.stderr.decode(errors="replace").split())
            if any(words in said.lower() for words in GONE):
                raise SourceError(
                    "GitHub has this commit no more",
                    where=self._url,
                    hint="it was force-pushed away: look at the new head",
                )
            if REFUSED.search(said.lower()):
                raise SourceError(
                    "GitHub doesn't let this token read the repository",
                    where=self._url,
                    hint="add `contents: read` to `permissions:`",
                )
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
    """Configuration for git: one protocol, no redirects, no credential helpers, no proxy but the operator's, and the
    token for this one server."""
    parts = urlsplit(url)
    settings = {
        "credential.helper": "",
        "fetch.negotiationAlgorithm": "noop",
        "gc.auto": "0",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "30",
        "http.proxy": proxy or "",
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
