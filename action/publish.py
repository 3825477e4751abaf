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
OF_PULL = re.compile(r"#pull-([0-9]+)=(error|failure|pending|success)$")
"""A status says for which pull request it is in its link, since several may share a head."""


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

    def pending(self, why: str) -> None:
        """The check is under way."""
        self._set_status(CommitState.PENDING, f"measuring ({why})")

    def running(self, text: str, policy: CommentPolicy) -> None:
        """The first of at most two writings of the comment."""
        if policy in (CommentPolicy.ALWAYS, CommentPolicy.CHANGES):
            self._write_comment(text)

    def final(self, scorecard: Scorecard, links: Links) -> bool:
        """The verdict on every surface. Whether the commit status carries it now."""
        if self._wants_comment(scorecard):
            self._write_comment(markdown(scorecard, links=links))
        state = state_of(scorecard)
        worst = self._worst(state)
        other = "" if worst is state else "another pull request with this head decides; "
        written = self._set_status(worst, other + scorecard.title, own=state)
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

    def _set_status(self, state: CommitState, text: str, own: CommitState | None = None) -> bool:
        if not self._environment.status:
            return False
        name = f"#{self._number} " if self._number is not None else ""
        mark = f"#pull-{self._number}={(own or state).value}" if self._number is not None else ""
        description = visible(excerpt(name + text, LONGEST_DESCRIPTION - 20).text)[:LONGEST_DESCRIPTION]
        url = self._environment.run_url + mark
        status = CommitStatus(context=CONTEXT, state=state, description=description, target_url=url)
        return self._try("the status", lambda: self._host.set_status(self._sha, status))

    def _worst(self, own: CommitState) -> CommitState:
        """The worst verdict of all open pull requests with this head: the status belongs to the commit, not to one."""
        if self._number is None or not self._environment.status:
            return own
        found = [own]

        def look() -> None:
            pulls = self._host.pull_requests_of(self._sha)
            others = {p.number for p in pulls if p.is_open and p.head_sha == self._sha} - {self._number}
            if others:
                found.extend(latest_of(self._host.statuses(self._sha, CONTEXT), others))

        self._try("other pull requests", look)
        return min(found, key=WORST_FIRST.index)

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
    """The newest state of each of these pull requests that has one. ``statuses`` come newest first."""
    newest: dict[int, CommitState] = {}
    for status in statuses:
        found = OF_PULL.search(status.target_url or "")
        if found and int(found[1]) in numbers:
            newest.setdefault(int(found[1]), CommitState(found[2]))
    return list(newest.values())


def verdict_since(host: PullRequestHost, sha: Sha) -> str | None:
    """Since when the verdict on this commit can be read: the time of its first status that isn't pending."""
    try:
        final = [s for s in host.statuses(sha, CONTEXT) if s.state is not CommitState.PENDING]
    except HostError:
        return None
    return final[-1].created_at if final else None


def write_reports(folder: Path, texts: Mapping[str, str]) -> None:
    """The scorecard's files, for later steps."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
