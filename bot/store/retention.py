"""How long records are kept. Old deliveries and texts are deleted; figures and the audit log stay."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field
from sqlalchemy import delete, update
from sqlmodel import col, or_, select

from bot.store.asked_tables import AskedAnswers, AskedRuns, Drafts
from bot.store.deliveries import WAITING
from bot.store.production_writing import delete_production
from bot.store.runs import OPEN
from bot.store.suggest_tables import Suggestions
from bot.store.tables import (
    CaseDocuments,
    CaseResults,
    Commands,
    Deliveries,
    Experiments,
    Installations,
    Outcomes,
    PromptVersions,
    Runs,
    Sessions,
    SignIns,
    TestSetSnapshots,
    Verdicts,
)
from bot.store.values import RunState
from bot.store.verdicts import discard_experiments
from schemas.values import Value

if TYPE_CHECKING:
    from sqlmodel import Session

    from bot.store.database import Database

LONGEST_RUN = timedelta(days=7)
"""How much later than the note that a repository uses it an outcome may be stored."""
TOGETHER = 500


class Retention(Value):
    """How many days records are kept."""

    deliveries_days: int = Field(default=30, ge=7)
    """Handled webhooks and commands. GitHub redelivers for three days."""
    texts_days: int = Field(default=365, ge=30)
    """Scorecards, records, prompts, test sets and model outputs. Their figures stay."""
    spans_days: int = Field(default=30, ge=1)
    """Single calls in production. Their hourly figures stay for ``KEEP_HOURS``."""


class RetentionRecords:
    """Short transactions, one after the other. Raises StoreError."""

    _database: Database

    def prune(self, retention: Retention, at: datetime) -> int:
        """Deletes what is older than ``retention`` allows; returns the number of rows.

        The newest verdicts, what they were made from, and the audit log stay.
        """
        settled = at - timedelta(days=retention.deliveries_days)
        old = at - timedelta(days=retention.texts_days)
        deleted = self._delete_deliveries(settled) + self._delete_commands(settled) + self._delete_sessions(at)
        deleted += delete_production(self._database, at, timedelta(days=retention.spans_days))
        return deleted + self._delete_abandoned() + self._delete_texts(old)

    def _delete_abandoned(self) -> int:
        """Deletes cases of runs that ended before their verdict was stored."""
        here = select(Verdicts).where(col(Verdicts.run_sequence) == col(Runs.sequence))
        with self._database.reading() as session:
            # A run that is done has a verdict, and nearly all runs are done.
            ended = col(Runs.state).in_((RunState.CANCELLED.value, RunState.FAILED.value))
            of = select(Runs.sequence).where(ended, ~here.exists())
            stored = select(Experiments).where(col(Experiments.run_sequence) == col(Runs.sequence))
            sequences = session.exec(of.where(stored.exists())).all()
        return sum(discard_experiments(self._database, one) for one in sequences if one is not None)

    def _delete_deliveries(self, before: datetime) -> int:
        ended = (col(Deliveries.state) != WAITING, col(Deliveries.ended_at) < before)
        deleted = 0
        # In portions: a long transaction would make GitHub's webhooks wait.
        while True:
            with self._database.writing() as session:
                some = session.exec(select(Deliveries.sequence).where(*ended).limit(TOGETHER)).all()
                session.exec(delete(Deliveries).where(col(Deliveries.sequence).in_(some)))
            deleted += len(some)
            if len(some) < TOGETHER:
                return deleted

    def _delete_commands(self, before: datetime) -> int:
        with self._database.writing() as session:
            return session.exec(delete(Commands).where(col(Commands.begun_at) < before)).rowcount

    def _delete_sessions(self, at: datetime) -> int:
        with self._database.writing() as session:
            ended = [session.exec(delete(one).where(col(one.expires_at) <= at)).rowcount for one in (Sessions, SignIns)]
            return sum(ended)

    def _delete_texts(self, before: datetime) -> int:
        deleted = 0
        while portion := self._delete_texts_of_some(before):
            deleted += portion
        return deleted + self._delete_unused(before)

    def _delete_texts_of_some(self, before: datetime) -> int:
        """Deletes the texts of some old verdicts that still have them; returns the number of rows."""
        with self._database.writing() as session:
            # Only these: those that lost their texts before would be searched again in each hour of the years to come.
            wanted = (col(Verdicts.kept_at) < before, col(Verdicts.scorecard).is_not(None))
            runs = session.exec(select(Verdicts.run_sequence).where(*wanted).limit(TOGETHER)).all()
            old = select(Experiments.id).where(col(Experiments.run_sequence).in_(runs))
            deleted = 0
            for cases in (CaseDocuments, CaseResults):
                deleted += session.exec(delete(cases).where(col(cases.experiment_id).in_(old))).rowcount
            recorded = (col(Experiments.run_sequence).in_(runs), col(Experiments.record).is_not(None))
            deleted += session.exec(update(Experiments).where(*recorded).values(record=None)).rowcount
            # The row stays with its figures. Only the document goes.
            mine = col(Verdicts.run_sequence).in_(runs)
            return deleted + session.exec(update(Verdicts).where(mine).values(scorecard=None, overview=None)).rowcount

    def _delete_unused(self, before: datetime) -> int:
        """Deletes what only old verdicts used, and what came too late; returns the number of rows."""
        deleted = 0
        with self._database.writing() as session:
            old_runs = select(Verdicts.run_sequence).where(col(Verdicts.kept_at) < before)
            young = select(Experiments.id).where(col(Experiments.run_sequence).not_in(old_runs))
            for table, digests in (
                (PromptVersions, (Experiments.baseline_digest, Experiments.candidate_digest)),
                (TestSetSnapshots, (Experiments.tests_digest,)),
            ):
                used = young.where(
                    col(Experiments.lineage_id) == col(table.lineage_id),
                    or_(*(col(digest) == col(table.digest) for digest in digests)),
                )
                unused = (col(table.first_seen_at) < before, ~used.exists())
                deleted += session.exec(delete(table).where(*unused)).rowcount
            of = (col(Suggestions.asked_at) < before, col(Suggestions.report).is_not(None))
            deleted += session.exec(update(Suggestions).where(*of).values(report=None)).rowcount
            deleted += _delete_drafts(session, before)
            gone = select(Installations.id).where(col(Installations.removed_at).is_not(None))
            # Events may arrive after the removal that they belong to.
            late = (col(Deliveries.installation_id).in_(gone), col(Deliveries.body).is_not(None))
            session.exec(update(Deliveries).where(*late, col(Deliveries.state) != WAITING).values(body=None, note=""))
            # Later than the answers themselves, so that no stored answer is without an owner.
            unused_outcomes = col(Outcomes.used_at) < before - LONGEST_RUN
            return deleted + session.exec(delete(Outcomes).where(unused_outcomes)).rowcount


def _delete_drafts(session: Session, before: datetime) -> int:
    """Deletes drafts, and what runs of drafts answered. What such a run spent stays."""
    old_runs = select(Runs.sequence).where(col(Runs.opened_at) < before, col(Runs.state).not_in(OPEN))
    deleted = session.exec(delete(Drafts).where(col(Drafts.changed_at) < before)).rowcount
    deleted += session.exec(delete(AskedAnswers).where(col(AskedAnswers.run_sequence).in_(old_runs))).rowcount
    texts = (col(AskedRuns.run_sequence).in_(old_runs), col(AskedRuns.document).is_not(None))
    return deleted + session.exec(update(AskedRuns).where(*texts).values(document=None)).rowcount
