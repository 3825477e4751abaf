"""Finds who took part in the head of a pull request and so can't accept it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.host import Authorship, HeadCommit, Sha

BOT = "[bot]"


@dataclass(frozen=True)
class Contributors:
    """The people who took part in a commit. Logins are casefolded, as GitHub compares them."""

    people: frozenset[str]
    hidden: bool
    """Whether GitHub may not name everyone: a bot opened or pushed it, or the pusher is unknown."""

    def include(self, login: str) -> bool:
        """Returns whether this person took part."""
        return login.casefold() in self.people

    @property
    def approvals(self) -> int:
        """The number of people who must accept it. Of two people, at most one can be the person behind the bot."""
        return 2 if self.hidden else 1


def contributors(work: Authorship, commit: Sha | None) -> Contributors:
    """Returns who took part in ``commit`` and its ancestors within the pull request.

    Later pushes don't count: an acceptance is bound to content, which they didn't change. A commit that isn't (or no
    longer) in the pull request counts as all of its commits.
    """
    commits = {one.sha: one for one in work.commits}
    # After a force-push the approved commit is gone, so everyone in the pull request counts as a contributor.
    reached = _reached(commits, commit) if commit in commits else frozenset(commits)
    people = {person for sha in reached for person in commits[sha].people}
    movers = {work.author}
    pushed: set[Sha] = set()
    for push in work.pushes:
        # A push brings every commit that was not in the branch before, including other people's.
        brought = _reached(commits, push.after) - _reached(commits, push.before)
        if brought & reached:
            pushed |= brought
            movers.add(push.by)
    # Commits without a known push, or moved by a bot, may come from anyone.
    hidden = not work.complete or not reached <= pushed or any(not one or is_bot(one) for one in movers)
    return Contributors(frozenset(one.casefold() for one in people | movers if one), hidden)


def is_bot(login: str) -> bool:
    """Returns whether this is an App's login."""
    return login.endswith(BOT)


def _reached(commits: Mapping[Sha, HeadCommit], start: Sha | None) -> frozenset[Sha]:
    """Returns the commits of the pull request from which ``start`` was made, including itself."""
    found: set[Sha] = set()
    waiting = [start]
    while waiting:
        sha = waiting.pop()
        if sha in commits and sha not in found:
            assert sha is not None
            found.add(sha)
            waiting += commits[sha].parents
    return frozenset(found)
