"""The engine with the Action's world plugged in: partial repository, jail, prices, providers, store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.pipeline import Prepared, World, measure, prepare, static
from engine.render.progress import Progress as Shown
from engine.render.progress import progress_line
from engine.render.progress import running as running_comment
from schemas.pullrequests import Trust
from schemas.scorecard import Reason, ReasonCode, VerdictStatus
from schemas.values import digest_of

if TYPE_CHECKING:
    from decimal import Decimal

    from engine.experiment import Progress
    from schemas.config import CommentPolicy
    from schemas.host import Sha
    from schemas.ports import SourceTree
    from schemas.pullrequests import PullRequest
    from schemas.scorecard import Scorecard

EVERY_S = 20.0
"""Seconds between lines of progress."""
FORKS_SHARE = 4
"""An approved fork may spend a quarter of the configured cap: one commit was looked at, its author is a stranger."""
GATE_FILES = (".github/", "promptverdict.yaml", "promptverdict.yml")
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

    def prepare(self, pull_request: PullRequest, merge_base: Sha | None) -> LivePreparation:
        """Detects and plans; spends nothing."""
        from adapters.jail import JailedRenderer
        from adapters.prices import GenaiPrices
        from engine.templates import fill_in

        with closing(JailedRenderer(fill_in)) as jail:
            prepared = prepare(pull_request, merge_base, World(self.tree, jail, GenaiPrices()))
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
        named = {change.path for entry in prepared.entries for change in entry.change.changes if change.path}
        start = prepared.merge_base or prepared.pull_request.base_sha
        sides = (
            (change.before if change.after is None else change.after, change.after is None)
            for change in self.pipeline.tree.changes(start, prepared.pull_request.head_sha)
        )
        blobs = sorted(
            (entry.path, entry.mode, "" if removed else entry.blob)
            for entry, removed in sides
            if entry is not None and (entry.path in named or _belongs_to_gate(entry.path))
        )
        entries = [
            [entry.change.name, entry.model, entry.plan.digest if entry.plan else None, _dumped(entry.change.reasons)]
            for entry in prepared.entries
        ]
        policy = [change.sentence for change in prepared.detection.policy]
        return digest_of([entries, policy, _dumped(prepared.detection.reasons), blobs])

    def static(self) -> Scorecard:
        """Without a call. A fork's scorecard says how a maintainer has it measured."""
        pull_request = self.prepared.pull_request
        if pull_request.trust is not Trust.FORK or not self.runs:
            return static(self.prepared)
        sentence = WAITS.format(number=pull_request.number, sha=pull_request.head_sha)
        return static(
            self.prepared,
            Reason(code=ReasonCode.UNTRUSTED, status=VerdictStatus.NEEDS_APPROVAL, sentence=sentence),
        )

    @property
    def budget_usd(self) -> Decimal:
        """What this run may spend."""
        configured = self.prepared.detection.budget_usd
        return configured / FORKS_SHARE if self.prepared.pull_request.trust is Trust.FORK_APPROVED else configured

    def running(self) -> str:
        """The comment while it is measured."""
        return running_comment(self._shown(0, 0.0))

    async def measure(self, log: Callable[[str], None]) -> Scorecard:
        """Runs what is planned, with the outcome store in the action's home."""
        from pathlib import Path

        from adapters.clock import SystemClock
        from adapters.providers.registry import provider_for
        from adapters.store import open_store
        from engine.access import Access

        clock = SystemClock()
        Path(self.pipeline.store).parent.mkdir(parents=True, exist_ok=True)
        store = open_store(self.pipeline.store)
        access = Access(lambda model: provider_for(model, self.pipeline.variables), clock)
        last = clock.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal last
            if clock.monotonic() - last >= EVERY_S:
                last = clock.monotonic()
                log(progress_line(self._shown(progress.made, progress.spent_usd)))

        try:
            return await measure(
                self.prepared,
                access=access,
                store=store,
                clock=clock,
                budget_usd=self.budget_usd,
                on_progress=tell,
            )
        finally:
            await access.aclose()
            await store.aclose()

    def _shown(self, done: int, spent_usd: float | Decimal) -> Shown:
        plans = [entry.plan for entry in self.prepared.entries if entry.plan is not None]
        return Shown(
            base_sha=self.prepared.pull_request.base_sha,
            head_sha=self.prepared.pull_request.head_sha,
            lineages=tuple(dict.fromkeys(plan.lineage for plan in plans)),
            done=done,
            planned=sum(estimate.calls for plan in plans for estimate in plan.estimates.values()),
            spent_usd=str(spent_usd),
            budget_usd=self.budget_usd,
        )


def _dumped(reasons: tuple[Reason, ...]) -> list[object]:
    return [reason.model_dump(mode="json") for reason in reasons]


def _belongs_to_gate(path: str) -> bool:
    return path.startswith(GATE_FILES[0]) or path.rpartition("/")[2] in GATE_FILES[1:]
