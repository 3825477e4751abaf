"""Stores verdicts and their inputs: prompts, their versions, test sets, experiments, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError
from sqlalchemy import delete, func
from sqlmodel import col, select

from bot.store.case_records import case_counts_before, case_rows, decided, keep_cases, without_cases
from bot.store.documents import kept_text, read_text
from bot.store.installations import gone, hold
from bot.store.runs import with_names
from bot.store.tables import (
    CaseDocuments,
    CaseResults,
    Comparisons,
    Experiments,
    Lineages,
    PromptVersions,
    Runs,
    TestSetSnapshots,
    Verdicts,
)
from bot.store.values import KeptVerdict, Measured, PromptVersion, RunKind, RunState, TestSetSnapshot
from schemas.errors import StoreError
from schemas.experiments import ExperimentRecord
from schemas.scorecard import Scorecard

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.sql.expression import Select

    from bot.store.case_records import CaseRows
    from bot.store.database import Database
    from schemas.effects import Effect
    from schemas.scorecard import LineageCard


Document = TypeVar("Document", Scorecard, ExperimentRecord)
TOGETHER = 1_000
"""Cases of one transaction."""
MOST_SHOWN = 100
"""Verdicts of a pull request that can be approved. Older ones can't be approved."""


class VerdictRecords:
    """Every method is one transaction, except for a verdict with very many cases. Raises StoreError."""

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
        parts = [
            _Part(card, own, case_rows(card, own.texts), own.record.model_dump_json() if own.record else None)
            for card in scorecard.lineages
            for own in [made_of.get((card.lineage, card.model)) or Measured(lineage=card.lineage, model=card.model)]
        ]
        document, overview = kept_text(scorecard.model_dump_json()), without_cases(scorecard).model_dump_json()
        # Large ones before the verdict, in short transactions: other writers must not wait for seconds.
        large = sum(len(part.rows) for part in parts) > TOGETHER
        if large and not self._keep_in_portions(run_id, parts, at):
            return False
        with self._database.writing() as session:
            run = _held(session, run_id)
            if session.get(Verdicts, run.sequence) is not None:
                return False
            # Last of all: what has no verdict is not shown, so a half-written one never is.
            session.add(
                Verdicts(
                    run_sequence=run.sequence or 0,
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
            for part in parts:
                if large:
                    experiment = session.get(Experiments, part.experiment_id)
                    if experiment is None:
                        raise StoreError(
                            "another worker began to store the same verdict", hint="nothing: it is repeated"
                        )
                else:
                    experiment = _keep_experiment(session, run, part, at)
                    keep_cases(session, experiment, part.rows, case_counts_before(session, experiment))
                _keep_comparisons(session, experiment, part.card)
            return True

    def _keep_in_portions(self, run_id: str, parts: Sequence[_Part], at: datetime) -> bool:
        """Stores experiments and their cases in many transactions. Returns False if the run has a verdict already."""
        with self._database.reading() as session:
            sequence = session.exec(select(Runs.sequence).where(col(Runs.id) == run_id)).first()
        if sequence is None:
            raise gone(f"run {run_id}")
        # A worker that was killed in between left some.
        discard_experiments(self._database, sequence)
        for part in parts:
            with self._database.writing() as session:
                run = _held(session, run_id)
                if session.get(Verdicts, run.sequence) is not None:
                    return False
                experiment = _keep_experiment(session, run, part, at)
                part.experiment_id = experiment.id or 0
            with self._database.reading() as session:
                before = case_counts_before(session, experiment)
            for start in range(0, len(part.rows), TOGETHER):
                with self._database.writing() as session:
                    _held(session, run_id)
                    keep_cases(session, experiment, part.rows[start : start + TOGETHER], before)
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
                .where(col(Runs.id) == run_id, col(Experiments.record).is_not(None), decided())
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
        return kind.model_validate_json(read_text(text))
    except ValidationError:
        return None


@dataclass
class _Part:
    """One experiment of a verdict, ready to be stored."""

    card: LineageCard
    of: Measured
    rows: Sequence[CaseRows]
    record: str | None
    experiment_id: int = 0
    """Once it is stored in portions."""


def _held(session: Session, run_id: str) -> Runs:
    """Returns a run whose repository is locked until the transaction ends. Raises StoreError if it was removed."""
    # Read before the lock only to learn which repository to lock. The row is read again under it.
    repository = session.exec(select(Runs.repository_id).where(col(Runs.id) == run_id)).first()
    if repository is None:
        raise gone(f"run {run_id}")
    hold(session, repository)
    run = session.exec(select(Runs).where(col(Runs.id) == run_id)).first()
    if run is None or run.sequence is None:
        raise gone(f"run {run_id}")
    return run


def discard_experiments(database: Database, sequence: int) -> int:
    """Deletes what a run without a verdict has stored, in short transactions. Returns the number of cases."""
    deleted = 0
    while True:
        with database.writing() as session:
            if session.get(Verdicts, sequence) is not None:
                return deleted
            ids = session.exec(select(Experiments.id).where(col(Experiments.run_sequence) == sequence)).all()
            some = session.exec(
                select(CaseResults.experiment_id, CaseResults.position)
                .where(col(CaseResults.experiment_id).in_(ids))
                .order_by(col(CaseResults.experiment_id), col(CaseResults.position))
                .limit(TOGETHER)
            ).all()
            for experiment in {one for one, _ in some}:
                last = max(position for one, position in some if one == experiment)
                for table in (CaseDocuments, CaseResults):
                    here = (col(table.experiment_id) == experiment, col(table.position) <= last)
                    session.exec(delete(table).where(*here))
            if len(some) < TOGETHER:
                session.exec(delete(Experiments).where(col(Experiments.id).in_(ids)))
                return deleted + len(some)
        deleted += len(some)


def _keep_experiment(session: Session, run: Runs, part: _Part, at: datetime) -> Experiments:
    card, of = part.card, part.of
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
        record=part.record,
        latency_s=card.latency.candidate_s if card.latency else None,
    )
    session.add(experiment)
    session.flush()
    return experiment


def _keep_comparisons(session: Session, experiment: Experiments, card: LineageCard) -> None:
    effects = enumerate((card.overall, *card.slices, *card.metrics))
    session.add_all(_comparison(experiment, position, effect) for position, effect in effects if effect is not None)
    session.flush()


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
