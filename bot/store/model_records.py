"""Queries for the models of a prompt: how each did in its newest run, on the same cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlmodel import col

from bot.store.case_records import PASSES
from bot.store.tables import CaseResults, Experiments, Lineages

if TYPE_CHECKING:
    from bot.store.database import Database

MOST_MODELS = 20


class ModelCases(NamedTuple):
    """The newest experiment of a model with the cases that its candidate answered and failed."""

    experiment_id: int
    cases: int
    failures: int


class ModelRecords:
    """Each method reads one consistent state. Raises StoreError."""

    _database: Database

    def newest_of_models(self, repository_id: int, lineage_id: int) -> list[ModelCases]:
        """Returns the newest experiment with cases of each model of a prompt."""
        with_cases = columns(col(CaseResults.position)).where(col(CaseResults.experiment_id) == col(Experiments.id))
        newest = (
            columns(func.max(col(Experiments.id)))
            .join(Lineages, col(Lineages.id) == col(Experiments.lineage_id))
            .where(
                col(Lineages.repository_id) == repository_id,
                col(Experiments.lineage_id) == lineage_id,
                with_cases.exists(),
            )
            .group_by(col(Experiments.model))
            .order_by(func.max(col(Experiments.id)).desc())
            .limit(MOST_MODELS)
        )
        of = columns(func.count(), func.count().filter(col(CaseResults.candidate) < PASSES))
        with self._database.reading() as session:
            found = []
            for (experiment,) in session.execute(newest).all():
                here = (col(CaseResults.experiment_id) == experiment, col(CaseResults.candidate).is_not(None))
                cases, failures = session.execute(of.where(*here)).one()
                found.append(ModelCases(experiment, cases, failures))
        return found
