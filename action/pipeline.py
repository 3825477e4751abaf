"""The engine with the Action's world plugged in: partial repository, sandbox, prices, providers, store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from action.evidence import open_kept
from engine.approvals.content_digest import changed_paths, content_digest
from engine.approvals.trust import budget_usd
from engine.pipeline import Prepared, World, measure, prepare, static, waiting
from engine.render.progress import progress_line, progress_of
from engine.render.progress import running as running_comment
from schemas.pullrequests import Trust

if TYPE_CHECKING:
    from decimal import Decimal

    from engine.runner.experiment import Progress
    from schemas.config import CommentPolicy
    from schemas.experiments import ExperimentRecord as Record
    from schemas.ports import SourceTree
    from schemas.pullrequests import PullRequest
    from schemas.scorecard import Scorecard

EVERY_S = 20.0
"""Seconds between lines of progress."""
WAITS = (
    "This comes from a fork, so nothing was called: a maintainer who has looked at it dispatches the workflow with "
    "pull-request {number} and head-sha {sha}, which approves exactly this commit."
)


@dataclass(frozen=True)
class LivePipeline:
    """``action.job.Pipeline``: the real one. ``variables`` hold the operator's keys."""

    tree: SourceTree
    store: str
    variables: Mapping[str, str]

    def prepare(self, pull_request: PullRequest) -> LivePreparation:
        """Detects and plans; spends nothing."""
        from adapters.prices import GenaiPrices
        from adapters.sandbox import SandboxedRenderer
        from engine.readers.dialects import fill_in

        with closing(SandboxedRenderer(fill_in)) as sandbox:
            prepared = prepare(pull_request, World(self.tree, sandbox, GenaiPrices()))
        return LivePreparation(prepared, self)


@dataclass(frozen=True)
class LivePreparation:
    """``action.job.Preparation``: what the engine prepared."""

    prepared: Prepared
    pipeline: LivePipeline

    @property
    def runs(self) -> bool:
        """Whether anything is to be measured."""
        return self.prepared.runs

    @property
    def comment(self) -> CommentPolicy:
        """From base's configuration."""
        return self.prepared.detection.comment

    @property
    def content_digest(self) -> str:
        """Of every request, test, policy and reason, and of the changed files that the gate lies in."""
        prepared = self.prepared
        return content_digest(
            prepared, changed_paths(self.pipeline.tree, prepared.pull_request, prepared.detection.merge)
        )

    def static(self) -> Scorecard:
        """Without a call. A fork's scorecard says how a maintainer has it measured."""
        pull_request = self.prepared.pull_request
        if pull_request.trust is not Trust.FORK or not self.runs:
            return static(self.prepared)
        return waiting(self.prepared, WAITS.format(number=pull_request.number, sha=pull_request.head_sha))

    @property
    def budget_usd(self) -> Decimal:
        """What this run may spend."""
        return budget_usd(self.prepared.detection.budget_usd, self.prepared.pull_request.trust)

    def running(self) -> str:
        """The comment while it is measured."""
        return running_comment(progress_of(self.prepared, 0, 0.0, self.budget_usd))

    async def measure(self, log: Callable[[str], None]) -> Scorecard:
        """Runs what is planned, with the outcome store in the action's home."""
        from adapters.call_process.client import Caller
        from adapters.clock import SystemClock
        from engine.records.outcome_table import outcome_table
        from engine.runner.access import Access

        clock = SystemClock()
        store = open_kept(Path(self.pipeline.store), log)
        caller = Caller()
        access = Access(lambda model: caller.provider(model, self.pipeline.variables), clock)
        last = clock.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal last
            if clock.monotonic() - last >= EVERY_S:
                last = clock.monotonic()
                log(progress_line(progress_of(self.prepared, progress.made, progress.spent_usd, self.budget_usd)))

        records: list[Record] = []
        try:
            card = await measure(
                self.prepared,
                access=access,
                store=store,
                clock=clock,
                budget_usd=self.budget_usd,
                on_progress=tell,
                on_record=records.append,
            )
            for record in records:
                await store.keep_plan(*outcome_table(record))
        finally:
            await access.aclose()
            await store.aclose()
        return card
