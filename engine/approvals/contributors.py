"""Who took part in the head of a pull request, and so can't accept it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.host import Authorship, HeadCommit, Sha

BOT = "[bot]"


@dataclass(frozen=True)
class Contributors:
    """Everyone who took part in a commit. Logins are casefolded, as GitHub compares them."""

    people: frozenset[str]
    hidden: bool
    """A person may stand behind it whom GitHub doesn't name: a bot opened or pushed it, or the pusher is unknown."""

    def include(self, login: str) -> bool:
        """Returns whether this person took part."""
        return login.casefold() in self.people

    @property
    def approvals(self) -> int:
        """How many different people must accept it. At most one of two can be the one whom a bot hides."""
        return 2 if self.hidden else 1


def contributors(work: Authorship, commit: Sha | None) -> Contributors:
    """Returns who took part in ``commit`` and in what it builds on, within the pull request.

    What was pushed later doesn't count: an acceptance is bound to content, so later pushes changed nothing of it. A
    commit that isn't among the pull request's (any more) counts as all of them.
    """
    commits = {one.sha: one for one in work.commits}
    reached = _reached(commits, commit) if commit in commits else frozenset(commits)
    people = {person for sha in reached for person in commits[sha].people}
    movers = {work.author}
    pushed: set[Sha] = set()
    for push in work.pushes:
        brought = _reached(commits, push.after) - _reached(commits, push.before)
        if brought & reached:
            pushed |= brought
            movers.add(push.by)
    hidden = not work.complete or not reached <= pushed or any(not one or is_bot(one) for one in movers)
    return Contributors(frozenset(one.casefold() for one in people | movers if one), hidden)


def is_bot(login: str) -> bool:
    """Returns whether this is an App's login."""
    return login.endswith(BOT)


def _reached(commits: Mapping[Sha, HeadCommit], start: Sha | None) -> frozenset[Sha]:
    """The commits of the pull request from which ``start`` was made, itself included."""
    found: set[Sha] = set()
    waiting = [start]
    while waiting:
        sha = waiting.pop()
        if sha in commits and sha not in found:
            assert sha is not None
            found.add(sha)
            waiting += commits[sha].parents
    return frozenset(found)
