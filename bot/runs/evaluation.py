"""The engine with the bot's adapters: cached repositories, the operator's keys, the shared outcome store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from bot.runs.experiment_models import on_models
from bot.runs.improving import ImproveBudget, Improving
from bot.runs.provenance import Texts, merged_points, packed, provenance_of
from bot.runs.spending_caps import SpendingCaps
from bot.store.paid_outcomes import PaidOutcomes
from bot.store.repository_outcomes import RepositoryOutcomes
from engine.approvals.content_digest import changed_paths, content_digest
from engine.detection.edited_tree import EditedTree
from engine.detection.files import Files
from engine.pipeline import look
from engine.planning.prepared import plan as plan_experiments
from engine.playground.draft import on_cases
from engine.playground.opened import opened
from engine.prompt_edits import NotEditableError
from engine.records.trend import with_trends
from engine.runner.preparation import Preparation, PreparedRun
from engine.watch.alone import asks_of
from engine.watch.fresh_answers import FreshAnswers
from schemas.errors import ConfigError, SourceError
from schemas.pullrequests import PullRequest, Trust
from schemas.trees import Merge

if TYPE_CHECKING:
    from decimal import Decimal

    from adapters.git.remote import RemoteRepository
    from adapters.sandbox import SandboxedRenderer
    from adapters.store.committer import CommittedStore
    from bot.runs.answers import AnswerLog
    from bot.runs.source_cache import SourceCache
    from bot.settings import Settings
    from bot.store.records import Records
    from bot.store.values import ExperimentRequest, Measured, RepositoryRef
    from engine.playground.draft import DraftEdit
    from engine.runner.access import Access
    from schemas.case_texts import CaseTexts
    from schemas.detection import Detection
    from schemas.host import Sha
    from schemas.ports import Clock
    from schemas.scorecard import Scorecard
    from schemas.trees import TreeChange

FORK_NOTICE = (
    "This pull request comes from a fork, so no model was called. To measure exactly this commit, a maintainer reviews "
    "it and then comments `/verdict approve-run {sha}`."
)


@dataclass(frozen=True)
class Evaluated:
    """The result of a run."""

    scorecard: Scorecard
    measured: tuple[Measured, ...] = ()
    """The inputs of the verdict."""
    served: Mapping[tuple[str, str], Mapping[tuple[str, str | None], int]] = field(default_factory=dict)
    """By lineage and model, of a run without earlier answers: answers by model and fingerprint as served."""


class WatchedPreparation(Preparation[Evaluated], Protocol):
    """A preparation whose run a person watches."""

    async def measure(self, report: Callable[[str], None], watched: AnswerLog | None = None) -> Evaluated:
        """Runs the planned measurements. ``watched`` receives every outcome as it comes, and may cap the run."""
        ...


class Evaluation(Protocol):
    """Turns pull requests into scorecards."""

    def prepare(self, repo: RepositoryRef, pull_request: PullRequest) -> Preparation[Evaluated]:
        """Fetches, detects and plans; spends nothing. Blocks."""
        ...

    def prepare_experiment(
        self, repo: RepositoryRef, pull_request: PullRequest, request: ExperimentRequest
    ) -> WatchedPreparation:
        """Plans a prompt of one commit, alone, on the requested models; spends nothing. Blocks."""
        ...

    def prepare_draft(
        self, repo: RepositoryRef, pull_request: PullRequest, lineage: str, draft: DraftEdit
    ) -> WatchedPreparation:
        """Plans a draft of a prompt as the check of a pull request would; spends nothing. Blocks."""
        ...

    def plan(
        self, repo: RepositoryRef, pull_request: PullRequest, detection: Detection, *, fresh: str | None = None
    ) -> Preparation[Evaluated]:
        """Plans changes that were found in another way than between two commits; spends nothing. Blocks.

        ``fresh``: no stored answers are used but those of runs with the same mark.
        """
        ...

    def changed_prompts(self, repo: RepositoryRef, base_ref: str, before: Sha, after: Sha) -> frozenset[str] | None:
        """Returns the names of the prompts that differ between two tips of a base; ``None`` if any may. Blocks."""
        ...

    def improving(self, repo: RepositoryRef, budget: ImproveBudget) -> AbstractAsyncContextManager[Improving]:
        """Opens what a search for a better prompt needs, within the operator's caps. Raises StoreError."""
        ...

    @property
    def store(self) -> CommittedStore:
        """The outcome store that all workers share."""
        ...

    async def aclose(self) -> None:
        """Closes everything that runs share."""
        ...


class LiveEvaluation:
    """``Evaluation`` with the real adapters. The first run opens what all runs of the process share."""

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
        """The model providers, with one rate limiter per key."""
        if self._access is None:
            from adapters.call_process.client import Caller
            from engine.runner.access import Access

            caller = Caller()  # one for all runs: they share each key's rate limiter and its connections
            self._access = Access(lambda model: caller.provider(model, self.settings.variables_for(model)), self.clock)
        return self._access

    @property
    def store(self) -> CommittedStore:
        """The outcome store that all workers share."""
        from adapters.store import open_store

        # Several runs may start at once in different threads, and the store must be opened only once.
        with self._opening:
            if self._store is None:
                self._store = open_store(self.settings.outcomes_url, repairs=True)
            return self._store

    def prepare(self, repo: RepositoryRef, pull_request: PullRequest) -> RunPreparation:
        """Fetches, detects and plans; spends nothing. Raises SourceError, ConfigError, HostError and StoreError.

        Only fetching and detecting hold the cached repository: planning renders every prompt and may take long.
        """

        def read(tree: RemoteRepository) -> tuple[Detection, tuple[TreeChange, ...]]:
            tree.fetch(pull_request.commits)
            detection = look(tree, pull_request)
            return detection, changed_paths(tree, pull_request, detection.merge)

        return self._planned(repo, pull_request, *self.sources.read(repo, read))

    def plan(
        self, repo: RepositoryRef, pull_request: PullRequest, detection: Detection, *, fresh: str | None = None
    ) -> RunPreparation:
        """Plans changes that were found in another way than between two commits; spends nothing.

        ``fresh``: no stored answers are used but those of runs with the same mark.
        """
        return replace(self._planned(repo, pull_request, detection, ()), fresh=fresh)

    def prepare_experiment(
        self, repo: RepositoryRef, pull_request: PullRequest, request: ExperimentRequest
    ) -> RunPreparation:
        """Plans a prompt of one commit on the requested models. Raises as ``prepare``, and ConfigError for a request
        that the commit doesn't fit."""

        def read(tree: RemoteRepository) -> Detection:
            tree.fetch(pull_request.commits)
            return look(tree, pull_request, only=[request.lineage], alone=True)

        return self.plan(repo, pull_request, on_models(self.sources.read(repo, read), request))

    def prepare_draft(
        self, repo: RepositoryRef, pull_request: PullRequest, lineage: str, draft: DraftEdit
    ) -> RunPreparation:
        """Plans a draft of a prompt as the check of a pull request would. Raises as ``prepare``, and ConfigError for a
        draft that the commit doesn't fit."""
        base = pull_request.base_sha

        def read(tree: RemoteRepository) -> tuple[PullRequest, Detection]:
            tree.fetch((base,))
            prompt = opened(Files(tree, base), look(tree, pull_request, only=[lineage], alone=True), lineage)
            try:
                edit = EditedTree(tree, base, prompt.edited(draft))
            except NotEditableError as error:
                raise ConfigError(f"the draft can't be written: {error}") from error
            edited = pull_request.model_copy(update={"head_ref": "draft", "head_sha": edit.edited})
            return edited, on_cases(look(edit, edited), lineage, draft)

        return self.plan(repo, *self.sources.read(repo, read))

    def _planned(
        self, repo: RepositoryRef, pull_request: PullRequest, detection: Detection, changes: Sequence[TreeChange]
    ) -> RunPreparation:
        from adapters.prices import GenaiPrices
        from adapters.scorer.client import IsolatedScorers

        # Of this run alone, so that no repository's slow scorer holds up another's. The plan keeps it.
        scorers = IsolatedScorers(trusted=self.settings.trust_scorers)
        with closing(_renderer(pull_request.trust)) as renderer:
            prepared = plan_experiments(pull_request, detection, renderer, GenaiPrices(at_least_listed=True), scorers)
        return RunPreparation(prepared, content_digest(prepared, changes), FORK_NOTICE, repo, self)

    @asynccontextmanager
    async def improving(self, repo: RepositoryRef, budget: ImproveBudget) -> AsyncIterator[Improving]:
        """Opens what a search for a better prompt needs, within the operator's caps. Raises StoreError."""
        from adapters.prices import GenaiPrices
        from adapters.scorer.client import IsolatedScorers
        from engine.improve.ports import Ports, Workshop
        from engine.runner.budget import SpendingCap

        scorers = IsolatedScorers(trusted=self.settings.trust_scorers)
        own = RepositoryOutcomes(self.store, self.records, repo, self.clock)
        async with self.spending_caps.open(repo.repository_id) as outer:
            # The repository's own commit, asked for by a person with write access.
            with closing(_renderer(Trust.SAME_REPOSITORY)) as renderer:
                cap = SpendingCap(budget.usd, within=outer, where="suggest.budget_usd")
                cap.spent = budget.spent_usd
                store = PaidOutcomes(own, budget.on_paid)
                ports = Ports(self.access, store, self.clock, renderer)
                world = Workshop(renderer, GenaiPrices(at_least_listed=True), scorers)
                yield Improving(world, ports, cap)

    def changed_prompts(self, repo: RepositoryRef, base_ref: str, before: Sha, after: Sha) -> frozenset[str] | None:
        """Returns the names of the prompts that differ between two tips of a base.

        Returns ``None`` if any prompt may differ, or if the tips can't be compared. Raises HostError.
        """
        from engine.detection.detect import detect
        from engine.publishing.base_moves import concerned_lineages

        # A move of the base looks like a pull request from the old tip to the new one.
        move = PullRequest(
            base_ref=base_ref, base_sha=before, head_ref=base_ref, head_sha=after, trust=Trust.SAME_REPOSITORY
        )

        def read(tree: RemoteRepository) -> Detection:
            tree.fetch((before, after))
            return detect(tree, move, Merge(tree=after, bases=(before,)))

        try:
            return concerned_lineages(self.sources.read(repo, read))
        # Unknown counts as affected: measuring once too often costs little, and a stale verdict may merge a regression.
        except (ConfigError, SourceError):  # an unreadable configuration, or a tip that was force-pushed away
            return None

    async def aclose(self) -> None:
        """Closes the providers and the store."""
        if self._access is not None:
            await self._access.aclose()
        if self._store is not None:
            await self._store.aclose()


@dataclass(frozen=True)
class RunPreparation(PreparedRun):
    """``engine.runner.preparation.Preparation`` of one run of the bot."""

    repo: RepositoryRef
    evaluation: LiveEvaluation
    fresh: str | None = None
    """The mark of answers that may be used. ``None``: all stored answers."""

    @property
    def cap_usd(self) -> Decimal:
        """The most that this run may spend: the configured budget, capped by the operator."""
        # A repository writes its own budget, and the operator pays.
        return min(self.configured_usd, self.evaluation.settings.caps.run)

    async def measure(self, report: Callable[[str], None], watched: AnswerLog | None = None) -> Evaluated:
        """Runs the planned measurements within the operator's caps. ``watched`` receives every outcome as it comes, and
        may cap the run further. Raises StoreError."""
        if not self.calls:
            return Evaluated(self.static(), provenance_of(self.prepared, ()))
        evaluation = self.evaluation
        texts: Texts = {}

        def keep(lineage: str, model: str, cases: Iterator[CaseTexts]) -> None:
            texts[lineage, model] = packed(cases)

        # Opened only for runs that call models: a static verdict needs no budget and must not fail for one.
        async with evaluation.spending_caps.open(self.repo.repository_id) as shared:
            budget = shared if watched is None else watched.within(shared)
            with closing(_renderer(self.prepared.pull_request.trust)) as renderer:
                store = RepositoryOutcomes(evaluation.store, evaluation.records, self.repo, evaluation.clock)
                answers = FreshAnswers(store, self.fresh, asks_of(self.prepared)) if self.fresh else None
                found = await self.run(
                    access=evaluation.access,
                    store=answers or store,
                    clock=evaluation.clock,
                    report=report,
                    renderer=renderer,
                    within=budget,
                    on_texts=keep,
                    on_outcome=None if watched is None else watched.outcome,
                    on_step=None if watched is None else watched.step,
                )
        measured = provenance_of(self.prepared, found.records, texts)
        card = await asyncio.to_thread(self._with_trends, found.scorecard, measured)
        return Evaluated(card, measured, answers.served if answers else {})

    def _with_trends(self, scorecard: Scorecard, measured: Sequence[Measured]) -> Scorecard:
        """Adds the verdicts on the last merged changes."""
        records, repository = self.evaluation.records, self.repo.repository_id
        names = dict.fromkeys(card.lineage for card in scorecard.lineages)
        history = {name: records.lineage_history(repository, name) for name in names}
        return with_trends(scorecard, merged_points(history, measured), self.prepared.pull_request.number)


def _renderer(trust: Trust) -> SandboxedRenderer:
    from adapters.sandbox import ORDINARY, STRANGERS, SandboxedRenderer
    from engine.readers.dialects import fill_in

    return SandboxedRenderer(fill_in, bounds=STRANGERS if trust is Trust.FORK else ORDINARY)
