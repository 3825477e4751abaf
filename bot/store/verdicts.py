"""Stores verdicts and their inputs: prompts, their versions, test sets, experiments, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError
from sqlalchemy import func
from sqlmodel import col, select

from bot.store.case_records import case_rows, keep_cases, without_cases
from bot.store.installations import gone, hold
from bot.store.runs import with_names
from bot.store.tables import Comparisons, Experiments, Lineages, PromptVersions, Runs, TestSetSnapshots, Verdicts
from bot.store.values import KeptVerdict, Measured, PromptVersion, RunKind, RunState, TestSetSnapshot
from schemas.experiments import ExperimentRecord
from schemas.scorecard import Scorecard

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.sql.expression import Select

    from bot.store.database import Database
    from schemas.effects import Effect
    from schemas.scorecard import LineageCard


Document = TypeVar("Document", Scorecard, ExperimentRecord)
MOST_SHOWN = 100
"""Verdicts of a pull request that can be approved. Older ones can't be approved."""


class VerdictRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def keep_verdict(
        self,
        run_id: str,
        scorecard: Scorecard,
        content_digest: str,
        *,
        at: datetime,
        measured: Sequence[Measured] = (),
        author: str | None = None,
        on_default: bool = False,
    ) -> bool:
        """Stores a verdict with everything that it was made from. ``author`` opened the pull request; ``on_default``:
        it goes to the default branch.

        Returns False if the run already has a verdict, which is kept: a step killed right after storing is repeated.
        Raises StoreError for a removed run.
        """
        made_of = {(one.lineage, one.model): one for one in measured}
        made = [made_of.get((card.lineage, card.model)) for card in scorecard.lineages]
        cases = [case_rows(card, of.texts if of else ()) for card, of in zip(scorecard.lineages, made, strict=True)]
        document, overview = scorecard.model_dump_json(), without_cases(scorecard).model_dump_json()
        with self._database.writing() as session:
            # Read before the lock only to learn which repository to lock. The row is read again under it.
            repository = session.exec(select(Runs.repository_id).where(col(Runs.id) == run_id)).first()
            if repository is None:
                raise gone(f"run {run_id}")
            hold(session, repository)
            run = session.exec(select(Runs).where(col(Runs.id) == run_id)).first()
            if run is None or run.sequence is None:
                raise gone(f"run {run_id}")
            if session.get(Verdicts, run.sequence) is not None:
                return False
            session.add(
                Verdicts(
                    run_sequence=run.sequence,
                    repository_id=run.repository_id,
                    status=scorecard.status.value,
                    passes=scorecard.passes,
                    content_digest=content_digest,
                    cost_usd=scorecard.spending.cost_usd,
                    judge_cost_usd=scorecard.spending.judge_cost_usd,
                    scorecard=document,
                    kept_at=at,
                    overview=overview,
                    author=author,
                    on_default=on_default,
                )
            )
            for card, of, rows in zip(scorecard.lineages, made, cases, strict=True):
                own = of or Measured(lineage=card.lineage, model=card.model)
                keep_cases(session, _keep_experiment(session, run, card, own, at), rows)
            return True

    def verdict(self, run_id: str) -> KeptVerdict | None:
        """Returns the verdict of a run; ``None`` if there is none yet, or retention deleted its document."""
        found = self._verdicts(select(Verdicts, Runs).where(col(Runs.id) == run_id))
        return found[0] if found else None

    def verdicts_of_head(self, repository_id: int, head_sha: str) -> list[KeptVerdict]:
        """Returns the newest verdict of this head for each pull request and base, in the order of the runs.

        Cancelled runs are left out. If the newest document was deleted, no older verdict replaces it.
        """
        newest = (
            select(func.max(Runs.sequence))
            .join(Verdicts, col(Verdicts.run_sequence) == col(Runs.sequence))
            .where(
                col(Runs.repository_id) == repository_id,
                col(Runs.head_sha) == head_sha,
                col(Runs.kind) == RunKind.PULL_REQUEST.value,
                # A cancelled run was superseded, so its verdict may be outdated.
                col(Runs.state) != RunState.CANCELLED.value,
            )
            .group_by(col(Runs.number), col(Runs.base_ref))
        )
        return self._verdicts(select(Verdicts, Runs).where(col(Runs.sequence).in_(newest)))

    def verdicts_shown(self, repository_id: int, number: int) -> list[KeptVerdict]:
        """Returns the last ``MOST_SHOWN`` verdicts that this pull request showed, in the order of its runs.

        ``run.shown_at`` says since when.
        """
        last = (
            select(Runs.sequence)
            .where(
                col(Runs.repository_id) == repository_id,
                col(Runs.number) == number,
                col(Runs.kind) == RunKind.PULL_REQUEST.value,
                # A verdict that was never shown can't have been approved.
                col(Runs.shown_at).is_not(None),
            )
            .order_by(col(Runs.sequence).desc())
            .limit(MOST_SHOWN)
        )
        return self._verdicts(select(Verdicts, Runs).where(col(Runs.sequence).in_(last)))

    def experiments(self, run_id: str) -> list[ExperimentRecord]:
        """Returns the records of a run's experiments, which can be decided again."""
        with self._database.reading() as session:
            found = session.exec(
                select(Experiments.record)
                .join(Runs, col(Runs.sequence) == col(Experiments.run_sequence))
                .where(col(Runs.id) == run_id, col(Experiments.record).is_not(None))
                .order_by(col(Experiments.id))
            ).all()
        return [record for text in found if (record := _understood(ExperimentRecord, text)) is not None]

    def _verdicts(self, wanted: Select[Verdicts, Runs]) -> list[KeptVerdict]:
        with self._database.reading() as session:
            found = session.exec(
                wanted.join(Runs, col(Runs.sequence) == col(Verdicts.run_sequence))
                .where(col(Verdicts.scorecard).is_not(None))
                .order_by(col(Runs.sequence))
            ).all()
            runs = with_names(session, [run for _, run in found])
        return [
            KeptVerdict(run=run, scorecard=card, content_digest=kept.content_digest, kept_at=kept.kept_at)
            for (kept, _), run in zip(found, runs, strict=True)
            if (card := _understood(Scorecard, kept.scorecard)) is not None
        ]


def _understood(kind: type[Document], text: str | None) -> Document | None:
    """Reads a document, or returns ``None`` for one of another version, which is then measured again."""
    try:
        return kind.model_validate_json(text or "")
    except ValidationError:
        return None


def _keep_experiment(session: Session, run: Runs, card: LineageCard, of: Measured, at: datetime) -> Experiments:
    lineage = _lineage(session, run.repository_id, card)
    for version in (of.baseline, of.candidate):
        if version is not None:
            _keep_once(session, PromptVersions, lineage, version, at)
    if of.tests is not None:
        _keep_once(session, TestSetSnapshots, lineage, of.tests, at)
    experiment = Experiments(
        repository_id=run.repository_id,
        run_sequence=run.sequence or 0,
        lineage_id=lineage.id or 0,
        model=card.model,
        status=card.status.value,
        passes=card.passes,
        content_digest=card.content_digest,
        baseline_digest=of.baseline.digest if of.baseline else None,
        candidate_digest=of.candidate.digest if of.candidate else None,
        tests_digest=of.tests.digest if of.tests else None,
        cost_usd=card.spending.cost_usd,
        judge_cost_usd=card.spending.judge_cost_usd,
        baseline_per_1000=_amount(card.cost.baseline_per_1000 if card.cost else None),
        candidate_per_1000=_amount(card.cost.candidate_per_1000 if card.cost else None),
        record=of.record.model_dump_json() if of.record else None,
    )
    session.add(experiment)
    session.flush()
    effects = enumerate((card.overall, *card.slices, *card.metrics))
    session.add_all(_comparison(experiment, position, effect) for position, effect in effects if effect is not None)
    session.flush()
    return experiment


def _lineage(session: Session, repository_id: int, card: LineageCard) -> Lineages:
    named = (col(Lineages.repository_id) == repository_id, col(Lineages.name) == card.lineage)
    lineage = session.exec(select(Lineages).where(*named)).first()
    if lineage is None:
        lineage = Lineages(repository_id=repository_id, name=card.lineage, use_case=card.use_case)
        session.add(lineage)
        session.flush()
    return lineage


def _keep_once(
    session: Session,
    table: type[PromptVersions] | type[TestSetSnapshots],
    lineage: Lineages,
    content: PromptVersion | TestSetSnapshot,
    at: datetime,
) -> None:
    # Contents are kept once for all runs: most runs have the baseline and the cases of an earlier one.
    same = (table.lineage_id == lineage.id, table.digest == content.digest)
    if session.exec(select(table.id).where(*same)).first() is None:
        of = {"repository_id": lineage.repository_id, "lineage_id": lineage.id, "first_seen_at": at}
        session.add(table.model_validate(content.model_dump() | of))
        session.flush()


def _comparison(experiment: Experiments, position: int, effect: Effect) -> Comparisons:
    return Comparisons(
        experiment_id=experiment.id or 0,
        position=position,
        repository_id=experiment.repository_id,
        slice=effect.slice,
        metric=effect.metric,
        cases=effect.cases,
        baseline=effect.baseline,
        candidate=effect.candidate,
        low=effect.interval.low if effect.interval else None,
        high=effect.interval.high if effect.interval else None,
        margin=effect.margin,
        result=effect.result,
    )


def _amount(value: Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)
