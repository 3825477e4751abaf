"""The engine with the Action's adapters: partial repository, sandbox, prices, providers, outcome store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from action.stored_answers import open_kept
from engine.approvals.content_digest import changed_paths, content_digest
from engine.pipeline import World, prepare
from engine.runner.preparation import PreparedRun

if TYPE_CHECKING:
    from adapters.sandbox import SandboxedRenderer
    from schemas.ports import Clock, SourceTree
    from schemas.pullrequests import PullRequest
    from schemas.scorecard import Scorecard

PROGRESS_S = 20.0
"""Seconds between two lines of progress in the log."""
FORK_NOTICE = (
    "This pull request comes from a fork, so no model was called. To measure exactly this commit, a maintainer reviews "
    "it and then dispatches the workflow with pull-request `{number}` and head-sha `{sha}`."
)


@dataclass(frozen=True)
class LivePipeline:
    """``action.job.Pipeline`` with the real adapters. ``variables`` hold the operator's keys."""

    tree: SourceTree
    store: str
    variables: Mapping[str, str]

    def prepare(self, pull_request: PullRequest) -> ActionPreparation:
        """Detects and plans; spends nothing. Raises SourceError and ConfigError."""
        from adapters.prices import GenaiPrices
        from adapters.scorer.client import IsolatedScorers

        scorers = IsolatedScorers.of(self.variables)  # the plan keeps it for the run
        with closing(new_renderer()) as renderer:
            prepared = prepare(pull_request, World(self.tree, renderer, GenaiPrices(), scorers))
        changes = changed_paths(self.tree, pull_request, prepared.detection.merge)
        return ActionPreparation(prepared, content_digest(prepared, changes), FORK_NOTICE, self)


@dataclass(frozen=True)
class ActionPreparation(PreparedRun):
    """``engine.runner.preparation.Preparation`` of one run of the Action."""

    pipeline: LivePipeline

    async def measure(self, report: Callable[[str], None]) -> Scorecard:
        """Runs the planned measurements, with the outcome store in the Action's home. Raises StoreError."""
        from adapters.call_process.client import Caller
        from adapters.clock import SystemClock
        from engine.records.outcome_table import outcome_table
        from engine.records.trend import stored_trends, trend_rows, with_trends
        from engine.runner.access import Access

        if not self.calls:
            return self.static()
        clock = SystemClock()
        store = open_kept(Path(self.pipeline.store), report)
        caller = Caller()
        access = Access(lambda model: caller.provider(model, self.pipeline.variables), clock)
        try:
            with closing(new_renderer()) as renderer:
                found = await self.run(
                    access=access, store=store, clock=clock, report=_now_and_then(report, clock), renderer=renderer
                )
            # Kept in the store, whose file the sample workflow uploads.
            for record in found.records:
                await store.keep_plan(*outcome_table(record))
            number = self.prepared.pull_request.number
            # The cache that a pull request restores has the answers of merged pull requests, and of itself.
            earlier = stored_trends(kept for _, kept in store.plans())
            for row in trend_rows(found.scorecard, number, clock.utc()) if number is not None else ():
                await store.keep_plan(*row)
        finally:
            await access.aclose()
            await store.aclose()
        return with_trends(found.scorecard, earlier, number)


def new_renderer() -> SandboxedRenderer:
    """Returns a sandbox for templates."""
    from adapters.sandbox import SandboxedRenderer
    from engine.readers.dialects import fill_in

    return SandboxedRenderer(fill_in)


def _now_and_then(report: Callable[[str], None], clock: Clock) -> Callable[[str], None]:
    """Passes on one line of progress every ``PROGRESS_S`` seconds, since the log of a job can't be overwritten."""
    last = clock.monotonic()

    def maybe(line: str) -> None:
        nonlocal last
        if clock.monotonic() - last >= PROGRESS_S:
            last = clock.monotonic()
            report(line)

    return maybe
