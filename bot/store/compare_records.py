"""Queries for the comparison of two experiments of one prompt, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import col

from bot.store.case_records import slices_of, unpacked
from bot.store.page_records import Bounds, find_versions, version_rows
from bot.store.tables import CaseDocuments, CaseResults, Experiments, Lineages
from schemas.effects import CaseEffect

if TYPE_CHECKING:
    from bot.store.database import Database
    from bot.store.page_values import VersionRow

Kind = Literal["better", "worse", "same"]


class ComparedCounts(NamedTuple):
    """Cases that have a score in both experiments, by how the candidate's score differs."""

    shared: int
    better: int
    worse: int

    @property
    def same(self) -> int:
        """Cases with the same score."""
        return self.shared - self.better - self.worse


class ComparedCase(NamedTuple):
    """One case in both experiments: what each candidate said and its score."""

    case_id: str
    position: int
    """In the second experiment."""
    slices: tuple[str, ...]
    score_before: float | None
    score_after: float | None
    effect_before: CaseEffect | None
    effect_after: CaseEffect | None


class CompareRecords:
    """Each method reads one consistent state. Raises StoreError."""

    _database: Database

    def experiment_rows(self, repository_id: int, lineage_id: int, ids: tuple[int, ...]) -> dict[int, VersionRow]:
        """Returns experiments of a prompt, by id."""
        with self._database.reading() as session:
            lineage = session.get(Lineages, lineage_id)
            if lineage is None or lineage.repository_id != repository_id:
                return {}
            wanted = find_versions(lineage_id, Bounds(limit=len(ids)), experiments=True).where(
                col(Experiments.id).in_(ids)
            )
            rows = version_rows(session, lineage_id, session.execute(wanted).all())
        return {row.experiment_id: row for row in rows}

    def compared_counts(self, before: int, after: int) -> ComparedCounts | None:
        """Returns how many cases differ; ``None`` if the cases of one experiment were not kept."""
        old, new = aliased(CaseResults), aliased(CaseResults)
        of = columns(
            func.count(),
            func.count().filter(col(new.candidate) > col(old.candidate)),
            func.count().filter(col(new.candidate) < col(old.candidate)),
        )
        with self._database.reading() as session:
            for one in (before, after):
                there = columns(col(CaseResults.position)).where(col(CaseResults.experiment_id) == one).limit(1)
                if session.execute(there).first() is None:
                    return None
            shared, better, worse = session.execute(
                of.select_from(old).where(*_same_case(old, new, before, after))
            ).one()
        return ComparedCounts(shared, better, worse)

    def compared_cases(
        self, before: int, after: int, kind: Kind, *, beyond: int = -1, limit: int = 50
    ) -> list[ComparedCase]:
        """Returns the cases of one kind behind position ``beyond`` of the second experiment."""
        old, new = aliased(CaseResults), aliased(CaseResults)
        old_text, new_text = aliased(CaseDocuments), aliased(CaseDocuments)
        score = col(new.candidate)
        differs = {
            "better": score > col(old.candidate),
            "worse": score < col(old.candidate),
            "same": score == col(old.candidate),
        }
        of: Any = (
            columns(old, new, col(old_text.effect), col(new_text.effect))
            .where(*_same_case(old, new, before, after), differs[kind], col(new.position) > beyond)
            .where(col(old_text.experiment_id) == before, col(old_text.position) == col(old.position))
            .where(col(new_text.experiment_id) == after, col(new_text.position) == col(new.position))
            .order_by(col(new.position))
            .limit(limit)
        )
        with self._database.reading() as session:
            found = session.execute(of).all()
        return [
            ComparedCase(
                case_id=now.case_id,
                position=now.position,
                slices=slices_of(now.slices),
                score_before=was.candidate,
                score_after=now.candidate,
                effect_before=unpacked(CaseEffect, text_before),
                effect_after=unpacked(CaseEffect, text_after),
            )
            for was, now, text_before, text_after in found
        ]


def _same_case(old: Any, new: Any, before: int, after: int) -> tuple[Any, ...]:
    return (
        col(old.experiment_id) == before,
        col(new.experiment_id) == after,
        col(old.case_id) == col(new.case_id),
        col(old.candidate).is_not(None),
        col(new.candidate).is_not(None),
    )
