"""Runs a prepared pull request to its verdict, for both the Action and the bot."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from engine.approvals.trust import budget_usd
from engine.pipeline import OnOutcome, OnTexts, measure, static, waiting
from engine.planning.prepared import Prepared
from engine.render.progress import progress_line, progress_of
from engine.render.progress import running as running_comment
from schemas.pullrequests import Trust

if TYPE_CHECKING:
    from engine.runner.access import Access
    from engine.runner.budget import SpendingCap
    from engine.runner.experiment import Progress
    from schemas.config import CommentPolicy
    from schemas.experiments import ExperimentRecord
    from schemas.ports import Clock, OutcomeStore, TemplateRenderer
    from schemas.scorecard import Scorecard

Verdict_co = TypeVar("Verdict_co", covariant=True)


class Preparation(Protocol[Verdict_co]):
    """Everything known before the first model call. ``Verdict_co`` is the shell's own result type."""

    @property
    def content_digest(self) -> str:
        """Digest of everything that a verdict or its approval depends on."""
        ...

    @property
    def comment(self) -> CommentPolicy:
        """When to write the comment, from the base's configuration."""
        ...

    def running(self) -> str | None:
        """Returns the comment to show during the measurement, or ``None`` if no model will be called."""
        ...

    async def measure(self, report: Callable[[str], None]) -> Verdict_co:
        """Runs the planned measurements, if any. ``report`` receives lines of progress."""
        ...


class Measurement(NamedTuple):
    """A scorecard and the records from which it can be decided again."""

    scorecard: Scorecard
    records: tuple[ExperimentRecord, ...]


@dataclass(frozen=True)
class PreparedRun:
    """The base of both shells' ``Preparation``."""

    prepared: Prepared
    content_digest: str
    fork_notice: str
    """Tells a maintainer how to approve the run of a fork. May contain ``{number}`` and ``{sha}``."""

    @property
    def comment(self) -> CommentPolicy:
        """When to write the comment, from the base's configuration."""
        return self.prepared.detection.comment

    @property
    def calls(self) -> bool:
        """Whether models will be called. An unapproved fork never causes a call."""
        return self.prepared.runs and self.prepared.pull_request.trust is not Trust.FORK

    @property
    def configured_usd(self) -> Decimal:
        """The budget from the base's configuration, or a quarter of it for an approved fork."""
        return budget_usd(self.prepared.detection.budget_usd, self.prepared.pull_request.trust)

    @property
    def cap_usd(self) -> Decimal:
        """The most that this run may spend."""
        return self.configured_usd

    def static(self) -> Scorecard:
        """Returns the scorecard without any call. For a fork, it says how a maintainer starts the measurement."""
        pull_request = self.prepared.pull_request
        # Code from a fork must not spend the operator's money before a maintainer has seen it.
        if pull_request.trust is Trust.FORK and self.prepared.runs:
            notice = self.fork_notice.format(number=pull_request.number, sha=pull_request.head_sha)
            return waiting(self.prepared, notice)
        return static(self.prepared)

    def running(self) -> str | None:
        """Returns the comment to show during the measurement, or ``None`` if no model will be called."""
        return running_comment(progress_of(self.prepared, 0, 0.0, self.cap_usd)) if self.calls else None

    async def run(
        self,
        *,
        access: Access,
        store: OutcomeStore,
        clock: Clock,
        report: Callable[[str], None],
        renderer: TemplateRenderer,
        within: SpendingCap | None = None,
        on_texts: OnTexts | None = None,
        on_outcome: OnOutcome | None = None,
        on_step: Callable[[Progress], None] | None = None,
    ) -> Measurement:
        """Runs every experiment, and explains what is not approved. ``within`` is a budget that other runs share.
        ``on_texts`` receives the texts of each experiment, ``on_outcome`` each outcome as it comes, and ``on_step``
        what ``report`` gets as a line.

        Raises StoreError.
        """
        from engine.blame.explain import Explainer

        records: list[ExperimentRecord] = []

        def on_progress(progress: Progress) -> None:
            if on_step is not None:
                on_step(progress)
            report(progress_line(progress_of(self.prepared, progress.made, progress.spent_usd, self.cap_usd)))

        with closing(self.prepared):
            scorecard = await measure(
                self.prepared,
                access=access,
                store=store,
                clock=clock,
                budget_usd=self.configured_usd,
                within=within,
                explainer=Explainer(renderer),
                on_progress=on_progress,
                on_record=records.append,
                on_texts=on_texts,
                on_outcome=on_outcome,
            )
        return Measurement(scorecard, tuple(records))
