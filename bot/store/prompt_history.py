"""Queries for pages: installations, prompts, and how each prompt did over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from bot.store.runs import with_names
from bot.store.tables import Comparisons, Experiments, Installations, Lineages, Repositories, Runs, Verdicts
from bot.store.values import ON_PAGES, LineagePoint, RepositoryRef, Run
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from bot.store.database import Database


class HistoryRecords:
    """Each method reads one consistent state. Raises StoreError."""

    _database: Database

    def installations(self) -> list[int]:
        """Returns the active installations."""
        return self._installations(col(Installations.suspended_at).is_(None))

    def suspended_installations(self) -> list[int]:
        """Returns the suspended installations."""
        return self._installations(col(Installations.suspended_at).is_not(None))

    def repositories(self, installation_id: int) -> list[RepositoryRef]:
        """Returns the known repositories of an installation, by name."""
        of = select(Repositories).where(col(Repositories.installation_id) == installation_id)
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(Repositories.name))).all()
        return [
            RepositoryRef(installation_id=row.installation_id, repository_id=row.id, full_name=row.name) for row in rows
        ]

    def covered(self) -> frozenset[int]:
        """Returns every repository that has records."""
        with self._database.reading() as session:
            return frozenset(session.exec(select(Repositories.id)))

    def lineages(self, repository_id: int) -> dict[str, str]:
        """Returns every prompt that was ever evaluated, by name."""
        of = select(Lineages).where(col(Lineages.repository_id) == repository_id).order_by(col(Lineages.name))
        with self._database.reading() as session:
            return {row.name: row.use_case for row in session.exec(of)}

    def runs_of_repository(self, repository_id: int, *, before: int | None = None, limit: int = 50) -> list[Run]:
        """Returns the newest runs of a repository, newest first.

        ``before`` is the last sequence of the previous page.
        """
        of = select(Runs).where(col(Runs.repository_id) == repository_id)
        if before is not None:
            of = of.where(col(Runs.sequence) < before)
        with self._database.reading() as session:
            return with_names(session, session.exec(of.order_by(col(Runs.sequence).desc()).limit(limit)).all())

    def lineage_history(self, repository_id: int, name: str, *, limit: int = 100) -> list[LineagePoint]:
        """Returns the history of a prompt, newest first."""
        wanted = (
            select(Experiments, Runs, Verdicts, Comparisons)
            .join(Lineages, col(Lineages.id) == col(Experiments.lineage_id))
            .join(Runs, col(Runs.sequence) == col(Experiments.run_sequence))
            .join(Verdicts, col(Verdicts.run_sequence) == col(Runs.sequence))
            .outerjoin(
                Comparisons,
                (col(Comparisons.experiment_id) == col(Experiments.id)) & (col(Comparisons.position) == 0),
            )
            .where(col(Lineages.repository_id) == repository_id, col(Lineages.name) == name)
            .where(col(Runs.kind).not_in(ON_PAGES))
            .order_by(col(Experiments.id).desc())
            .limit(limit)
        )  # fmt: skip
        with self._database.reading() as session:
            found = session.exec(wanted).all()
        return [_point(experiment, run, verdict, overall) for experiment, run, verdict, overall in found]

    def _installations(self, which: ColumnElement[bool]) -> list[int]:
        present = select(Installations.id).where(col(Installations.removed_at).is_(None), which)
        with self._database.reading() as session:
            return list(session.exec(present.order_by(col(Installations.id))))


def _point(experiment: Experiments, run: Runs, verdict: Verdicts, overall: Comparisons | None) -> LineagePoint:
    return LineagePoint(
        run_id=run.id,
        number=run.number,
        head_sha=run.head_sha,
        at=verdict.kept_at,
        model=experiment.model,
        status=VerdictStatus(experiment.status),
        passes=experiment.passes,
        cases=overall.cases if overall else None,
        baseline=overall.baseline if overall else None,
        candidate=overall.candidate if overall else None,
        low=overall.low if overall else None,
        high=overall.high if overall else None,
        cost_usd=experiment.cost_usd,
        baseline_per_1000=experiment.baseline_per_1000,
        candidate_per_1000=experiment.candidate_per_1000,
        baseline_digest=experiment.baseline_digest,
        candidate_digest=experiment.candidate_digest,
    )
