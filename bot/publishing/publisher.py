"""Writes verdicts to GitHub: one check run for each run, one comment for each pull request.

Every write may be repeated: it reads the newest state first and writes the same text again. GitHub has no transaction
over a read and a write. So the pull request is read right before each try of a write, and once more after the last one.
If the head was superseded meanwhile, its verdict is taken back and the comment shows the newest run.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from bot.approvals.approved_verdict import review_entry, with_approvals
from bot.publishing.freshness import Superseded, current, still_open
from bot.publishing.head_conclusion import HeadConclusion, conclusion_of, head_conclusion
from bot.publishing.pull_request_comment import PullRequestComments
from bot.store.values import KeptVerdict, RepositoryRef, Run, RunKind
from bot.telemetry.logs import logger
from bot.webhooks.intents import RERUN
from engine.approvals.acceptance import may_be_cleared
from engine.publishing.check_names import NAME, check_name
from engine.render.annotations import scorecard_annotations
from engine.render.check_text import check_text
from engine.render.links import Links
from schemas.errors import HostError, HostUnavailable, NotFound, StoreError
from schemas.host import CheckAction, CheckConclusion, CheckRun, HostedPullRequest, Sha
from schemas.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.checks import AppHost
    from bot.store.records import Records
    from schemas.config import CommentPolicy
    from schemas.ports import Clock

BUTTON = CheckAction(label="Re-run", description="Measure this head again", identifier=RERUN)
RULES_CACHED_FOR = timedelta(minutes=1)
SETTLES = 8
"""Most rounds in which ``settle`` checks whether its checks are current. Other runs of the head may end meanwhile."""

log = logger("publishing")


class _RequiredCheck(NamedTuple):
    """Whether a branch requires our check, and when GitHub said so."""

    asked_at: datetime
    required: bool


class VerdictPublisher:
    """The check and the comment of every run. Methods block; they raise HostUnavailable if a later try may succeed."""

    def __init__(
        self,
        records: Records,
        app: GitHubApp,
        server_url: str,
        clock: Clock,
        page_of: Callable[[Run], str | None] = lambda _: None,
    ) -> None:
        """``page_of`` returns the address of a run's page, if there are pages."""
        self._page_of = page_of
        self._records = records
        self._app = app
        self._clock = clock
        self._required: dict[tuple[int, str], _RequiredCheck] = {}
        """By repository id and branch."""
        self._server_url = server_url
        self._comments = PullRequestComments(records, app, server_url, self._approved, page_of)

    def host(self, run: Run) -> AppHost:
        """Returns the run's repository on GitHub."""
        return self._app.host(run.installation_id, run.repository)

    def pull_request(self, repo: RepositoryRef, number: int) -> HostedPullRequest:
        """Reads the pull request. Raises NotFound."""
        return self._repository(repo).pull_request(number)

    def current(self, run: Run) -> HostedPullRequest:
        """Reads the pull request and checks that the run is still its newest. Raises Superseded."""
        return current(self._records, self.host(run), run)

    def check_name(self, repo: RepositoryRef, pull: HostedPullRequest) -> str:
        """Returns the name of the pull request's check. The rules of its base are cached for ``RULES_CACHED_FOR``."""
        return check_name(pull.base_ref, pull.default_branch, partial(self._requires, repo))

    def _requires(self, repo: RepositoryRef, branch: str) -> bool:
        at, key = self._clock.utc(), (repo.repository_id, branch)
        known = self._required.get(key)
        # Rules change rarely, but each verdict of a head asks for the name of its check.
        if known is None or at - known.asked_at > RULES_CACHED_FOR:
            checks = self._repository(repo).required_checks(branch)
            known = self._required[key] = _RequiredCheck(at, any(check.name == NAME for check in checks))
        return known.required

    def newest_run_id(self, repo: RepositoryRef, head_sha: Sha, name: str) -> str | None:
        """Returns the id of the run whose check of this name is the newest on a commit; ``None`` without a check."""
        found = self._repository(repo).checks(head_sha, name)
        return found[0].external_id if found else None

    def start_check(self, run: Run, now: HostedPullRequest | None) -> bool:
        """Shows that the run is under way. Returns False if it was cancelled meanwhile; its check then says so.

        After a crash it finds the check that it had made before.
        """
        text = "This head is being evaluated. The verdict replaces this text."
        shown = _check(run, None, "measuring", text, self._name(run, now))
        check_run_id = self.host(run).create_check(shown)
        # The run may have been cancelled while GitHub created the check.
        if self._records.start(run.id, check_run_id, self._clock.utc()):
            return True
        self.cancel_check(run.model_copy(update={"check_run_id": check_run_id}))
        return False

    def show_running(self, run: Run, text: str, policy: CommentPolicy) -> None:
        """Shows in the comment that the run is under way. Raises Superseded."""
        self._comments.show_running(run, text, policy)

    def refresh_comment(self, run: Run) -> None:
        """Brings the comment to the newest state, after ``run`` was superseded. Raises HostUnavailable."""
        self._comments.refresh(run)

    def show_progress(self, run: Run, check_run_id: int, line: str, unless_over: Callable[[], object]) -> None:
        """Shows a line of progress. Failures of GitHub are only logged: no verdict depends on it.

        Raises Superseded, and whatever ``unless_over`` raises. That is called right before each try: a late line of
        progress would otherwise replace the verdict.
        """

        def look() -> None:
            unless_over()
            still_open(self._records, run)

        try:
            self.host(run).update_check(check_run_id, _check(run, None, "measuring", line), look)
        except HostError as error:
            log.info("progress not shown", run=run.id, why=str(error))

    def show_waiting(self, run: Run, why: str) -> None:
        """Shows that the run waits for the operator to fix something. Raises HostError and Superseded."""

        def look() -> None:
            with suppress(StoreError):  # the store itself may be broken
                still_open(self._records, run)

        shown = f"{why} The run then continues without another push."
        self.host(run).create_check(_check(run, None, "waiting for the operator of Prompt Verdict", shown), look)

    def cancel_check(self, run: Run) -> None:
        """Cancels the check of a superseded run."""
        host = self.host(run)
        check_run_id = run.check_run_id
        if check_run_id is None:  # the worker may have died between making the check and storing its id
            made = (check for check in host.checks(run.head_sha) if check.external_id == run.id)
            check_run_id = next((check.id for check in made), None)
        if check_run_id is None:
            return
        why = "Superseded: a newer push, another base, a change of the base, or the pull request was closed."
        try:
            host.update_check(check_run_id, _check(run, CheckConclusion.CANCELLED, "superseded", why))
        except NotFound:
            return

    def show_failure(self, run: Run, why: str) -> None:
        """Fails the check of a run that came to no verdict, and updates an existing comment. Raises HostError."""
        # The queue's commits are checked only under the required name.
        now = None if run.kind is RunKind.QUEUE or run.number is None else self.host(run).pull_request(run.number)
        wanted = _check(run, CheckConclusion.FAILURE, "error: no verdict", why, self._name(run, now))
        self.host(run).create_check(wanted)
        if run.kind is RunKind.PULL_REQUEST:
            self._comments.show_failure(run, why)

    def publish(self, kept: KeptVerdict, now: HostedPullRequest | None) -> None:
        """Shows a verdict. ``now`` is the pull request as it was just read; ``None`` for a run of the merge queue,
        which takes over the approvals of the pull request with the same content.

        Raises Superseded if the pull request moved on before or during the last write. The caller then cancels the
        check and refreshes the comment.
        """
        if now is not None:
            scorecard = self.settle(kept.run.repo, now)
            if scorecard is not None:
                self._comments.show_verdict(kept.run, scorecard)
            # Once more after the last write: a push in between makes this verdict an outdated one.
            self.current(kept.run)
            return
        # The queue tests the merge result. Approvals were given on the pull request.
        author = None if kept.run.number is None else self.host(kept.run).pull_request(kept.run.number).author
        scorecard = self._approved(kept, author)
        self._write_check(kept.run, scorecard, HeadConclusion(conclusion=conclusion_of(scorecard)), NAME)

    def settle(self, repo: RepositoryRef, now: HostedPullRequest) -> Scorecard | None:
        """Writes the worst verdict of the head on the check of every open pull request that has this head.

        Returns the verdict of ``now`` itself. Raises Superseded if ``now`` is not the newest state any more.
        """
        # Runs may end and reviews may arrive at the same moment. Each writer has stored its verdict before it comes
        # here and reads all verdicts again after it wrote. So the last writer has seen every verdict.
        written: dict[str, tuple[Scorecard, HeadConclusion]] = {}
        cards: dict[int, Scorecard | None] = {}
        for _ in range(SETTLES):
            verdicts = self._verdicts(repo, now)
            cards = {number: None if one is None else one.scorecard for number, one in verdicts.items()}
            changed = 0
            for number, one in verdicts.items():
                # A pull request without a verdict keeps its own running check. It only influences those of the
                # others.
                if one is None:
                    continue
                wanted = (one.scorecard, head_conclusion(number, cards))
                # Each check keeps the name of its own base, since several pull requests with one head may have
                # different bases.
                name = self.check_name(repo, now.model_copy(update={"base_ref": one.run.base_ref}))
                # Writing the same text again would only cost requests from the rate limit.
                if written.get(one.run.id) == wanted:
                    continue
                try:
                    self._write_check(one.run, *wanted, name)
                except Superseded:
                    if number == now.number:
                        raise
                    continue  # its pull request moved on: the next round leaves it out
                written[one.run.id] = wanted
                changed += 1
            # A single verdict without approvals can't be changed by another writer, so one round is enough.
            if not changed or (len(verdicts) <= 1 and not any(map(_depends_on_approvals, cards.values()))):
                break
        return cards.get(now.number)

    def _verdicts(self, repo: RepositoryRef, now: HostedPullRequest) -> dict[int, KeptVerdict | None]:
        """Returns the verdict of each open pull request with this head on its present base, with its approvals."""
        host = self._repository(repo)
        pulls = {pull.number: pull for pull in host.pull_requests_of(now.head_sha)} | {now.number: now}
        known = {run.number for run in self._records.runs_of_head(repo.repository_id, now.head_sha)}
        for number in known - pulls.keys():  # GitHub's list may lack one that we measured
            if number is not None:
                pulls[number] = host.pull_request(number)
        kept_here = self._records.verdicts_of_head(repo.repository_id, now.head_sha)
        found = {(one.run.number, one.run.base_ref): one for one in kept_here}
        verdicts: dict[int, KeptVerdict | None] = {}
        for number, pull in pulls.items():
            if pull.is_open and pull.head_sha == now.head_sha:
                # A verdict on another base says nothing about the merge into this one.
                kept = found.get((number, pull.base_ref))
                card = None if kept is None else {"scorecard": self._approved(kept, pull.author)}
                verdicts[number] = None if kept is None else kept.model_copy(update=card)
        return verdicts

    def _approved(self, kept: KeptVerdict, author: str | None) -> Scorecard:
        """Returns the verdict with its approvals; without them if they can't be read: never a pass by mistake."""
        try:
            card = with_approvals(
                kept.scorecard,
                repository_id=kept.run.repository_id,
                number=kept.run.number,
                author=author,
                content_digest=kept.content_digest,
                records=self._records,
                host=self.host(kept.run),
                now=self._clock.utc(),
            )
        except HostUnavailable:
            raise
        except HostError as error:
            log.warning("approvals not readable", run=kept.run.id, why=str(error))
            return kept.scorecard
        entry = review_entry(kept, card.clearance)
        # GitHub may lose the review: the log must still say who let this pass.
        if entry is not None:
            self._records.audit(entry)
        return card

    def _repository(self, repo: RepositoryRef) -> AppHost:
        return self._app.host(repo.installation_id, repo.full_name)

    def _name(self, run: Run, now: HostedPullRequest | None) -> str:
        return NAME if now is None else self.check_name(run.repo, now)

    def _write_check(self, run: Run, scorecard: Scorecard, head: HeadConclusion, name: str) -> None:
        home = f"{self._server_url}/{run.repository}"
        shown = check_text(scorecard, Links(report=self._page_of(run), repository=home, bot=True))
        wanted = _check(run, head.conclusion, head.title(shown.title), shown.summary, name).model_copy(
            update={"text": shown.text, "annotations": scorecard_annotations(scorecard), "actions": (BUTTON,)}
        )
        host = self.host(run)
        # A run of the queue has no newer state: each of its commits is tested once.
        look = partial(self.current, run) if run.kind is RunKind.PULL_REQUEST else None
        if run.check_run_id is not None:
            try:
                host.update_check(run.check_run_id, wanted, look)
            except NotFound:
                pass
            else:
                return
        # The check was deleted on GitHub or never made. A new one takes its place.
        self._records.start(run.id, host.create_check(wanted, look), self._clock.utc())


def _depends_on_approvals(card: Scorecard | None) -> bool:
    """Returns whether an approval can change how this verdict is shown."""
    return card is not None and (card.clearance is not None or may_be_cleared(card))


def _check(run: Run, conclusion: CheckConclusion | None, title: str, summary: str, name: str = NAME) -> CheckRun:
    """Describes the run's check. GitHub ignores ``name`` when it updates an existing one."""
    return CheckRun(
        name=name,
        head_sha=run.head_sha,
        external_id=run.id,
        conclusion=conclusion,
        title=title,
        summary=summary,
        # A running check needs no button: the run that it would ask for is under way.
        actions=() if conclusion is None else (BUTTON,),
    )
