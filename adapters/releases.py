"""Finds the newest release of the Action, which ``promptverdict init`` pins in the workflow."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from adapters.git.program import environment, run_git
from adapters.git.remote import transport_settings
from schemas.errors import SourceError

PATIENCE_S = 15
"""Seconds to wait for the list of tags."""
TAG = re.compile(r"([0-9a-f]{40})\trefs/tags/v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(\^\{\})?")


class Release(NamedTuple):
    """A released version and the commit that its tag names."""

    version: str
    commit: str


def newest_release(url: str, *, proxy: str | None = None, ca_bundle: str | None = None) -> Release | None:
    """Returns the highest ``vX.Y.Z`` tag of the repository at ``url``, or ``None`` without one or without an answer.

    The list comes from the network. Lines other than a commit id with a plain version are ignored.
    """
    if urlsplit(url).scheme not in ("https", "file"):
        return None
    settings = transport_settings(url, None, proxy=proxy, ca_bundle=ca_bundle)
    command = ("ls-remote", "--tags", "--", url)
    try:
        listed = run_git(*command, env=environment(settings), where=url, patience_s=PATIENCE_S)
    except SourceError:
        return None
    found: dict[tuple[int, int, int], str] = {}
    for line in listed.stdout.decode("ascii", "replace").splitlines():
        if tag := TAG.fullmatch(line):
            version = (int(tag[2]), int(tag[3]), int(tag[4]))
            if tag[5] or version not in found:  # an annotated tag is listed twice, its commit with ^{}
                found[version] = tag[1]
    if listed.returncode or not found:
        return None
    newest = max(found)
    return Release("v" + ".".join(map(str, newest)), found[newest])
