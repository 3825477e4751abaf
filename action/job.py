"""One job, from the event to the verdict. Its dependencies are passed in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from action.events import (
    Dispatched,
    Event,
    Irrelevant,
    PullRequestChanged,
    Pushed,
    QueueEntered,
    read_event,
)
from action.exits import Exit, error_line, exit_of, exit_of_error
from action.publish import CONTEXT, Publisher, shown_since
from action.reports import REPORTS, write_reports
from action.stored_answers import take_over
from adapters.loop import run_async
from engine.approvals.acceptance import clearance, cleared, may_be_cleared
from engine.approvals.trust import pull_request_of
from engine.publishing.check_names import check_name
from engine.publishing.comment_policy import outdated
from engine.render.annotations import scorecard_annotations, workflow_command
from engine.render.encode import prose
from engine.render.limits import JOB_SUMMARY
from engine.render.links import Links
from engine.render.markdown import markdown
from schemas.errors import HostError, PromptVerdictError, UsageError
from schemas.pullrequests import PullRequest, Trust

if TYPE_CHECKING:
    from action.environment import Environment
    from action.outputs import Runner
    from engine.runner.preparation import Preparation
    from schemas.host import Sha
    from schemas.ports import PullRequestHost
    from schemas.scorecard import Clearance, Scorecard

PASS = Exit.PASS.value
MOST_NAMED = 5
"""Required checks that a warning names."""


class FetchedTree(Protocol):
    """A repository whose commits can be fetched by their ids."""

    def fetch(self, commits: tuple[Sha, ...]) -> None:
        """Fetches commits and their trees."""
        ...


class Pipeline(Protocol):
    """The engine with its adapters (action/pipeline.py)."""

    def prepare(self, pull_request: PullRequest) -> Preparation[Scorecard]:
        """Detects and plans; spends nothing."""
        ...


@dataclass(frozen=True)
class Job:
    """One job. ``tree`` fetches commits, ``pipeline`` reads them."""

    environment: Environment
    runner: Runner
    host: PullRequestHost
    tree: FetchedTree
    pipeline: Pipeline
    reports: Callable[[Scorecard, Links], Mapping[str, Iterable[str]]]
    """The texts of ``REPORTS``, in parts."""

    def run(self) -> int:
        """Runs the job; returns the exit code: 0 once the commit status carries the verdict, else the verdict's own."""
        event = read_event(self.environment.event_name, self._payload())
        if isinstance(event, Irrelevant):
            if event.about is None or self._carries(event.about.head_sha):
                self.runner.say(f"Nothing to do: {event.why}.")
                self.runner.outputs({"verdict": "not_applicable"})
                return PASS
            event = (
                event.about
            )  # this job's result is the gate; a success without a verdict would hide an earlier failure
        if isinstance(event, Pushed):
            return self._keep_answers(event)
        if isinstance(event, QueueEntered):
            return self._queue(event)
        if isinstance(event, Dispatched) and event.number is None:
            return self._commits(event)
        return self._pull_request(event)

    def _payload(self) -> object:
        try:
            payload: object = json.loads(Path(self.environment.event_path).read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"the event can't be read ({type(error).__name__})", where="GITHUB_EVENT_PATH") from None
        return payload

    # -- events

    def _pull_request(self, event: Event) -> int:
        assert isinstance(event, PullRequestChanged | Dispatched)
        assert event.number is not None
        # Read anew: jobs may wait for a runner, and a re-run gets the old event again.
        hosted = self.host.pull_request(event.number)
        approved = event.head_sha if isinstance(event, Dispatched) else None
        if not hosted.is_open:
            self.runner.say(f"Nothing to do: #{hosted.number} is closed.")
            return self._unjudged(hosted.head_sha)
        if isinstance(event, PullRequestChanged) and event.head_sha != hosted.head_sha:
            self.runner.say(f"Nothing to do: #{hosted.number} has a newer head, which has its own run.")
            return self._unjudged(event.head_sha)
        # The tip of the base and not the event's base: policy and cases may have become stricter since.
        tip = self.host.branch(hosted.base_ref)
        context = check_name(hosted.base_ref, hosted.default_branch, self._requires)
        default = self._default_tip(hosted.base_ref, hosted.default_branch, context)
        pull_request = pull_request_of(hosted, self.environment.repository, tip, approved, default)
        if isinstance(event, Dispatched):
            # A dispatched run has the cache of its own branch, which lacks the answers of the pull request.
            self._reuse_answers(event.number)
        why = event.why if isinstance(event, PullRequestChanged) else "dispatched by hand"
        code = self._evaluate(pull_request, why, number=hosted.number, context=context)
        if code == PASS:  # then the status is the gate, or nothing stops the pull request
            self._warn_about_the_gate(hosted.base_ref)
        return code

    def _carries(self, sha: Sha) -> bool:
        """Returns whether a commit status of ours exists there. It is then the gate, whatever this job's result is."""
        try:
            return self.environment.status and bool(self.host.statuses(sha, CONTEXT))
        except HostError:
            return False

    def _requires(self, branch: str) -> bool:
        """Returns whether a branch requires our status. If that can't be read, the status names its base."""
        try:
            return any(check.name == CONTEXT for check in self.host.required_checks(branch))
        except HostError as error:
            self.runner.warn(f"the branch's rules can't be read, so the status names the branch: {error}")
            return False

    def _warn_about_the_gate(self, branch: str) -> None:
        """Warns in log and summary if the branch merges without our status. This job succeeds whatever the verdict."""
        try:
            required = sorted({check.name for check in self.host.required_checks(branch)})
        except HostError as error:
            self.runner.warn(f"the rules of {branch} can't be read, so it may merge without {CONTEXT}: {error}")
            return
        if CONTEXT in required:
            return
        named = ", ".join(required[:MOST_NAMED]) + (" …" if len(required) > MOST_NAMED else "")
        why = (
            f"It requires {named}, and a required job doesn't stop a blocked pull request: "
            "the job succeeds once the verdict is on the status"
            if required
            else "It requires no check"
        )
        warning = f"{branch} merges without the status {CONTEXT}. {why}. Require the status in the branch's rules"
        self.runner.warn(warning)
        if self.environment.summary:
            self.runner.summarize(f"\n> ⚠️ {prose(warning, 1_000)}.\n")

    def _default_tip(self, base_ref: str, default_branch: str, context: str) -> Sha | None:
        """Returns the tip of the default branch, if a success on another base counts for it too by its name."""
        return self.host.branch(default_branch) if context == CONTEXT and base_ref != default_branch else None

    def _unjudged(self, sha: Sha) -> int:
        """Returns the exit code of a job that does not judge ``sha``: 0 only if a commit status is the gate."""
        return PASS if self._carries(sha) else Exit.ERROR.value

    def _queue(self, event: QueueEntered) -> int:
        author, context, default_ref, default_sha = None, CONTEXT, None, None
        if event.number is not None:
            hosted = self.host.pull_request(event.number)
            author, default_ref = hosted.author, hosted.default_branch
            context = check_name(event.base_ref, default_ref, self._requires)
            default_sha = self._default_tip(event.base_ref, default_ref, context)
            self._reuse_answers(event.number)
        pull_request = PullRequest(
            base_ref=event.base_ref,
            base_sha=event.base_sha,
            head_ref=event.head_ref,
            head_sha=event.head_sha,
            trust=Trust.SAME_REPOSITORY,
            repository=self.environment.repository,
            number=event.number,
            author=author,
            default_ref=default_ref,
            default_sha=default_sha,
        )
        return self._evaluate(pull_request, "merge queue", number=None, context=context)

    def _commits(self, event: Dispatched) -> int:
        """Compares two commits by name, for the log, the summary and the outputs only.

        It sets no status: anyone can choose base and head, and a commit compared with itself always passes.
        """
        base, head = (self.host.commit(name) for name in (event.base or "", event.head or ""))
        pull_request = PullRequest(
            base_ref=event.base or "",
            base_sha=base,
            head_ref=event.head or "",
            head_sha=head,
            trust=Trust.SAME_REPOSITORY,
            repository=self.environment.repository,
        )
        preparation = self._prepared(pull_request)
        scorecard = run_async(preparation.measure(self.runner.say))
        return self._report(scorecard, self._links(None), comment_url="", gated=False)

    def _keep_answers(self, event: Pushed) -> int:
        """Keeps the answers of merged pull requests in the default branch's cache. Makes no call and no verdict."""
        try:
            pulls = self.host.pull_requests_of(event.sha)
        except HostError as error:
            self.runner.warn(f"the merged pull requests can't be read, so no answers were kept: {error}")
            pulls = ()
        for pull in pulls:
            # GitHub lists every pull request with this commit. Only merged ones are part of the branch.
            if not pull.merged or pull.base_ref != event.branch:
                continue
            try:
                added = take_over(self.host, pull.number, Path(self.environment.store), self.runner.say)
            except PromptVerdictError as error:
                self.runner.warn(f"the answers of #{pull.number} were not kept: {error}")
            else:
                number = f"#{pull.number}"
                self.runner.say(f"{number} left no answers." if added is None else f"Kept {added} answers of {number}.")
        self.runner.outputs({"verdict": "not_applicable", "cost-usd": "0", "calls": "0"})
        return PASS

    def _reuse_answers(self, number: int) -> None:
        """Reuses the answers of the pull request's own run. Without them the verdict is measured again."""
        try:
            added = take_over(self.host, number, Path(self.environment.store), self.runner.say)
        except PromptVerdictError as error:
            self.runner.warn(f"earlier answers of #{number} can't be reused: {error}")
        else:
            self.runner.say(f"Earlier answers of #{number}: {'none' if added is None else 'available'}.")

    # -- the verdict

    def _evaluate(self, pull_request: PullRequest, why: str, *, number: int | None, context: str = CONTEXT) -> int:
        publisher = Publisher(
            self.host,
            self.runner,
            self.environment,
            number=number,
            sha=pull_request.head_sha,
            context=context,
            may_write=pull_request.trust is not Trust.FORK,
        )
        self.runner.say(f"Prompt Verdict on {pull_request.head_sha[:12]} ({why}).")
        # Before any work, so that a required check is pending and not missing.
        pending = publisher.pending(why)
        try:
            preparation = self._prepared(pull_request)
            running = preparation.running()
            if number is not None and running is not None:
                publisher.running(running, preparation.comment)
            scorecard = run_async(preparation.measure(self.runner.say))
            # Written on the status, so that a later job knows since when this content was shown.
            accepts = preparation.content_digest if may_be_cleared(scorecard) else None
            scorecard = self._cleared(scorecard, preparation, pull_request)
            # After the measurement: the head may have moved on meanwhile.
            outdated = None if number is None else self._superseded(pull_request, number)
        except (PromptVerdictError, OSError) as error:
            self.runner.fail(error_line(error))
            self.runner.outputs({"verdict": "error", "cost-usd": "", "calls": ""})
            return PASS if publisher.failed(error_line(error)) else int(exit_of_error(error))
        except BaseException as stopped:  # cancelled by the runner, or a bug; the check must not stay pending
            cancelled = isinstance(stopped, KeyboardInterrupt)
            publisher.failed("cancelled; run it again" if cancelled else "a bug in Prompt Verdict; see the log")
            raise
        if outdated is not None:
            self.runner.say(f"Not published: {outdated}.")
            # With a pending status, the newer run decides. Without one, this job's result is the gate and must not
            # pass.
            return PASS if pending else Exit.ERROR.value
        links = self._links(f"{self.environment.run_url}#artifacts")
        gated = publisher.final(scorecard, links, accepts)
        return self._report(scorecard, links, comment_url=publisher.comment_url, gated=gated)

    def _links(self, report: str | None) -> Links:
        return Links(report=report, rerun=self.environment.rerun_url, repository=self.environment.repository_url)

    def _prepared(self, pull_request: PullRequest) -> Preparation[Scorecard]:
        self.tree.fetch(pull_request.commits)
        return self.pipeline.prepare(pull_request)

    def _cleared(
        self, scorecard: Scorecard, preparation: Preparation[Scorecard], pull_request: PullRequest
    ) -> Scorecard:
        number = pull_request.number
        if number is None or not may_be_cleared(scorecard):
            return scorecard
        try:
            found = self._clearance(scorecard, preparation, pull_request, number)
        except HostError as error:
            self.runner.warn(f"reviews can't be read, so none counts as an approval: {error}")
            return scorecard
        return scorecard if found is None else cleared(scorecard, found)

    def _clearance(
        self, scorecard: Scorecard, preparation: Preparation[Scorecard], pull_request: PullRequest, number: int
    ) -> Clearance | None:
        return clearance(
            scorecard,
            self.host.reviews(number),
            author=pull_request.author,
            content_digest=preparation.content_digest,
            authorship=lambda: self.host.authorship(number),
            may_write=self.host.may_write,
            shown_since=lambda commit: shown_since(self.host, commit, number, preparation.content_digest),
        )

    def _superseded(self, pull_request: PullRequest, number: int) -> str | None:
        """Returns why this verdict is outdated, or ``None``. An outdated verdict is never shown as current.

        Raises HostError: a verdict that can't be checked is not published either.
        """
        return outdated(pull_request.head_sha, pull_request.base_ref, self.host.pull_request(number))

    def _report(self, scorecard: Scorecard, links: Links, *, comment_url: str, gated: bool) -> int:
        """Writes log, annotations, summary, files and outputs; returns the exit code."""
        if self.environment.annotations:
            for note in scorecard_annotations(scorecard):
                self.runner.command(workflow_command(note))
        if self.environment.summary:
            self.runner.summarize(markdown(scorecard, JOB_SUMMARY, links))
        folder = Path(self.environment.folder)
        # Empty outputs instead of none: later steps may test them.
        seen = dict.fromkeys(REPORTS, "")
        try:
            write_reports(folder, self.reports(scorecard, links))
            seen = {name: self.environment.seen_by_runner(str(folder / name)) for name in REPORTS}
        except OSError as error:
            self.runner.warn(f"the reports can't be written to {folder}: {error.strerror}")
        self.runner.outputs(
            {
                "verdict": scorecard.status.value,
                "cost-usd": f"{scorecard.spending.cost_usd + scorecard.spending.judge_cost_usd}",
                "calls": str(scorecard.spending.made),
                "scorecard-json": seen["scorecard.json"],
                "scorecard-markdown": seen["scorecard.md"],
                "report-html": seen["report.html"],
                "comment-url": comment_url,
            }
        )
        verdict = scorecard.title if scorecard.summary in scorecard.title else f"{scorecard.title}. {scorecard.summary}"
        # A green job with a red line, or the reverse, would confuse people.
        if gated or scorecard.passes:
            self.runner.say(verdict)
        else:
            self.runner.fail(verdict)
        return PASS if gated else int(exit_of(scorecard))
