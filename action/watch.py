"""The scheduled watch in the Action: one issue for each prompt whose model changed, and never a red default branch."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from action.exits import Exit, error_line
from action.stored_answers import open_kept
from adapters.loop import run_async
from engine.alerts.states import AlertState
from engine.alerts.texts import (
    AlertNote,
    ending_marker,
    ending_text,
    issue_text,
    marker,
    reading_sentence,
    reminder_marker,
    reminder_text,
    title,
)
from engine.drift.reading import Level, Question
from engine.render.encode import prose
from schemas.errors import HostError, PermissionMissing, PromptVerdictError
from schemas.pullrequests import PullRequest, Trust
from schemas.values import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from action.environment import Environment
    from action.outputs import Runner
    from adapters.git.remote import RemoteRepository
    from adapters.github.host import GitHubHost
    from engine.planning.prepared import Prepared
    from engine.watch.once import LineageWatch, WatchRun
    from schemas.host import HostedIssue

SCHEDULE = "schedule"
EVER = datetime(2020, 1, 1, tzinfo=UTC)
"""Before the first issue of any watch."""


class Watch:
    """One scheduled job."""

    def __init__(
        self,
        environment: Environment,
        runner: Runner,
        host: GitHubHost,
        tree: RemoteRepository,
        variables: Mapping[str, str],
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._host = host
        self._tree = tree
        self._variables = variables

    def run(self) -> int:
        """Measures the default branch's prompts again and tells what changed. Returns 0: what is wrong is said in an
        issue, or as a warning."""
        try:
            found = self._measured()
        except (PromptVerdictError, OSError) as error:
            self._runner.warn(f"the watch came to no result: {error_line(error)}")
            self._runner.outputs({"verdict": "error", "cost-usd": "", "calls": ""})
            return Exit.PASS
        lines = []
        for one in found.lineages:
            line = f"{one.lineage}: {one.standing.state.value}. {reading_sentence(one.reading)}"
            self._runner.say(line)
            lines.append(f"- {prose(line, 1_000)}")
            self._tell(one)
        if self._environment.summary:
            self._runner.summarize("\n".join(("## Scheduled watch", "", *lines, "")))
        alarmed = any(one.reading.level is Level.ALERT for one in found.lineages)
        verdict = "needs_review" if alarmed else "approved"
        self._runner.outputs({"verdict": verdict, "cost-usd": str(found.cost_usd), "calls": str(found.calls)})
        return Exit.PASS

    def _measured(self) -> WatchRun:
        branch = self._host.default_branch()
        sha = self._host.branch(branch)
        pull_request = PullRequest(
            base_ref=branch, base_sha=sha, head_ref=branch, head_sha=sha, trust=Trust.SAME_REPOSITORY,
            repository=self._environment.repository,
        )  # fmt: skip
        self._tree.fetch(pull_request.commits)
        self._runner.say(f"Watching the prompts of {branch} at {sha[:12]}.")
        prepared = self._prepared(pull_request)
        names = dict.fromkeys(entry.change.name for entry in prepared.entries)
        return run_async(self._run(prepared, {name: self._generation(name) for name in names}))

    def _prepared(self, pull_request: PullRequest) -> Prepared:
        from action.pipeline import new_renderer
        from adapters.prices import GenaiPrices
        from adapters.scorer.client import IsolatedScorers
        from engine.pipeline import look
        from engine.planning.prepared import plan
        from engine.watch.alone import alone

        detection = alone(look(self._tree, pull_request, alone=True))
        with closing(new_renderer()) as renderer:
            return plan(pull_request, detection, renderer, GenaiPrices(), IsolatedScorers.of(self._variables))

    async def _run(self, prepared: Prepared, generations: Mapping[str, int]) -> WatchRun:
        from adapters.call_process.client import Caller
        from adapters.clock import SystemClock
        from engine.runner.access import Access
        from engine.watch.once import watch_once

        clock, store = SystemClock(), open_kept(Path(self._environment.store), self._runner.say)
        caller = Caller()
        access = Access(lambda model: caller.provider(model, self._variables), clock)
        try:
            with closing(prepared):
                return await watch_once(
                    prepared, access=access, store=store, clock=clock, repository=self._environment.repository,
                    generations=generations, kept=[kept for _, kept in store.plans()],
                )  # fmt: skip
        finally:
            await access.aclose()
            await store.aclose()

    # -- issues

    def _id(self, lineage: str) -> str:
        return digest_of(["watch", self._environment.repository, lineage])[:24]

    def _generation(self, lineage: str) -> int:
        """Returns how many issues of a watch people closed: each time, they took the present for normal."""
        closed = [one for one in self._issues(lineage) if not one.is_open]
        return sum(self._host.issue(one.number).closed_by != self._host.login for one in closed)

    def _issues(self, lineage: str) -> tuple[HostedIssue, ...]:
        return self._host.find_issues(marker(self._id(lineage)), EVER)

    def _tell(self, one: LineageWatch) -> None:
        try:
            self._write(one)
        except PermissionMissing as error:
            self._runner.warn(f"{one.lineage}: no issue was written: {error}")
        except HostError as error:
            self._runner.warn(f"{one.lineage}: the issue is not up to date: {error}")

    def _write(self, one: LineageWatch) -> None:
        """Opens, updates or closes the issue of a prompt. May be repeated: each step looks first."""
        there = next((issue for issue in self._issues(one.lineage) if issue.is_open), None)
        alarmed = one.standing.state is AlertState.ALERT
        if there is None and not alarmed:
            return
        opened = one.standing.since or one.reading.day
        note = self._note(one, opened, ended=None if alarmed else one.reading.day)
        if there is None:
            # The day makes each alert's marker its own. Found again, it is the issue of this very alert.
            made = self._host.open_issue(title(note), issue_text(note), marker(note.id), EVER)
            self._runner.say(f"{one.lineage}: {made.url}")
            return
        # An issue that is open already keeps its marker: its alert goes on, even if the cache was lost meanwhile.
        kept = there.body.split("\n", 1)[0].removesuffix(" -->").removeprefix(marker("")).strip()
        note = note.model_copy(update={"id": kept, "opened": _day(kept) or note.opened})
        told = one.standing.told
        if not alarmed:
            self._host.comment(there.number, ending_text(note), ending_marker(note.id))
        elif told is not None and told != opened:
            self._host.comment(there.number, reminder_text(note, told), reminder_marker(note.id, told))
        self._host.write_issue(there.number, body=issue_text(note), is_open=None if alarmed else False)

    def _note(self, one: LineageWatch, opened: date, *, ended: date | None) -> AlertNote:
        return AlertNote(
            id=f"{self._id(one.lineage)} {opened.isoformat()}",
            repository=self._environment.repository,
            lineage=one.lineage,
            question=Question.WATCH,
            opened=opened,
            reading=one.reading,
            ended=ended,
            page=self._environment.run_url,
        )


def _day(kept: str) -> date | None:
    """Returns the day in an alert's id."""
    try:
        return date.fromisoformat(kept.rpartition(" ")[2])
    except ValueError:
        return None
