"""Writing the answer where people look. Each surface is independent: none that fails changes the verdict or another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.render.encode import excerpt, visible
from engine.render.markdown import MARKER, Links, markdown
from schemas.config import CommentPolicy
from schemas.errors import HostError, PermissionMissing
from schemas.host import Comment, CommitState, CommitStatus, Sha
from schemas.scorecard import Scorecard, VerdictStatus

if TYPE_CHECKING:
    from action.environment import Environment
    from action.outputs import Runner
    from schemas.ports import PullRequestHost

CONTEXT = "prompt-verdict"
"""The name that a repository makes a required check."""
WORST_FIRST = (CommitState.ERROR, CommitState.FAILURE, CommitState.PENDING, CommitState.SUCCESS)
LONGEST_DESCRIPTION = 140
OF_PULL = re.compile(r"#pull-([0-9]+)=(error|failure|pending|success)(?:;accepts=([0-9a-f]+))?$")
"""A status says in its link for which pull request it is, since several may share a head, and which content an approval
of it accepts."""


class Publisher:
    """The surfaces of one run. ``number`` is the pull request's, ``sha`` the commit that carries the status.

    ``may_write`` is false in the run of a fork, whose token only reads whatever the workflow says.
    """

    def __init__(
        self,
        host: PullRequestHost,
        runner: Runner,
        environment: Environment,
        *,
        number: int | None,
        sha: Sha,
        may_write: bool = True,
    ) -> None:
        self._host = host
        self._runner = runner
        self._environment = environment
        self._number = number
        self._sha = sha
        self._missing: dict[str, str] = {}
        self._comment: Comment | None = None
        self._looked = False
        self._may_write = may_write

    def pending(self, why: str) -> bool:
        """The check is under way. Whether the commit status says so."""
        return self._set_status(CommitState.PENDING, f"measuring ({why})")

    def running(self, text: str, policy: CommentPolicy) -> None:
        """The first of at most two writings of the comment."""
        if policy in (CommentPolicy.ALWAYS, CommentPolicy.CHANGES):
            self._write_comment(text)

    def final(self, scorecard: Scorecard, links: Links, accepts: str | None = None) -> bool:
        """The verdict on every surface. Whether the commit status carries it now.

        ``accepts``: the digest of what an approval accepts.
        """
        if self._wants_comment(scorecard):
            self._write_comment(markdown(scorecard, links=links))
        state = state_of(scorecard)
        worst, why = self._worst(state)
        written = self._set_status(worst, why + scorecard.title, own=state, accepts=accepts)
        self._say_what_is_missing(written=written)
        return written

    def failed(self, what: str) -> bool:
        """There is no scorecard: the check says why. Whether the status could be written."""
        written = self._set_status(CommitState.ERROR, what)
        self._say_what_is_missing(written=written)
        return written

    @property
    def comment_url(self) -> str:
        """Where our comment is; empty when there is none."""
        return self._comment.url if self._comment else ""

    def _wants_comment(self, scorecard: Scorecard) -> bool:
        """An earlier comment of ours is always brought up to date: an old verdict may not stand there as if current."""
        policy = scorecard.comment
        if policy is CommentPolicy.OFF or self._number is None:
            return False
        wanted = {
            CommentPolicy.ALWAYS: True,
            CommentPolicy.CHANGES: scorecard.status is not VerdictStatus.NOT_APPLICABLE,
            CommentPolicy.FAILURES: not scorecard.passes,
        }[policy]
        return wanted or self._find_comment() is not None

    def _find_comment(self) -> Comment | None:
        if not self._looked and self._number is not None:
            self._looked = True
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
        mark = f"#pull-{self._number}={(own or state).value}" if self._number is not None else ""
        description = visible(excerpt(name + text, LONGEST_DESCRIPTION - 20).text)[:LONGEST_DESCRIPTION]
        url = self._environment.run_url + mark + (f";accepts={accepts}" if mark and accepts else "")
        status = CommitStatus(context=CONTEXT, state=state, description=description, target_url=url)
        return self._try("the status", lambda: self._host.set_status(self._sha, status))

    def _worst(self, own: CommitState) -> tuple[CommitState, str]:
        """The worst verdict of all open pull requests with this head, and what to say where it isn't our own.

        The status belongs to the commit, not to one of them. What was never judged, or can't be read, is no success.
        """
        if self._number is None or not self._environment.status:
            return own, ""
        found = [own]

        def look() -> None:
            pulls = self._host.pull_requests_of(self._sha)
            others = {p.number for p in pulls if p.is_open and p.head_sha == self._sha} - {self._number}
            if others:
                found.extend(latest_of(self._host.statuses(self._sha, CONTEXT), others))

        if not self._try("other pull requests", look):
            return CommitState.ERROR, "other pull requests can't be read; "
        worst = min(found, key=WORST_FIRST.index)
        return worst, "" if worst is own else "another pull request with this head decides; "

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

    def _say_what_is_missing(self, *, written: bool) -> None:
        """Once, with the lines to paste."""
        if not self._missing:
            return
        if not self._may_write:
            self._runner.say("The token of a fork's run only reads: this job's own result is the gate.")
            return
        gate = "" if written else "; until then this job's own result is the gate"
        self._runner.warn(
            f"the token may not write {' and '.join(sorted(self._missing.values()))}{gate}. Add to the job:"
        )
        for line in ("permissions:", "  contents: read", *(f"  {line}" for line in sorted(self._missing))):
            self._runner.say(line)


def state_of(scorecard: Scorecard) -> CommitState:
    """The commit status of a verdict. Never neutral or skipped: GitHub counts both as passed."""
    if scorecard.passes:
        return CommitState.SUCCESS
    return CommitState.ERROR if scorecard.status is VerdictStatus.ERROR else CommitState.FAILURE


def latest_of(statuses: tuple[CommitStatus, ...], numbers: set[int]) -> list[CommitState]:
    """The newest state of each of these pull requests; who has none yet is pending. ``statuses`` come newest first."""
    newest: dict[int, CommitState] = {}
    for status in statuses:
        found = OF_PULL.search(status.target_url or "")
        if found and int(found[1]) in numbers:
            newest.setdefault(int(found[1]), CommitState(found[2]))
    return [newest.get(number, CommitState.PENDING) for number in numbers]


def shown_since(host: PullRequestHost, sha: Sha, number: int, content_digest: str) -> str | None:
    """Since when ``sha`` shows a verdict on this content of this pull request that a person may clear, if ever."""
    try:
        marks = [(OF_PULL.search(s.target_url or ""), s.created_at) for s in host.statuses(sha, CONTEXT)]
    except HostError:
        return None
    shown = [at for mark, at in marks if mark and (int(mark[1]), mark[3]) == (number, content_digest)]
    return shown[-1] if shown else None


def write_reports(folder: Path, texts: Mapping[str, str]) -> None:
    """The scorecard's files, for later steps."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
