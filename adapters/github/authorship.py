"""Finds who took part in a pull request, from its commits and the pushes to its branch.

The author of a commit is unproven. Being named one can only take a right away, so a false name gains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import JsonValue

from adapters.github import answers
from adapters.github.answers import Json, an_object, optional, text
from schemas.errors import NotFound, PermissionMissing
from schemas.host import Authorship, HeadCommit, Push

if TYPE_CHECKING:
    from adapters.github.calls import Calls

MOST_COMMITS = 250
"""GitHub's limit of listed commits of one pull request."""
MOST_PUSHES = 1_000
CO_AUTHOR = re.compile(r"^[ \t]*co-authored-by[ \t]*:[ \t]*([^<\n]*)<([^>\n]*)>", re.IGNORECASE | re.MULTILINE)
NO_REPLY = re.compile(r"(?:[0-9]+\+)?([^@+]+)@users\.noreply\..+", re.IGNORECASE)
GITHUB_ITSELF = "web-flow"
"""The committer of changes made on GitHub's pages."""


def read_authorship(calls: Calls, at: str, number: int) -> Authorship:
    """Returns who took part in pull request ``number`` of the repository at ``at`` (``/repos/OWNER/NAME``)."""
    pull = an_object(calls.get(f"{at}/pulls/{number}"))
    commits = tuple(_commit(an_object(row)) for row in calls.pages(f"{at}/pulls/{number}/commits"))
    head = an_object(pull.get("head"))
    repository = head.get("repo")
    where = text(repository, "full_name") if isinstance(repository, dict) else None
    pushes = _pushes(calls, where, text(head, "ref"))
    return Authorship(
        author=_actor(pull.get("user")),
        commits=commits,
        pushes=pushes or (),
        # At the limit, commits may be missing from the list, so nothing can be said about the others.
        complete=pushes is not None and len(commits) < MOST_COMMITS,
    )


def _pushes(calls: Calls, repository: str | None, branch: str) -> tuple[Push, ...] | None:
    """Returns the pushes to a branch, newest first, or ``None`` if GitHub doesn't show them (a private fork)."""
    if repository is None:
        return None
    try:
        rows = calls.following(f"/repos/{quote(repository)}/activity", MOST_PUSHES, ref=f"refs/heads/{branch}")
    except (NotFound, PermissionMissing):
        return None
    return tuple(
        Push(by=_actor(row.get("actor")), before=text(row, "before"), after=text(row, "after"))
        for row in map(an_object, rows)
    )


def _commit(row: Json) -> HeadCommit:
    commit, parents = an_object(row.get("commit")), row.get("parents")
    people = {answers.login(row.get(role)) for role in ("author", "committer")}
    for role in ("author", "committer"):
        signed = commit.get(role)
        if isinstance(signed, dict):
            people |= set(_claimed(optional(signed, "name") or "", optional(signed, "email") or ""))
    for name, email in CO_AUTHOR.findall(optional(commit, "message") or ""):
        people |= set(_claimed(name, email))
    return HeadCommit(
        sha=text(row, "sha"),
        parents=tuple(text(an_object(one), "sha") for one in (parents if isinstance(parents, list) else [])),
        people=tuple(sorted(people - {"", GITHUB_ITSELF})),
    )


def _claimed(name: str, email: str) -> Iterator[str]:
    """Yields the logins that a name and an address may belong to. Git knows no logins."""
    address = email.strip()
    hidden = NO_REPLY.fullmatch(address)
    # An address may be spelled like a login. A wrong match only takes a right away.
    yield hidden[1] if hidden else address.partition("@")[0]
    yield name.strip()


def _actor(user: JsonValue) -> str:
    """Returns a login. A bot's ends in ``[bot]``, even if GitHub leaves that out."""
    login = answers.login(user)
    bot = isinstance(user, dict) and user.get("type") == "Bot"
    return f"{login}[bot]" if bot and not login.endswith("[bot]") else login
