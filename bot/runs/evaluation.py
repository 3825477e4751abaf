"""The engine with the bot's world plugged in: cached copies of repositories, the operator's keys, the shared store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bot.runs.provenance import measured_of
from bot.runs.spending_caps import SpendingCaps
from bot.store.repository_outcomes import RepositoryOutcomes
from engine.content import changed_paths, content_digest
from engine.pipeline import look, measure, plan, static, waiting
from engine.render.progress import progress_line, progress_of
from engine.render.progress import running as running_comment
from engine.trust import budget_usd
from schemas.errors import ConfigError, SourceError
from schemas.pullrequests import PullRequest, Trust
from schemas.trees import Merge

if TYPE_CHECKING:
    from decimal import Decimal

    from adapters.remote import RemoteRepository
    from adapters.store import CommittedStore
    from bot.runs.source_cache import SourceCache
    from bot.settings import Settings
    from bot.store.records import Records
    from bot.store.values import Measured, RepositoryRef
    from engine.pipeline import Prepared
    from engine.runner.access import Access
    from engine.runner.experiment import Progress
    from schemas.config import CommentPolicy
    from schemas.detection import Detection
    from schemas.experiments import Experiment
    from schemas.host import Sha
    from schemas.ports import Clock
    from schemas.scorecard import Scorecard
    from schemas.trees import TreeChange

WAITS = (
    "This comes from a fork, so nothing was called: a maintainer who has looked at it has exactly this commit measured "
    "with the comment «/verdict approve-run {sha}»."
)


@dataclass(frozen=True)
class Evaluated:
    """What a run came to."""

    scorecard: Scorecard
    measured: tuple[Measured, ...] = ()
    """What it was made from."""


class Preparation(Protocol):
    """What is known before the first call."""

    @property
    def content_digest(self) -> str:
        """Of everything that a verdict or its acceptance depends on."""
        ...

    @property
    def comment(self) -> CommentPolicy:
        """When the comment is written, from base."""
        ...

    def static(self) -> Scorecard:
        """The scorecard without a single call."""
        ...

    def running(self) -> str | None:
        """The comment while it is measured; ``None`` where nothing is."""
        ...

    async def measure(self, tell: Callable[[str], None]) -> Evaluated:
        """Runs what is planned; ``tell`` is given a line of progress after each step."""
        ...


class Evaluation(Protocol):
    """Pull requests in, scorecards out."""

    def prepare(self, repo: RepositoryRef, pull_request: PullRequest) -> Preparation:
        """Fetches, detects and plans; spends nothing. Blocks."""
        ...

    def concerns(self, repo: RepositoryRef, base_ref: str, before: Sha, after: Sha) -> frozenset[str] | None:
        """Names of the lineages that differ between two tips of a base branch; ``None``: any may. Blocks."""
        ...

    @property
    def store(self) -> CommittedStore:
        """The outcome store of all workers."""
        ...

    async def aclose(self) -> None:
        """Closes what all runs share."""
        ...


class LiveEvaluation:
    """``Evaluation``: the real one. Everything that runs of one process share is opened at their first call."""

    def __init__(self, settings: Settings, records: Records, sources: SourceCache, clock: Clock) -> None:
        self.settings = settings
        self.records = records
        self.sources = sources
        self.clock = clock
        self._access: Access | None = None
        self._store: CommittedStore | None = None
        self._opening = threading.Lock()
        self.spending_caps = SpendingCaps(records, settings.caps, clock)

    @property
    def access(self) -> Access:
        """Providers, and one limiter for each key."""
        if self._access is None:
            from adapters.providers.caller import Caller
            from engine.runner.access import Access

            caller = Caller()  # one for the worker: a key has one limiter in it, and one client
            self._access = Access(lambda model: caller.provider(model, self.settings.variables_for(model)), self.clock)
        return self._access

    @property
    def store(self) -> CommittedStore:
        """The outcome store of all workers."""
        from adapters.store import open_store

        with self._opening:
            if self._store is None:
                self._store = open_store(self.settings.outcomes_url)
            return self._store

    def prepare(self, repo: RepositoryRef, pull_request: PullRequest) -> LivePreparation:
        """Fetches, detects and plans; spends nothing. While it plans, others may use the copy of the repository."""
        from adapters.jail import ORDINARY, STRANGERS, JailedRenderer
        from adapters.prices import GenaiPrices
        from engine.templates import fill_in

        def read(tree: RemoteRepository) -> tuple[Detection, tuple[TreeChange, ...]]:
            tree.fetch((pull_request.base_sha, pull_request.head_sha))
            detection = look(tree, pull_request)
            return detection, changed_paths(tree, pull_request, detection.merge)

        detection, changes = self.sources.read(repo, read)
        bounds = STRANGERS if pull_request.trust is Trust.FORK else ORDINARY
        with closing(JailedRenderer(fill_in, bounds=bounds)) as jail:
            prepared = plan(pull_request, detection, jail, GenaiPrices(at_least_listed=True))
        return LivePreparation(prepared, content_digest(prepared, changes), repo, self)

    def concerns(self, repo: RepositoryRef, base_ref: str, before: Sha, after: Sha) -> frozenset[str] | None:
        """Names of the lineages that differ between two tips of a base branch; ``None``: any may, or it can't be told.

        Raises HostError.
        """
        from engine.base_moves import concerned_lineages
        from engine.detect import detect

        move = PullRequest(
            base_ref=base_ref, base_sha=before, head_ref=base_ref, head_sha=after, trust=Trust.SAME_REPOSITORY
        )

        def read(tree: RemoteRepository) -> Detection:
            tree.fetch((before, after))
            return detect(tree, move, Merge(tree=after, bases=(before,)))

        try:
            return concerned_lineages(self.sources.read(repo, read))
        except (ConfigError, SourceError):  # a configuration that can't be read, or a tip that was forced away
            return None

    async def aclose(self) -> None:
        """Closes providers and store."""
        if self._access is not None:
            await self._access.aclose()
        if self._store is not None:
            await self._store.aclose()


@dataclass(frozen=True)
class LivePreparation:
    """``Preparation``: what the engine prepared."""

    prepared: Prepared
    content_digest: str
    repo: RepositoryRef
    evaluation: LiveEvaluation

    def static(self) -> Scorecard:
        """Without a call. A fork's scorecard says how a maintainer has it measured."""
        pull_request = self.prepared.pull_request
        if pull_request.trust is Trust.FORK and self.prepared.runs:
            return waiting(self.prepared, WAITS.format(sha=pull_request.head_sha))
        return static(self.prepared)

    @property
    def comment(self) -> CommentPolicy:
        """From base's configuration."""
        return self.prepared.detection.comment

    @property
    def _configured(self) -> Decimal:
        return budget_usd(self.prepared.detection.budget_usd, self.prepared.pull_request.trust)

    @property
    def _cap(self) -> Decimal:
        return min(self._configured, self.evaluation.settings.caps.run)

    @property
    def _calls(self) -> bool:
        return bool(self.prepared.runs) and self.prepared.pull_request.trust is not Trust.FORK

    def running(self) -> str | None:
        """What is planned, and that it is under way."""
        return running_comment(progress_of(self.prepared, 0, 0.0, self._cap)) if self._calls else None

    async def measure(self, tell: Callable[[str], None]) -> Evaluated:
        """Runs what is planned, where anything is and its author may have it run."""
        if not self._calls:
            return Evaluated(self.static(), measured_of(self.prepared, ()))
        evaluation = self.evaluation
        found: list[Experiment] = []

        def on_progress(progress: Progress) -> None:
            tell(progress_line(progress_of(self.prepared, progress.made, progress.spent_usd, self._cap)))

        async with evaluation.spending_caps.open(self.repo.repository_id) as budget:
            scorecard = await measure(
                self.prepared,
                access=evaluation.access,
                store=RepositoryOutcomes(evaluation.store, evaluation.records, self.repo, evaluation.clock),
                clock=evaluation.clock,
                budget_usd=self._configured,
                within=budget,
                on_progress=on_progress,
                on_record=found.append,
            )
        return Evaluated(scorecard, measured_of(self.prepared, found))
