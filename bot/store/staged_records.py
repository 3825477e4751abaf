"""Reads what a version's measurement decided for each case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlmodel import col, select

from bot.store.hub_tables import Promotions
from bot.store.tables import CaseResults, Experiments, Lineages, Runs
from engine.drift.staging import StagedCase

if TYPE_CHECKING:
    from bot.store.database import Database


class StagedRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def staged_cases(self, repository_id: int, lineage: str, digest: str) -> list[StagedCase]:
        """Returns the decisions of the newest promotion's run that measured a version of a prompt; empty without any.

        ``digest`` is the version's, as the hub names it.
        """
        promoted = select(Promotions.run_id).where(
            col(Promotions.repository_id) == repository_id,
            col(Promotions.lineage) == lineage,
            col(Promotions.to_digest) == digest,
            col(Promotions.run_id).is_not(None),
        )
        of = (
            select(Experiments.id)
            .join(Runs, col(Runs.sequence) == col(Experiments.run_sequence))
            .join(Lineages, col(Lineages.id) == col(Experiments.lineage_id))
            .where(col(Runs.id).in_(promoted), col(Lineages.name) == lineage)
            .order_by(col(Experiments.id).desc())
            .limit(1)
        )
        with self._database.reading() as session:
            experiment = session.exec(of).first()
            if experiment is None:
                return []
            rows = select(CaseResults.slices, CaseResults.candidate_said).where(
                col(CaseResults.experiment_id) == experiment
            )
            return [
                StagedCase(tuple(json.loads(slices)), said) for slices, said in session.exec(rows) if said is not None
            ]
