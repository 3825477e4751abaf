"""Queries for the models of a prompt: how each did in its newest run, on the same cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import sqrt
from statistics import mean, variance
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError
from sqlalchemy import func
from sqlalchemy import select as columns
from sqlmodel import col

from bot.store.case_records import PASSES, decided, of_drafts
from bot.store.tables import CaseResults, Comparisons, Experiments, Lineages
from schemas.experiments import ExperimentRecord
from schemas.gate_config import GateConfig

if TYPE_CHECKING:
    from bot.store.database import Database

MOST_MODELS = 20


LARGEST_POLICY = 200_000
"""Characters of a record's start, up to the end of its policy."""
LARGEST_RECORD = 1_000_000
"""Characters of a record that is read for a page."""


class MetricScore(NamedTuple):
    """A metric of a candidate: its mean, and its standard deviation between runs of a case. Fractions."""

    mean: float | None
    sigma: float | None


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
                decided(),
                ~of_drafts(),
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

    def gate(self, experiment_id: int) -> GateConfig | None:
        """Returns the policy of an experiment; ``None`` if its record was deleted, or is of another version."""
        of = columns(func.substr(col(Experiments.record), 1, LARGEST_POLICY)).where(
            col(Experiments.id) == experiment_id
        )
        with self._database.reading() as session:
            start = session.execute(of).scalar()
        return gate_of(start) if start else None

    def metric_scores(self, ids: Sequence[int]) -> dict[int, dict[str, MetricScore]]:
        """Returns the candidate's mean of every metric beside the overall score, by experiment."""
        means = columns(col(Comparisons.experiment_id), col(Comparisons.metric), col(Comparisons.candidate)).where(
            col(Comparisons.experiment_id).in_(list(ids)),
            col(Comparisons.slice).is_(None),
            col(Comparisons.position) > 0,
        )
        documents = columns(col(Experiments.id), col(Experiments.record)).where(
            col(Experiments.id).in_(list(ids)), func.length(col(Experiments.record)) <= LARGEST_RECORD
        )
        with self._database.reading() as session:
            rows = session.execute(means.order_by(col(Comparisons.position))).all()
            records = {row[0]: row[1] for row in session.execute(documents)}
        sigmas = {experiment: sigmas_of(text) for experiment, text in records.items()}
        found: dict[int, dict[str, MetricScore]] = {}
        for experiment, metric, score in rows:
            sigma = sigmas.get(experiment, {}).get(metric)
            found.setdefault(experiment, {})[metric] = MetricScore(score, sigma)
        return found


def gate_of(start: str) -> GateConfig | None:
    """Reads the policy from the first characters of a record. The cases come behind it and may have many megabytes."""
    # Within a text, JSON would escape these quotes.
    _, found, rest = start.partition(',"gate":')
    if not found:
        return None
    try:
        return GateConfig.model_validate(json.JSONDecoder().raw_decode(rest)[0])
    except ValueError:
        return None


def sigmas_of(record: str | None) -> dict[str, float]:
    """Returns how much a case's score of each metric varies between the candidate's runs of it, pooled over cases.

    A metric is left out if no case ran twice.
    """
    try:
        experiment = ExperimentRecord.model_validate_json(record or "")
    except ValidationError:
        return {}
    runs: dict[tuple[str, int], list[float]] = {}
    for cell in experiment.outcomes:
        for metric, score in zip(experiment.metrics, cell.scores or (), strict=False):
            if cell.arm == 1 and score is not None:
                runs.setdefault((metric.name, cell.case), []).append(score)
    variances: dict[str, list[float]] = {}
    for (metric_name, _), scores in runs.items():
        if len(scores) > 1:
            variances.setdefault(metric_name, []).append(variance(scores))
    return {name: sqrt(mean(values)) for name, values in variances.items()}
