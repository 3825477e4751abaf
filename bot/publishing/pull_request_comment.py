"""The one comment on each pull request: running, a verdict, or why there is none. Never an outdated verdict."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bot.publishing.freshness import Superseded, current, still_open
from bot.telemetry.logs import logger
from engine.publishing.comment_policy import wants_comment, wants_running
from engine.render.links import Links
from engine.render.markdown import MARKER, markdown
from engine.render.progress import notice
from engine.render.signs import VERDICT_SIGNS
from schemas.errors import HostError, HostUnavailable, NotFound
from schemas.scorecard import Scorecard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.checks import AppHost
    from bot.store.records import Records
    from bot.store.values import KeptVerdict, Run
    from schemas.config import CommentPolicy
    from schemas.host import Comment

REFRESHES = 8
"""Most rounds in which a refresh checks whether its text is still the newest. Others may write meanwhile."""
RUNNING = "⏳ Prompt Verdict: running"
MOVED_ON = "The pull request has moved on. Its newest state is being evaluated; its check shows the progress."
UNMEASURED = f"{VERDICT_SIGNS[VerdictStatus.NOT_APPLICABLE]} Prompt Verdict: not measured"
CLOSED = "The pull request was closed before its newest head was evaluated."
FAILED = f"{VERDICT_SIGNS[VerdictStatus.ERROR]} Prompt Verdict: error"

log = logger("comments")


class PullRequestComments:
    """Writes the comments of all pull requests. Methods block.

    ``with_approvals`` returns a kept verdict with the approvals that count for it, given the pull request's author.
    ``page_of`` returns the address of a run's page, if there are pages.
    """

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        server_url: str,
        with_approvals: Callable[[KeptVerdict, str | None], Scorecard],
        page_of: Callable[[Run], str | None],
    ) -> None:
        self._records = records
        self._app = app
        self._server_url = server_url
        self._with_approvals = with_approvals
        self._page_of = page_of

    def show_running(self, run: Run, text: str, policy: CommentPolicy) -> None:
        """Shows that the run is under way. An outage of GitHub is only logged. Raises Superseded."""
        try:
            known = self._known(run)
            if wants_running(policy, lambda: known is not None):
                self._write(run, text, known)
                # The verdict may have been shown while this was written. The caller then brings the comment up to
                # date.
                still_open(self._records, run)
        except HostError as error:
            log.info("running state not shown", run=run.id, why=str(error))

    def show_verdict(self, run: Run, scorecard: Scorecard) -> None:
        """Shows the verdict. A comment that GitHub refuses (locked conversation, missing permission) is only logged.

        Raises Superseded and HostUnavailable.
        """
        try:
            known = self._known(run)
            if wants_comment(scorecard, lambda: known is not None):
                self._write(run, self._text(run, scorecard), known)
        except HostUnavailable:
            raise
        except HostError as error:
            log.warning("comment not written", run=run.id, why=str(error))

    def show_failure(self, run: Run, why: str) -> None:
        """Replaces an existing comment if the run has no verdict. Raises HostError."""
        known = self._known(run)
        # A failure alone is no reason for a first comment: the check already shows it.
        if known is None:
            return
        try:
            self._write(run, notice(run.head_sha, FAILED, why), known)
        except Superseded:
            self.refresh(run)

    def refresh(self, run: Run) -> None:
        """Brings the comment to the newest state of the pull request, after ``run`` was found to be superseded.

        Raises HostUnavailable.
        """
        # Several workers may write at the same moment. Each has stored its verdict before it writes and checks again
        # afterwards, so the last writer has seen every verdict.
        written = ""
        try:
            for _ in range(REFRESHES):
                known = self._known(run)
                text = self._newest_text(run) if known is not None else None
                # The text is stable: what we wrote last is still the newest state.
                if text in (None, written):
                    return
                self._write(run, text, known, refreshing=True)
                written = text
        except HostUnavailable:
            raise
        except HostError as error:
            log.warning("comment not refreshed", run=run.id, why=str(error))

    def _newest_text(self, run: Run) -> str | None:
        """Returns what the comment should say now, or ``None`` if it may stay as it is."""
        assert run.number is not None
        try:
            now = self._host(run).pull_request(run.number)
        except NotFound:
            return None
        found = self._records.verdicts_of_head(run.repository_id, now.head_sha)
        kept = next((one for one in found if (one.run.number, one.run.base_ref) == (now.number, now.base_ref)), None)
        if kept is not None:
            scorecard = self._with_approvals(kept, now.author)
            return self._text(kept.run, scorecard) if wants_comment(scorecard, lambda: True) else None
        if now.is_open:
            return notice(now.head_sha, RUNNING, MOVED_ON)
        return notice(now.head_sha, UNMEASURED, CLOSED)

    def _known(self, run: Run) -> Comment | None:
        """Returns our comment on the pull request: the stored one, else the one found on GitHub by its marker."""
        assert run.number is not None
        known = self._records.comment_of(run.repository_id, run.number)
        # The marker finds a comment whose id was lost in a crash, so there is never a second one.
        return known or self._host(run).find_comment(run.number, MARKER)

    def _write(self, run: Run, text: str, known: Comment | None, *, refreshing: bool = False) -> None:
        """Writes the comment. Unless ``refreshing``, each try first checks that ``run`` is still the newest."""
        assert run.number is not None
        host = self._host(run)
        # A refresh writes the newest text for any run, so its run need not be the newest.
        look = None if refreshing else partial(current, self._records, host, run)
        comment = host.write_comment(run.number, text, MARKER, known, look)
        # Kept after each write: GitHub may have made a new comment in place of a deleted one.
        self._records.keep_comment(run.repository_id, run.number, comment)

    def _host(self, run: Run) -> AppHost:
        return self._app.host(run.installation_id, run.repository)

    def _text(self, run: Run, scorecard: Scorecard) -> str:
        """Renders the verdict with a link to the run's page, or else the check's, which holds the full report."""
        fresh = self._records.run(run.id)
        home = f"{self._server_url}/{run.repository}"
        report = self._page_of(run)
        if report is None and fresh is not None and fresh.check_run_id is not None:
            report = f"{home}/runs/{fresh.check_run_id}"
        return markdown(scorecard, links=Links(report=report, repository=home, bot=True))
