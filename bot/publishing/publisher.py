"""Writing verdicts where people look: one check run for each run, one comment for each pull request.

Every writing may be repeated: the newest state is read first, and the same thing is written again. Reading and writing
aren't one act at GitHub, so the pull request is read right before each try of a write, and once more when all is
written: what then stands on a superseded head is taken back, and the comment follows the newest run.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bot.approvals.accepted_verdict import accepted
from bot.publishing.freshness import Superseded, current, still_open
from bot.publishing.head_conclusion import HeadConclusion, conclusion_of, head_conclusion
from bot.publishing.pull_request_comment import Comments
from bot.store.values import KeptVerdict, RepositoryRef, Run, RunKind
from bot.telemetry.logs import logger
from bot.webhooks.intents import RERUN
from engine.check_names import NAME, check_name
from engine.clearing import may_be_cleared
from engine.render.annotations import scorecard_annotations
from engine.render.check_text import check_text
from schemas.errors import HostError, HostUnavailable, NotFound, StoreError
from schemas.host import CheckAction, CheckConclusion, CheckRun, HostedPullRequest, Sha
from schemas.scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.github.app import GitHubApp
    from adapters.github.checks import AppHost
    from bot.store.records import Records
    from schemas.ports import Clock

BUTTON = CheckAction(label="Re-run", description="Measure this head again", identifier=RERUN)
KNOWN_FOR = timedelta(minutes=1)
SETTLES = 8
"""Others with the same head may end while we write: so often we look again whether what we wrote still holds."""

log = logger("publishing")


def repo_of(run: Run) -> RepositoryRef:
    """Where a run's repository is."""
    return RepositoryRef(installation_id=run.installation_id, repository_id=run.repository_id, full_name=run.repository)


class VerdictPublisher:
    """The surfaces of all runs. Methods block; they raise HostUnavailable where it is to be tried again later."""

    def __init__(self, records: Records, app: GitHubApp, server_url: str, clock: Clock) -> None:
        self._records = records
        self._app = app
        self._server_url = server_url
        self._clock = clock
        self._required: dict[tuple[int, str], tuple[datetime, bool]] = {}
        """Repository and branch → when it was asked whether the branch requires our check, and the answer."""
        self.comments = Comments(records, app, server_url, self._accepted)

    def host(self, run: Run) -> AppHost:
        """The run's repository on GitHub."""
        return self._app.host(run.installation_id, run.repository)

    def pull_request(self, repo: RepositoryRef, number: int) -> HostedPullRequest:
        """The pull request as it is now. Raises NotFound."""
        return self._app.host(repo.installation_id, repo.full_name).pull_request(number)

    def current(self, run: Run) -> HostedPullRequest:
        """The pull request as it is now, while the run is still its own. Raises Superseded."""
        return current(self._records, self.host(run), run)

    def check_name(self, repo: RepositoryRef, pull: HostedPullRequest) -> str:
        """What the check of a pull request is called. What its base requires is asked again after ``KNOWN_FOR``."""
        return check_name(pull.base_ref, pull.default_branch, partial(self._requires, repo))

    def _requires(self, repo: RepositoryRef, branch: str) -> bool:
        at, key = self._clock.utc(), (repo.repository_id, branch)
        known = self._required.get(key)
        if known is None or at - known[0] > KNOWN_FOR:
            host = self._app.host(repo.installation_id, repo.full_name)
            known = self._required[key] = at, any(check.name == NAME for check in host.required_checks(branch))
        return known[1]

    def newest(self, repo: RepositoryRef, head_sha: Sha, name: str) -> str | None:
        """The id of the run whose check of this name is the newest on a commit; ``None``: there is none."""
        found = self._app.host(repo.installation_id, repo.full_name).checks(head_sha, name)
        return found[0].external_id if found else None

    def begin(self, run: Run, now: HostedPullRequest | None) -> bool:
        """Shows that the run is under way. False: it was cancelled meanwhile, and its check says so.

        After a kill it finds the check that it made before.
        """
        text = "This head is being evaluated; the verdict replaces this."
        shown = _check(run, None, "measuring", text, self._name(run, now))
        check_run_id = self.host(run).create_check(shown)
        if self._records.start(run.id, check_run_id, self._clock.utc()):
            return True
        self.cancelled(run.model_copy(update={"check_run_id": check_run_id}))
        return False

    def progress(self, run: Run, check_run_id: int, line: str, unless_over: Callable[[], object]) -> None:
        """How far it is. Nothing depends on it, so no outage is raised. Raises Superseded, and what ``unless_over``
        raises: it is called right before each try, as one that came late would stand there instead of the verdict."""

        def look() -> None:
            unless_over()
            still_open(self._records, run)

        try:
            self.host(run).update_check(check_run_id, _check(run, None, "measuring", line), look)
        except HostError as error:
            log.info("progress not shown", run=run.id, why=str(error))

    def waiting(self, run: Run, why: str) -> None:
        """The run can't go on before an operator has acted: its check says so. Raises HostError and Superseded."""

        def look() -> None:
            with suppress(StoreError):  # it may be what is broken
                still_open(self._records, run)

        shown = f"{why} The run goes on by itself then."
        self.host(run).create_check(_check(run, None, "waiting for the operator of Prompt Verdict", shown), look)

    def cancelled(self, run: Run) -> None:
        """The check of a superseded run. One that was made in the moment of a kill is found by its external id."""
        host = self.host(run)
        check_run_id = run.check_run_id
        if check_run_id is None:
            made = (check for check in host.checks(run.head_sha) if check.external_id == run.id)
            check_run_id = next((check.id for check in made), None)
        if check_run_id is None:
            return
        why = "A newer push, another base, a change of the base or the end of the pull request took this back."
        try:
            host.update_check(check_run_id, _check(run, CheckConclusion.CANCELLED, "superseded", why))
        except NotFound:
            return

    def broken(self, run: Run, why: str) -> None:
        """The run came to no verdict that could be shown: its check fails and says why, and a comment that stands."""
        now = None if run.kind is RunKind.QUEUE or run.number is None else self.host(run).pull_request(run.number)
        wanted = _check(run, CheckConclusion.FAILURE, "error: nothing was decided", why, self._name(run, now))
        self.host(run).create_check(wanted)
        if run.kind is RunKind.PULL_REQUEST:
            self.comments.broken(run, why)

    def publish(self, kept: KeptVerdict, now: HostedPullRequest | None) -> None:
        """A verdict on its surfaces. ``now``: the pull request as it was just read; ``None`` where the merge queue asks
        about a merge, which carries what was accepted of the pull request with the same content.

        Raises Superseded where the pull request moved on before the last writing, or during it: who called then says so
        on the check and has the comment mended.
        """
        if now is not None:
            scorecard = self.settle(repo_of(kept.run), now)
            if scorecard is not None:
                self.comments.verdict(kept.run, scorecard)
            self.current(kept.run)
            return
        author = None if kept.run.number is None else self.host(kept.run).pull_request(kept.run.number).author
        scorecard = self._accepted(kept, author)
        self._write_check(kept.run, scorecard, HeadConclusion(conclusion=conclusion_of(scorecard)), NAME)

    def settle(self, repo: RepositoryRef, now: HostedPullRequest) -> Scorecard | None:
        """Brings the checks of every open pull request with this head to the worst verdict among them.

        Gives back what stands for ``now`` itself. Runs may end, and reviews come, at the same moment: each has kept its
        verdict before it comes here, and looks again after it has written, so that whoever writes last has seen all.
        Raises Superseded where ``now`` isn't the newest state any more.
        """
        written: dict[str, tuple[Scorecard, HeadConclusion]] = {}
        cards: dict[int, Scorecard | None] = {}
        for _ in range(SETTLES):
            verdicts = self._verdicts(repo, now)
            cards = {number: None if one is None else one.scorecard for number, one in verdicts.items()}
            changed = 0
            for number, one in verdicts.items():
                if one is None:
                    continue
                wanted = (one.scorecard, head_conclusion(number, cards))
                name = self.check_name(repo, now.model_copy(update={"base_ref": one.run.base_ref}))
                if written.get(one.run.id) == wanted:
                    continue
                try:
                    self._write_check(one.run, *wanted, name)
                except Superseded:
                    if number == now.number:
                        raise
                    continue  # it decides no more: the next look leaves it out
                written[one.run.id] = wanted
                changed += 1
            if not changed or (len(verdicts) <= 1 and not any(map(_accepts_people, cards.values()))):
                break
        return cards.get(now.number)

    def _verdicts(self, repo: RepositoryRef, now: HostedPullRequest) -> dict[int, KeptVerdict | None]:
        """The verdict of each open pull request with this head as it stands, if it has one on its present base."""
        host = self._app.host(repo.installation_id, repo.full_name)
        pulls = {pull.number: pull for pull in host.pull_requests_of(now.head_sha)} | {now.number: now}
        known = {run.number for run in self._records.runs_of_head(repo.repository_id, now.head_sha)}
        for number in known - pulls.keys():
            if number is not None:
                pulls[number] = host.pull_request(number)
        kept_here = self._records.verdicts_of_head(repo.repository_id, now.head_sha)
        found = {(one.run.number, one.run.base_ref): one for one in kept_here}
        verdicts: dict[int, KeptVerdict | None] = {}
        for number, pull in pulls.items():
            if pull.is_open and pull.head_sha == now.head_sha:
                kept = found.get((number, pull.base_ref))
                card = None if kept is None else {"scorecard": self._accepted(kept, pull.author)}
                verdicts[number] = None if kept is None else kept.model_copy(update=card)
        return verdicts

    def _accepted(self, kept: KeptVerdict, author: str | None) -> Scorecard:
        """The verdict, with what people accepted of it. Where that can't be told it stays as it is: never a pass."""
        try:
            return accepted(
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
            log.warning("acceptances can't be read", run=kept.run.id, why=str(error))
            return kept.scorecard

    def _name(self, run: Run, now: HostedPullRequest | None) -> str:
        return NAME if now is None else self.check_name(repo_of(run), now)

    def _write_check(self, run: Run, scorecard: Scorecard, stands: HeadConclusion, name: str) -> None:
        shown = check_text(scorecard)
        wanted = _check(run, stands.conclusion, stands.title(shown.title), shown.summary, name).model_copy(
            update={"text": shown.text, "annotations": scorecard_annotations(scorecard), "actions": (BUTTON,)}
        )
        host = self.host(run)
        look = partial(self.current, run) if run.kind is RunKind.PULL_REQUEST else None
        if run.check_run_id is not None:
            try:
                host.update_check(run.check_run_id, wanted, look)
            except NotFound:
                pass
            else:
                return
        self._records.start(run.id, host.create_check(wanted, look), self._clock.utc())


def _accepts_people(card: Scorecard | None) -> bool:
    """Whether what people accept can change how this verdict is shown."""
    return card is not None and (card.clearance is not None or may_be_cleared(card))


def _check(run: Run, conclusion: CheckConclusion | None, title: str, summary: str, name: str = NAME) -> CheckRun:
    """``name`` counts only for a check that is made: one that is there keeps its own."""
    return CheckRun(
        name=name,
        head_sha=run.head_sha,
        external_id=run.id,
        conclusion=conclusion,
        title=title,
        summary=summary,
        actions=() if conclusion is None else (BUTTON,),
    )
