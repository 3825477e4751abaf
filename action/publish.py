"""Publishes the verdict. Each output is independent: a failure changes neither the verdict nor another output."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from engine.publishing.check_names import NAME
from engine.publishing.comment_policy import wants_comment
from engine.render.encode import excerpt, visible
from engine.render.links import Links
from engine.render.markdown import MARKER, markdown
from schemas.config import CommentPolicy
from schemas.errors import HostError, PermissionMissing
from schemas.host import Comment, CommitState, CommitStatus, Sha
from schemas.scorecard import Scorecard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from action.environment import Environment
    from action.outputs import Runner
    from schemas.ports import PullRequestHost

CONTEXT = NAME
"""The name of the check that a repository requires."""
WORST_FIRST = (CommitState.ERROR, CommitState.FAILURE, CommitState.PENDING, CommitState.SUCCESS)
LONGEST_DESCRIPTION = 140
OF_PULL = re.compile(r"#pull-([0-9]+)=(error|failure|pending|success)(?:;accepts=([0-9a-f]+))?$")
"""Part of a status's link: its pull request, since several may share a head, and the content that an approval
covers."""


class Publisher:
    """What one job publishes. ``number`` is the pull request's; ``sha`` is the commit with the status ``context``.

    ``may_write`` is False for a fork, whose token can only read, whatever the workflow requests.
    """

    def __init__(
        self,
        host: PullRequestHost,
        runner: Runner,
        environment: Environment,
        *,
        number: int | None,
        sha: Sha,
        context: str = CONTEXT,
        may_write: bool = True,
    ) -> None:
        self._host = host
        self._runner = runner
        self._environment = environment
        self._number = number
        self._sha = sha
        self._context = context
        # Collected, so that people get one warning with all lines to paste.
        self._missing: dict[str, str] = {}
        self._comment: Comment | None = None
        self._searched = False
        self._may_write = may_write

    def pending(self, why: str) -> bool:
        """Shows that the check is in progress. Returns whether the commit status was written."""
        return self._set_status(CommitState.PENDING, f"measuring ({why})")

    def running(self, text: str, policy: CommentPolicy) -> None:
        """Writes the comment for the first of at most two times."""
        if policy in (CommentPolicy.ALWAYS, CommentPolicy.CHANGES):
            self._write_comment(text)

    def final(self, scorecard: Scorecard, links: Links, accepts: str | None = None) -> bool:
        """Publishes the verdict everywhere. Returns whether the commit status carries it now.

        ``accepts`` is the digest of the content that an approval covers.
        """
        if self._number is not None and wants_comment(scorecard, lambda: self._find_comment() is not None):
            self._write_comment(markdown(scorecard, links=links))
        written = self._settle(state_of(scorecard), scorecard.title, accepts)
        self._warn_about_permissions(written=written)
        return written

    def failed(self, what: str) -> bool:
        """Shows why there is no scorecard. Returns whether the commit status was written."""
        written = self._set_status(CommitState.ERROR, what)
        self._warn_about_permissions(written=written)
        return written

    @property
    def comment_url(self) -> str:
        """The URL of our comment; empty without one."""
        return self._comment.url if self._comment else ""

    def _find_comment(self) -> Comment | None:
        if not self._searched and self._number is not None:
            # Noted before the call: a token that can't read comments isn't asked twice.
            self._searched = True
            number = self._number

            def find() -> None:
                self._comment = self._host.find_comment(number, MARKER)

            self._try("the comment", find)
        return self._comment

    def _write_comment(self, body: str) -> None:
        if self._number is None:
            return
        number, known = self._number, self._find_comment()

        def write() -> None:
            self._comment = self._host.write_comment(number, body, MARKER, known)

        self._try("the comment", write)

    def _set_status(
        self, state: CommitState, text: str, own: CommitState | None = None, accepts: str | None = None
    ) -> bool:
        if not self._environment.status:
            return False
        name = f"#{self._number} " if self._number is not None else ""
        # The link is the only field of a status that is free to use. The fragment doesn't change where it leads.
        mark = f"#pull-{self._number}={(own or state).value}" if self._number is not None else ""
        description = visible(excerpt(name + text, LONGEST_DESCRIPTION - 20).text)[:LONGEST_DESCRIPTION]
        url = self._environment.run_url + mark + (f";accepts={accepts}" if mark and accepts else "")
        status = CommitStatus(context=self._context, state=state, description=description, target_url=url)
        return self._try("the status", lambda: self._host.set_status(self._sha, status))

    def _settle(self, own: CommitState, text: str, accepts: str | None) -> bool:
        """Shows the worst verdict of all open pull requests with this head. Returns whether a status carries it now.

        The status belongs to the commit, not to a pull request. Jobs of several pull requests may end at the same
        moment. Each writes its own verdict first and then checks whether that is still the worst. So the last writer
        has seen every verdict.
        """
        others = self._others()
        shown: CommitState | None = None
        for _ in range(2 + len(others or ())):  # each of the others may write once more after our read
            worst, why = self._worst(own, others)
            if worst is shown:
                break
            if not self._set_status(worst, why + text, own=own, accepts=accepts):
                return False
            # A status for this pull request alone can't be changed by another job.
            if not others:
                break
            shown = worst
        return True

    def _others(self) -> frozenset[int] | None:
        """Returns the other open pull requests with this head; ``None`` if they can't be read."""
        found: set[int] = set()
        if self._number is None or not self._environment.status:
            return frozenset()

        def look() -> None:
            pulls = self._host.pull_requests_of(self._sha)
            found.update(p.number for p in pulls if p.is_open and p.head_sha == self._sha)

        return frozenset(found - {self._number}) if self._try("other pull requests", look) else None

    def _worst(self, own: CommitState, others: frozenset[int] | None) -> tuple[CommitState, str]:
        """Returns the worst state, and a note if another pull request decides.

        A missing or unreadable verdict doesn't count as a success.
        """
        found: dict[int, CommitState] = {}

        def look() -> None:
            found.update(latest_of(self._host.statuses(self._sha, CONTEXT), others or frozenset()))

        # In doubt no success: another pull request with this head may be blocked.
        if others is None or (others and not self._try("other pull requests", look)):
            return CommitState.ERROR, "other pull requests with this head can't be read; "
        worst = min((own, *found.values()), key=WORST_FIRST.index)
        if worst is own:
            return own, ""
        number = min(number for number, state in found.items() if state is worst)
        says = "has no verdict yet" if worst is CommitState.PENDING else "decides"
        return worst, f"#{number} with the same head {says}; "

    def _try(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except PermissionMissing as missing:
            self._missing.setdefault(missing.permission, what)
            return False
        except HostError as error:
            self._runner.warn(f"{what}: {error}")
            return False
        return True

    def _warn_about_permissions(self, *, written: bool) -> None:
        """Warns once about missing permissions, with the lines to paste."""
        if not self._missing:
            return
        if not self._may_write:
            self._runner.say("The token of a fork's run is read-only, so this job's own result is the gate.")
            return
        gate = "" if written else "; until then this job's own result is the gate"
        self._runner.warn(
            f"the token lacks write access to {' and '.join(sorted(self._missing.values()))}{gate}. Add to the job:"
        )
        for line in ("permissions:", "  contents: read", *(f"  {line}" for line in sorted(self._missing))):
            self._runner.say(line)


def state_of(scorecard: Scorecard) -> CommitState:
    """Returns the commit status of a verdict. Never neutral or skipped: GitHub counts both as passed."""
    if scorecard.passes:
        return CommitState.SUCCESS
    return CommitState.ERROR if scorecard.status is VerdictStatus.ERROR else CommitState.FAILURE


def latest_of(statuses: tuple[CommitStatus, ...], numbers: Collection[int]) -> dict[int, CommitState]:
    """Returns the newest state of each pull request; pending if it has none. ``statuses`` are newest first."""
    newest = dict.fromkeys(numbers, CommitState.PENDING)
    # Oldest first, so that later ones replace earlier ones.
    for status in reversed(statuses):
        found = OF_PULL.search(status.target_url or "")
        if found and int(found[1]) in newest:
            newest[int(found[1])] = CommitState(found[2])
    return newest


def shown_since(host: PullRequestHost, sha: Sha, number: int, content_digest: str) -> str | None:
    """Returns since when ``sha`` shows a verdict on this content of this pull request that a person may approve."""
    try:
        marks = [(OF_PULL.search(s.target_url or ""), s.created_at) for s in host.statuses(sha, CONTEXT)]
    except HostError:
        return None
    shown = [at for mark, at in marks if mark and (int(mark[1]), mark[3]) == (number, content_digest)]
    # The oldest: an approval counts from when the verdict was first shown.
    return shown[-1] if shown else None
