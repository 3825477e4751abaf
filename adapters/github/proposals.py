"""Opens a pull request that changes a few files, as a person or as the App: with their rights, under their name.

Every step looks at what is there first, so the same proposal may be sent twice: the second time finds the first.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from adapters.github import answers
from adapters.github.answers import an_object, text
from adapters.github.refusals import TokenUnknown
from schemas.errors import HostError, NotFound

if TYPE_CHECKING:
    from pydantic import JsonValue

    from adapters.github.answers import Json
    from adapters.github.calls import Calls


class DefaultFile(NamedTuple):
    """A file at the tip of the default branch."""

    branch: str
    commit: str
    path: str
    blob: str
    data: bytes


class Proposal(NamedTuple):
    """A change of a file, on a branch of its own. The same change must always get the same branch."""

    branch: str
    content: bytes
    """The whole file afterwards."""
    title: str
    """Also the commit's message."""
    body: str
    draft: bool = False
    more: tuple[tuple[DefaultFile, bytes], ...] = ()
    """Other files of the same commit, each with its whole content afterwards."""


class ProposedPullRequest(NamedTuple):
    """The pull request of a proposal."""

    number: int
    url: str
    is_new: bool
    is_open: bool


class Proposals:
    """One repository as a person, or the App, sees it. Every method asks GitHub. Raises HostError, TokenUnknown for a
    revoked token."""

    def __init__(self, calls: Calls, full_name: str) -> None:
        self._calls = calls
        self._owner = full_name.partition("/")[0]
        self._at = f"/repos/{full_name}"

    def file(self, path: str) -> DefaultFile | None:
        """Returns a file of the default branch; ``None`` if it has no such regular file of at most a megabyte."""
        if not is_safe(path):
            return None
        branch = text(an_object(self._calls.get(self._at)), "default_branch")
        try:
            tip = an_object(self._calls.get(f"{self._at}/git/ref/heads/{quote(branch)}"))
        except NotFound:  # an empty repository
            return None
        commit = text(an_object(tip.get("object")), "sha")
        row = self._contents(path, commit)
        data = content_of(row)
        return None if row is None or data is None else DefaultFile(branch, commit, path, text(row, "sha"), data)

    def open(self, file: DefaultFile, wanted: Proposal) -> ProposedPullRequest:
        """Opens the pull request, or finds the one that the same proposal opened before."""
        known = self._known(wanted.branch)
        if known is not None:
            return known
        self._make_branch(file, wanted)
        for one, content in ((file, wanted.content), *wanted.more):
            self._commit(one, content, wanted)
        body: dict[str, JsonValue] = {
            "title": wanted.title,
            "body": wanted.body,
            "head": wanted.branch,
            "base": file.branch,
            **({"draft": True} if wanted.draft else {}),
        }
        try:
            row = an_object(self._calls.once("POST", f"{self._at}/pulls", body))
        except TokenUnknown:
            raise
        except HostError:
            # The form may have been sent twice, or the answer was lost.
            known = self._known(wanted.branch)
            if known is None:
                raise
            return known
        return ProposedPullRequest(answers.number(row, "number"), text(row, "html_url"), is_new=True, is_open=True)

    def _known(self, branch: str) -> ProposedPullRequest | None:
        rows = self._calls.get(f"{self._at}/pulls", head=f"{self._owner}:{branch}", state="all", per_page=1)
        row = an_object(rows[0]) if isinstance(rows, list) and rows else None
        if row is None or an_object(row.get("head")).get("ref") != branch:
            return None
        is_open = row.get("state") == "open"
        return ProposedPullRequest(answers.number(row, "number"), text(row, "html_url"), is_new=False, is_open=is_open)

    def _make_branch(self, file: DefaultFile, wanted: Proposal) -> None:
        try:
            made: dict[str, JsonValue] = {"ref": f"refs/heads/{wanted.branch}", "sha": file.commit}
            self._calls.once("POST", f"{self._at}/git/refs", made)
        except TokenUnknown:
            raise
        except HostError as error:
            # An earlier try may have made it. GitHub has no status of its own for that.
            with suppress(NotFound):
                self._calls.get(f"{self._at}/git/ref/heads/{quote(wanted.branch)}")
                return
            raise error from None

    def _commit(self, file: DefaultFile, content: bytes, wanted: Proposal) -> None:
        row = self._contents(file.path, wanted.branch)
        if content_of(row) == content:
            return
        if row is None or row.get("sha") != file.blob:
            raise HostError(
                f"the branch {wanted.branch} exists already, with another content", hint="delete it on GitHub"
            )
        body: dict[str, JsonValue] = {
            "message": wanted.title,
            "content": base64.b64encode(content).decode(),
            "branch": wanted.branch,
            # GitHub refuses the commit if the file has changed since.
            "sha": file.blob,
        }
        try:
            self._calls.once("PUT", f"{self._at}/contents/{quote(file.path)}", body)
        except TokenUnknown:
            raise
        except HostError:
            if content_of(self._contents(file.path, wanted.branch)) != content:
                raise

    def _contents(self, path: str, ref: str) -> Json | None:
        return contents(self._calls, self._at, path, ref)


def is_safe(path: str) -> bool:
    """Returns whether a path, which comes from a repository, can't lead to another address of the API."""
    return not any(part in ("", ".", "..") for part in path.split("/"))


def contents(calls: Calls, at: str, path: str, ref: str) -> Json | None:
    """Returns GitHub's answer about a path; ``None`` if nothing, or a folder, is there."""
    try:
        row = calls.get(f"{at}/contents/{quote(path)}", ref=ref)
    except NotFound:
        return None
    return row if isinstance(row, dict) else None


def content_of(row: Json | None) -> bytes | None:
    """Returns the file's content; ``None`` if the answer has none, as for a file of over a megabyte."""
    content = row.get("content") if row is not None and row.get("encoding") == "base64" else None
    return base64.b64decode(content) if isinstance(content, str) else None
