"""The one comment below each pull request: running, a verdict, or why there is none; no other head's as if current."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bot.publishing.freshness import Superseded, current, still_open
from bot.telemetry.logs import logger
from engine.render.markdown import MARKER, Links, markdown
from engine.render.progress import notice
from engine.render.signs import VERDICT_SIGNS
from engine.surfaces import wants_comment, wants_running
from schemas.errors import HostError, HostUnavailable, NotFound
from schemas.scorecard import Scorecard, VerdictStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.checks import AppHost
    from bot.store.records import Records
    from bot.store.values import KeptVerdict, Run
    from schemas.config import CommentPolicy
    from schemas.host import Comment

LOOKS = 8
"""Others may write while we mend: so often we look again whether what we wrote still holds."""
RUNNING = "⏳ Prompt Verdict: running"
MOVED_ON = "The pull request has moved on: its newest state is being evaluated, and its check says how far that is."
UNMEASURED = f"{VERDICT_SIGNS[VerdictStatus.NOT_APPLICABLE]} Prompt Verdict: not measured"
CLOSED = "The pull request was closed before its newest head was evaluated."
FAILED = f"{VERDICT_SIGNS[VerdictStatus.ERROR]} Prompt Verdict: error"

log = logger("comments")


class Comments:
    """Of all pull requests. Methods block. ``accepted``: a kept verdict with what people accepted of it, given the pull
    request's author."""

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        server_url: str,
        accepted: Callable[[KeptVerdict, str | None], Scorecard],
    ) -> None:
        self._records = records
        self._app = app
        self._server_url = server_url
        self._accepted = accepted

    def running(self, run: Run, text: str, policy: CommentPolicy) -> None:
        """The comment while the run is under way. No outage keeps it from measuring. Raises Superseded."""
        try:
            known = self._known(run)
            if wants_running(policy, lambda: known is not None):
                self._write(run, text, known)
                still_open(self._records, run)
        except HostError as error:
            log.info("running not shown", run=run.id, why=str(error))

    def verdict(self, run: Run, scorecard: Scorecard) -> None:
        """The verdict in the comment. One that may not be written (a locked conversation, a missing permission) changes
        no verdict. Raises Superseded and HostUnavailable."""
        try:
            known = self._known(run)
            if wants_comment(scorecard, lambda: known is not None):
                self._write(run, self._text(run, scorecard), known)
        except HostUnavailable:
            raise
        except HostError as error:
            log.warning("comment not written", run=run.id, why=str(error))

    def broken(self, run: Run, why: str) -> None:
        """There is no verdict that could be shown: a comment that stands says so. Raises HostError."""
        known = self._known(run)
        if known is None:
            return
        try:
            self._write(run, notice(run.head_sha, FAILED, why), known)
        except Superseded:
            self.mend(run)

    def mend(self, run: Run) -> None:
        """Brings the comment to the newest state of the pull request, after ``run`` was found to be superseded.

        Others may write at the same moment: each has kept its verdict before it writes, and looks again afterwards, so
        that whoever writes last has seen all. Raises HostUnavailable.
        """
        written = ""
        try:
            for _ in range(LOOKS):
                known = self._known(run)
                text = self._newest(run) if known is not None else None
                if text in (None, written):
                    return
                self._write(run, text, known, mending=True)
                written = text
        except HostUnavailable:
            raise
        except HostError as error:
            log.warning("comment not mended", run=run.id, why=str(error))

    def _newest(self, run: Run) -> str | None:
        """What the comment should say now; ``None``: what stands there may stay."""
        assert run.number is not None
        try:
            now = self._host(run).pull_request(run.number)
        except NotFound:
            return None
        found = self._records.verdicts_of_head(run.repository_id, now.head_sha)
        kept = next((one for one in found if (one.run.number, one.run.base_ref) == (now.number, now.base_ref)), None)
        if kept is not None:
            scorecard = self._accepted(kept, now.author)
            return self._text(kept.run, scorecard) if wants_comment(scorecard, lambda: True) else None
        if now.is_open:
            return notice(now.head_sha, RUNNING, MOVED_ON)
        return notice(now.head_sha, UNMEASURED, CLOSED)

    def _known(self, run: Run) -> Comment | None:
        """Ours below the pull request."""
        assert run.number is not None
        known = self._records.comment_of(run.repository_id, run.number)
        return known or self._host(run).find_comment(run.number, MARKER)

    def _write(self, run: Run, text: str, known: Comment | None, *, mending: bool = False) -> None:
        """Right before each try it is looked whether ``run`` is current; who mends looks afterwards."""
        assert run.number is not None
        host = self._host(run)
        look = None if mending else partial(current, self._records, host, run)
        comment = host.write_comment(run.number, text, MARKER, known, look)
        self._records.keep_comment(run.repository_id, run.number, comment)

    def _host(self, run: Run) -> AppHost:
        return self._app.host(run.installation_id, run.repository)

    def _text(self, run: Run, scorecard: Scorecard) -> str:
        """With a link to the check's page: its text is the full report."""
        fresh = self._records.run(run.id)
        report = None
        if fresh is not None and fresh.check_run_id is not None:
            report = f"{self._server_url}/{run.repository}/runs/{fresh.check_run_id}"
        return markdown(scorecard, links=Links(report=report))
