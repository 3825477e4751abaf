"""Queries for the home page: failing and waiting runs, expiring overrides, spending and small test sets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import String, cast, func, or_
from sqlalchemy import select as columns
from sqlmodel import col, select

from bot.store.audit import entries
from bot.store.case_records import decided
from bot.store.page_records import WITHOUT_DOCUMENTS, run_row
from bot.store.page_values import RunRow, SmallTestSet, SpentInMonth
from bot.store.runs import OPEN, with_names
from bot.store.tables import (
    Audit,
    CaseResults,
    Comparisons,
    Experiments,
    Installations,
    Lineages,
    Repositories,
    Runs,
    Spending,
    Verdicts,
)
from bot.store.values import APPROVE, ON_PAGES, AuditEntry, RepositoryRef, RunKind, RunState
from schemas.effects import EffectResult
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from bot.store.database import Database

BAD = [status.value for status in (VerdictStatus.BLOCKED, VerdictStatus.ERROR, VerdictStatus.NEEDS_REVIEW)]
_OF_CHANGES = (
    select(Runs.sequence)
    .where(col(Runs.sequence) == col(Experiments.run_sequence), col(Runs.kind).not_in(ON_PAGES))
    .exists(),
    decided(),
)
"""Experiments on pages may have few cases by intention."""
SHOWN = 20
"""Most rows of one list of the home page."""


class HomeRecords:
    """Each method reads one consistent state, of the repositories that it is given. Raises StoreError."""

    _database: Database

    def repository_by_id(self, repository_id: int) -> RepositoryRef | None:
        """Returns a repository whose installation is active."""
        found = self.known_repositories([repository_id])
        return found[0] if found else None

    def repository_named(self, full_name: str) -> RepositoryRef | None:
        """Returns the repository that has this name now, in any case of letters, if its installation is active."""
        of = select(Repositories).join(Installations, col(Installations.id) == col(Repositories.installation_id))
        of = of.where(col(Installations.removed_at).is_(None), func.lower(Repositories.name) == full_name.lower())
        with self._database.reading() as session:
            # A name may have belonged to another repository before.
            row = session.exec(of.order_by(col(Repositories.seen_at).desc()).limit(1)).first()
        if row is None:
            return None
        return RepositoryRef(installation_id=row.installation_id, repository_id=row.id, full_name=row.name)

    def known_repositories(self, ids: Collection[int] | None = None) -> list[RepositoryRef]:
        """Returns the repositories of active installations by name; ``ids``: only these."""
        of = select(Repositories).join(Installations, col(Installations.id) == col(Repositories.installation_id))
        of = of.where(col(Installations.removed_at).is_(None))
        if ids is not None:
            of = of.where(col(Repositories.id).in_(list(ids)))
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(Repositories.name)).limit(10_000)).all()
        return [
            RepositoryRef(installation_id=row.installation_id, repository_id=row.id, full_name=row.name) for row in rows
        ]

    def waiting_runs(self, ids: Collection[int]) -> list[RunRow]:
        """Returns unfinished runs, the oldest first."""
        of = select(Runs).where(col(Runs.repository_id).in_(list(ids)), col(Runs.state).in_(OPEN))
        with self._database.reading() as session:
            runs = with_names(session, session.exec(of.order_by(col(Runs.sequence)).limit(SHOWN)).all())
        return [run_row(run, None) for run in runs]

    def failing_runs(self, ids: Collection[int], since: datetime) -> list[RunRow]:
        """Returns the newest run of each pull request if its verdict isn't good, newest first.

        In mode ``inform``, such a verdict passes all the same.
        """
        here = (col(Runs.repository_id).in_(list(ids)), col(Runs.kind) == RunKind.PULL_REQUEST.value)
        newest = (
            select(func.max(Runs.sequence))
            .where(*here, col(Runs.opened_at) >= since, col(Runs.state) != RunState.CANCELLED.value)
            # Runs of the Action have no number here.
            .group_by(col(Runs.repository_id), func.coalesce(cast(col(Runs.number), String), col(Runs.head_sha)))
        )
        of = (
            select(Runs, Verdicts)
            .join(Verdicts, col(Verdicts.run_sequence) == col(Runs.sequence))
            .where(col(Runs.sequence).in_(newest), or_(col(Verdicts.passes).is_(False), col(Verdicts.status).in_(BAD)))
            .options(*WITHOUT_DOCUMENTS)
            .order_by(col(Runs.sequence).desc())
            .limit(SHOWN)
        )
        with self._database.reading() as session:
            found = session.exec(of).all()
            runs = with_names(session, [row for row, _ in found])
        return [run_row(run, kept) for run, (_, kept) in zip(runs, found, strict=True)]

    def expiring_overrides(self, ids: Collection[int], at: datetime) -> list[AuditEntry]:
        """Returns overrides that are valid at ``at``, those that expire soonest first."""
        of = select(Audit).where(
            col(Audit.repository_id).in_(list(ids)),
            col(Audit.action) == APPROVE,
            col(Audit.permitted).is_(True),
            col(Audit.expires_at) > at,
        )
        with self._database.reading() as session:
            return entries(session, of.order_by(col(Audit.expires_at)).limit(SHOWN))

    def spent_by_month(self, ids: Collection[int]) -> list[SpentInMonth]:
        """Returns the spending by month, newest month and largest amount first."""
        with self._database.reading() as session:
            rows = session.exec(select(Spending).where(col(Spending.repository_id).in_(list(ids)))).all()
        sums: dict[tuple[str, int], Decimal] = {}
        for row in rows:
            key = (row.day[:7], row.repository_id)
            sums[key] = sums.get(key, Decimal(0)) + row.usd
        found = [SpentInMonth(month, repository, usd) for (month, repository), usd in sums.items()]
        return sorted(sorted(found, key=lambda one: one.usd, reverse=True), key=lambda one: one.month, reverse=True)

    def small_test_sets(self, ids: Collection[int]) -> list[SmallTestSet]:
        """Returns prompts whose newest experiment had too few cases, the smallest first."""
        newest = (
            select(func.max(Experiments.id))
            .where(col(Experiments.repository_id).in_(list(ids)), *_OF_CHANGES)
            .group_by(col(Experiments.lineage_id))
        )
        of = (
            columns(
                col(Experiments.repository_id),
                col(Lineages.id),
                col(Lineages.name),
                col(Comparisons.cases),
                col(Experiments.run_sequence),
            )
            .join(Comparisons, col(Comparisons.experiment_id) == col(Experiments.id))
            .join(Lineages, col(Lineages.id) == col(Experiments.lineage_id))
            .where(
                col(Experiments.id).in_(newest),
                col(Comparisons.position) == 0,
                col(Comparisons.result) == EffectResult.TOO_FEW_CASES.value,
            )
            .order_by(col(Comparisons.cases))
            .limit(SHOWN)
        )
        with self._database.reading() as session:
            return [SmallTestSet(*row) for row in session.execute(of)]

    def newest_experiment(self, lineage_id: int) -> tuple[int, int, str] | None:
        """Returns the run, the id and the model of a prompt's newest experiment with cases."""
        with self._database.reading() as session:
            of = select(Experiments.run_sequence, Experiments.id, Experiments.model).where(
                col(Experiments.lineage_id) == lineage_id, *_OF_CHANGES
            )
            of = of.where(select(CaseResults).where(col(CaseResults.experiment_id) == col(Experiments.id)).exists())
            found = session.exec(of.order_by(col(Experiments.id).desc()).limit(1)).first()
        return None if found is None else (found[0], found[1] or 0, found[2])
