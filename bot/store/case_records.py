"""The cases of experiments: kept with the verdict, read page by page."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError
from sqlalchemy import func, insert
from sqlalchemy import select as columns
from sqlmodel import col, select

from bot.store.page_values import CaseFilter, CaseHistory, CaseRow, KeptCase, SliceCount
from bot.store.tables import CaseDocuments, CaseResults, Experiments, Runs, Verdicts
from bot.store.values import RunKind
from engine.scorecard.case_order import needs_look_first
from schemas.case_texts import CaseTexts
from schemas.effects import Answer, CaseEffect, CaseOutcome

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlmodel import Session

    from bot.store.database import Database
    from bot.store.values import PackedTexts
    from schemas.scorecard import LineageCard, Scorecard

ROWS = 500
"""Rows of one insert."""
PASSES = 0.999
"""A case fails if its mean score is below this."""
HISTORY = {
    "flaky": col(CaseResults.flaky) > 0,
    "always": (col(CaseResults.runs) > 1) & (col(CaseResults.failures) == col(CaseResults.runs)),
    "never": (col(CaseResults.runs) > 1) & (col(CaseResults.failures) == 0),
}
"""By ``CaseFilter.history``, in the order of ``CaseHistory``."""
Document = TypeVar("Document", CaseTexts, CaseEffect)
CaseCounts = dict[str, tuple[int, int, int]]
"""By case id: runs, failures, uncertain results."""


class CaseRecords:
    """Each method reads one consistent state. Raises StoreError."""

    _database: Database

    def cases(self, experiment_id: int, wanted: CaseFilter, *, after: int = -1, limit: int = 50) -> list[CaseRow]:
        """Returns the first cases after position ``after`` that ``wanted`` lets through."""
        of = select(CaseResults).where(*_conditions(experiment_id, wanted), col(CaseResults.position) > after)
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(CaseResults.position)).limit(limit)).all()
            # In a second query: in one, Postgres may read the documents of every case before it sorts them.
            here = (
                col(CaseDocuments.experiment_id) == experiment_id,
                col(CaseDocuments.position).in_([row.position for row in rows]),
            )
            found = session.exec(select(CaseDocuments.position, CaseDocuments.effect).where(*here)).all()
        effects = dict(found)
        return [_row(row, effects.get(row.position)) for row in rows]

    def case_count(self, experiment_id: int, wanted: CaseFilter) -> int:
        """Returns how many cases ``wanted`` lets through."""
        with self._database.reading() as session:
            of = select(func.count()).select_from(CaseResults).where(*_conditions(experiment_id, wanted))
            return session.exec(of).one()

    def case_counts(self, experiment_id: int) -> dict[str, int]:
        """Returns the number of cases by result."""
        with self._database.reading() as session:
            of = select(CaseResults.result, func.count()).where(col(CaseResults.experiment_id) == experiment_id)
            return dict(session.exec(of.group_by(col(CaseResults.result))).all())

    def case_slices(self, experiment_id: int) -> list[SliceCount]:
        """Returns the combinations of slices that cases have, the most frequent first, at most 200."""
        of = select(CaseResults.slices, func.count()).where(col(CaseResults.experiment_id) == experiment_id)
        with self._database.reading() as session:
            rows = session.exec(of.group_by(col(CaseResults.slices)).order_by(func.count().desc()).limit(200)).all()
        counts: dict[str, int] = {}
        for slices, number in rows:
            for name in slices_of(slices):
                counts[name] = counts.get(name, 0) + number
        return [SliceCount(name=name, cases=number) for name, number in counts.items()]

    def case_history(self, experiment_id: int) -> CaseHistory:
        """Returns how the cases of an experiment did over the runs up to it."""
        of = columns(
            func.count(),
            *(func.count().filter(holds) for holds in HISTORY.values()),
            func.coalesce(func.max(col(CaseResults.runs)), 0),
        )
        with self._database.reading() as session:
            return CaseHistory(*session.execute(of.where(col(CaseResults.experiment_id) == experiment_id)).one())

    def kept_case(self, experiment_id: int, position: int) -> KeptCase | None:
        """Returns one case with its texts."""
        of = (
            select(CaseResults, CaseDocuments)
            .join(CaseDocuments, _same_case())
            .where(col(CaseResults.experiment_id) == experiment_id, col(CaseResults.position) == position)
        )
        with self._database.reading() as session:
            found = session.exec(of).first()
            if found is None:
                return None
            row, document = found
            earlier = session.exec(_earlier(row)).all()
        return KeptCase(
            row=_row(row, document.effect),
            texts=unpacked(CaseTexts, document.texts),
            earlier=tuple(
                (experiment.run_sequence, experiment.id or 0, _row(other, None)) for experiment, other in earlier
            ),
        )


def _earlier(row: CaseResults) -> Any:
    """Selects the same case in the last experiments of its prompt."""
    lineage = select(Experiments.lineage_id).where(col(Experiments.id) == row.experiment_id).scalar_subquery()
    return (
        select(Experiments, CaseResults)
        .join(CaseResults, col(CaseResults.experiment_id) == col(Experiments.id))
        .where(
            col(Experiments.lineage_id) == lineage,
            col(CaseResults.case_id) == row.case_id,
            col(Experiments.id) != row.experiment_id,
            decided(),
        )
        .order_by(col(Experiments.id).desc())
        .limit(10)
    )


def _same_case() -> ColumnElement[bool]:
    same = col(CaseDocuments.experiment_id) == col(CaseResults.experiment_id)
    return same & (col(CaseDocuments.position) == col(CaseResults.position))


def _conditions(experiment_id: int, wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    yield col(CaseResults.experiment_id) == experiment_id
    if wanted.result is not None:
        yield col(CaseResults.result) == wanted.result
    if wanted.slice is not None:
        # In JSON a name stands between quotes, and a quote within a name is escaped.
        yield col(CaseResults.slices).contains(json.dumps(wanted.slice), autoescape=True)
    if wanted.history is not None:
        yield HISTORY[wanted.history]
    if wanted.failing:
        yield col(CaseResults.candidate) < PASSES
    for column, value in (
        (CaseResults.expected, wanted.expected),
        (CaseResults.baseline_said, wanted.baseline_said),
        (CaseResults.candidate_said, wanted.candidate_said),
    ):
        if value == "":
            yield col(column).is_(None)
        elif value is not None:
            yield col(column) == value


def _row(row: CaseResults, effect: bytes | None) -> CaseRow:
    return CaseRow(
        position=row.position,
        case_id=row.case_id,
        result=row.result,
        slices=slices_of(row.slices),
        protected=row.protected,
        added=row.added,
        expected=row.expected,
        baseline_said=row.baseline_said,
        candidate_said=row.candidate_said,
        baseline=row.baseline,
        candidate=row.candidate,
        change=row.change,
        runs=row.runs,
        failures=row.failures,
        flaky=row.flaky,
        effect=unpacked(CaseEffect, effect),
    )


def slices_of(kept: str) -> tuple[str, ...]:
    """Returns the names of a case's slices."""
    return tuple(json.loads(kept))


def unpacked(kind: type[Document], data: bytes | None) -> Document | None:
    """Reads a document, or returns ``None`` for one of another version."""
    if data is None:
        return None
    try:
        return kind.model_validate_json(zlib.decompress(data))
    except (ValidationError, zlib.error):
        return None


def without_cases(scorecard: Scorecard) -> Scorecard:
    """Returns the scorecard without its cases, which may be very many."""
    cards = tuple(card.model_copy(update={"cases": ()}) for card in scorecard.lineages)
    return scorecard.model_copy(update={"lineages": cards})


class CaseRows(NamedTuple):
    """The rows of one case but for its experiment."""

    result: dict[str, Any]
    document: dict[str, Any]


def case_rows(card: LineageCard, texts: Sequence[PackedTexts]) -> list[CaseRows]:
    """Returns the rows of the cases of an experiment, those that need a look first.

    Made before the transaction: compressing 100,000 cases takes seconds, and would block all other writers.
    """
    by_id = {one.id: one for one in texts}
    return [
        CaseRows(
            {"position": position, **_figures(case, by_id.get(case.id))},
            {
                "position": position,
                "effect": zlib.compress(case.model_dump_json(exclude_defaults=True).encode()),
                "texts": by_id[case.id].packed if case.id in by_id else None,
            },
        )
        for position, case in enumerate(sorted(card.cases, key=needs_look_first))
    ]


def keep_cases(session: Session, experiment: Experiments, rows: Sequence[CaseRows], before: CaseCounts) -> None:
    """Stores cases of an experiment. ``before`` is what ``case_counts_before`` returned."""
    of: dict[str, Any] = {"experiment_id": experiment.id or 0, "repository_id": experiment.repository_id}
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        session.exec(insert(CaseResults), params=[of | _with_history(row.result, before) for row in some])
        session.exec(insert(CaseDocuments), params=[of | row.document for row in some])


def _with_history(row: dict[str, Any], before: CaseCounts) -> dict[str, Any]:
    """Returns the row with the counts up to this run."""
    candidate = row["candidate"]
    now = (candidate is not None, candidate is not None and candidate < PASSES, row["result"] == CaseOutcome.FLAKY)
    old = before.get(row["case_id"], (0, 0, 0))
    return row | {name: old[n] + now[n] for n, name in enumerate(("runs", "failures", "flaky"))}


def decided() -> ColumnElement[bool]:
    """Returns the condition that an experiment's run has a verdict: without one, its cases may be half-written."""
    return select(Verdicts.run_sequence).where(col(Verdicts.run_sequence) == col(Experiments.run_sequence)).exists()


def of_drafts() -> ColumnElement[bool]:
    """Returns the condition that an experiment measured a playground draft, which is not a version of the prompt."""
    of_run = col(Runs.sequence) == col(Experiments.run_sequence)
    return select(Runs.sequence).where(of_run, col(Runs.kind) == RunKind.PLAYGROUND.value).exists()


def case_counts_before(session: Session, experiment: Experiments) -> CaseCounts:
    """Returns runs, failures and uncertain results of each case up to the last run of this prompt and model."""
    last = (
        select(Experiments.id)
        .where(
            col(Experiments.lineage_id) == experiment.lineage_id,
            col(Experiments.model) == experiment.model,
            col(Experiments.id) != experiment.id,
            decided(),
            ~of_drafts(),
            select(CaseResults).where(col(CaseResults.experiment_id) == col(Experiments.id)).exists(),
        )
        .order_by(col(Experiments.id).desc())
        .limit(1)
    )
    of = columns(*map(col, (CaseResults.case_id, CaseResults.runs, CaseResults.failures, CaseResults.flaky))).where(
        col(CaseResults.experiment_id) == last.scalar_subquery()
    )
    return {case: tuple(counts) for case, *counts in session.execute(of)}


def _figures(case: CaseEffect, texts: PackedTexts | None) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "result": case.result.value,
        "slices": json.dumps(case.slices),
        "protected": case.protected,
        "added": case.added,
        "expected": case.expected if isinstance(case.expected, str) and len(case.expected) <= 200 else None,
        "baseline_said": _label(texts.baseline_said if texts else None),
        "candidate_said": _label(texts.candidate_said if texts else None),
        "baseline": _mean(case.baseline),
        "candidate": _mean(case.candidate),
        "change": case.change,
    }


def _label(text: str | None) -> str | None:
    return text if text is not None and len(text) <= 200 else None


def _mean(answers: Sequence[Answer]) -> float | None:
    known = [(one.score, one.count) for one in answers if one.score is not None]
    total = sum(count for _, count in known)
    return sum(score * count for score, count in known) / total if total else None
