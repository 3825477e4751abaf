"""Queries for the pages of runs and prompts. Lists are read by key: a long one costs no more than a short one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy import literal
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased, defer
from sqlmodel import col, select

from bot.store.audit import entries
from bot.store.case_records import without_cases
from bot.store.documents import read_text
from bot.store.page_values import (
    KeptVersion,
    LineagePage,
    LineageSummary,
    RunExperiment,
    RunPage,
    RunRow,
    SliceScore,
    SnapshotRow,
    VersionRow,
)
from bot.store.runs import with_names
from bot.store.tables import (
    Audit,
    CaseResults,
    Comparisons,
    Experiments,
    Lineages,
    PromptVersions,
    Runs,
    TestSetSnapshots,
    Verdicts,
)
from bot.store.values import ON_PAGES, RunKind
from schemas.scorecard import Scorecard
from schemas.verdicts import VerdictStatus

if TYPE_CHECKING:
    from sqlalchemy.orm.interfaces import ORMOption
    from sqlmodel import Session

    from bot.store.database import Database
    from bot.store.values import AuditEntry


def without(column: Any) -> ORMOption:
    """Leaves a column out until it is read."""
    return defer(column)


WITHOUT_DOCUMENTS = (without(Verdicts.scorecard), without(Verdicts.overview))
"""Lists read no documents, which may have many megabytes."""
SLICES = 6
"""Most slices of a version in a list."""


class Bounds(NamedTuple):
    """Which part of a list to read: rows whose key is below ``before``, at most ``limit``."""

    before: int | None = None
    limit: int = 30


class PageRecords:
    """Each method reads one consistent state, of one repository only. Raises StoreError."""

    _database: Database

    def run_page(self, repository_id: int, sequence: int) -> RunPage | None:
        """Returns a run with all but its cases."""
        with self._database.reading() as session:
            row = session.get(Runs, sequence)
            if row is None or row.repository_id != repository_id:
                return None
            kept = session.get(Verdicts, sequence, options=[without(Verdicts.scorecard)])
            of = select(Experiments, Lineages).join(Lineages, col(Lineages.id) == col(Experiments.lineage_id))
            of = of.where(col(Experiments.run_sequence) == sequence).order_by(col(Experiments.id))
            of = of.options(without(Experiments.record))
            # Without a verdict they may be half-written.
            experiments = session.exec(of).all() if kept else []
            ids = [experiment.id for experiment, _ in experiments]
            cases = session.exec(select(CaseResults.position).where(col(CaseResults.experiment_id).in_(ids)).limit(1))
            (run,) = with_names(session, [row])
            audited = select(Audit).where(col(Audit.repository_id) == repository_id, col(Audit.number) == row.number)
            return RunPage(
                run=run,
                verdict=VerdictStatus(kept.status) if kept else None,
                passes=kept is not None and kept.passes,
                author=kept and kept.author,
                overview=_overview(kept),
                has_cases=cases.first() is not None,
                experiments=tuple(_experiment(*pair) for pair in experiments),
                audit=tuple(entries(session, audited.order_by(col(Audit.id)).limit(100))),
            )

    def run_rows(self, repository_id: int, bounds: Bounds = Bounds()) -> list[RunRow]:  # noqa: B008 - a frozen value
        """Returns runs of a repository, newest first."""
        of = select(Runs, Verdicts).outerjoin(Verdicts, col(Verdicts.run_sequence) == col(Runs.sequence))
        # A suggestion has a page of its own.
        of = of.where(col(Runs.repository_id) == repository_id, col(Runs.kind) != RunKind.SUGGESTION.value)
        of = of.options(*WITHOUT_DOCUMENTS)
        if bounds.before is not None:
            of = of.where(col(Runs.sequence) < bounds.before)
        with self._database.reading() as session:
            found = session.exec(of.order_by(col(Runs.sequence).desc()).limit(bounds.limit)).all()
            runs = with_names(session, [row for row, _ in found])
        return [run_row(run, kept) for run, (_, kept) in zip(runs, found, strict=True)]

    def lineage_rows(self, repository_id: int) -> list[LineageSummary]:
        """Returns the prompts of a repository by name, each with its newest experiment."""
        with self._database.reading() as session:
            of = select(Lineages).where(col(Lineages.repository_id) == repository_id).order_by(col(Lineages.name))
            rows = session.exec(of.limit(1_000)).all()
            found = []
            for row in rows:
                newest = session.execute(find_versions(row.id or 0, Bounds(limit=1))).all()
                found.append((row, version_rows(session, row.id or 0, newest)))
        return [
            LineageSummary(id=row.id or 0, name=row.name, use_case=row.use_case, newest=next(iter(rows), None))
            for row, rows in found
        ]

    def lineage_page(self, repository_id: int, lineage_id: int, bounds: Bounds, *, merged: bool) -> LineagePage | None:
        """Returns a prompt and its experiments, newest first. ``merged``: only those merged into the default branch."""
        with self._database.reading() as session:
            row = session.get(Lineages, lineage_id)
            if row is None or row.repository_id != repository_id:
                return None
            found = session.execute(find_versions(lineage_id, bounds, merged=merged)).all()
            versions = version_rows(session, lineage_id, found)
        return LineagePage(id=lineage_id, name=row.name, use_case=row.use_case, versions=tuple(versions))

    def versions(self, repository_id: int, lineage_id: int, ids: Sequence[int]) -> list[KeptVersion]:
        """Returns prompt versions of a lineage, in the order of ``ids``; those that are gone are left out."""
        with self._database.reading() as session:
            of = select(PromptVersions).where(
                col(PromptVersions.repository_id) == repository_id,
                col(PromptVersions.lineage_id) == lineage_id,
                col(PromptVersions.id).in_(ids),
            )
            rows = {row.id: row for row in session.exec(of)}
        fields = KeptVersion.model_fields
        return [
            KeptVersion.model_validate({name: getattr(rows[each], name) for name in fields})
            for each in ids
            if each in rows
        ]

    def snapshots(self, repository_id: int, lineage_id: int) -> list[SnapshotRow]:
        """Returns the states of a prompt's test set, newest first, at most 50."""
        of = select(TestSetSnapshots).where(
            col(TestSetSnapshots.repository_id) == repository_id, col(TestSetSnapshots.lineage_id) == lineage_id
        )
        of = of.options(without(TestSetSnapshots.content))
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(TestSetSnapshots.id).desc()).limit(50)).all()
        fields = SnapshotRow.model_fields
        return [SnapshotRow.model_validate({name: getattr(row, name) for name in fields}) for row in rows]

    def newest_snapshot(self, repository_id: int, lineage_id: int, most: int) -> str | None:
        """Returns the newest cases as JSON; an empty list if none are kept, ``None`` for more than ``most``."""
        of = select(TestSetSnapshots).where(
            col(TestSetSnapshots.repository_id) == repository_id, col(TestSetSnapshots.lineage_id) == lineage_id
        )
        of = of.options(without(TestSetSnapshots.content)).order_by(col(TestSetSnapshots.id).desc()).limit(1)
        with self._database.reading() as session:
            row = session.exec(of).first()
            if row is None:
                return "[]"
            return row.content if row.cases <= most else None

    def audit_page(self, repository_id: int, bounds: Bounds) -> list[tuple[int, AuditEntry]]:
        """Returns audit entries of a repository with their keys, newest first."""
        of = select(Audit).where(col(Audit.repository_id) == repository_id)
        if bounds.before is not None:
            of = of.where(col(Audit.id) < bounds.before)
        with self._database.reading() as session:
            of = of.order_by(col(Audit.id).desc()).limit(bounds.limit)
            keys = [row.id or 0 for row in session.exec(of)]
            return list(zip(keys, entries(session, of), strict=True))

    def audit_of(self, repository_id: int, numbers: Sequence[int]) -> list[AuditEntry]:
        """Returns the permitted entries about these pull requests, newest first, at most 100."""
        of = select(Audit).where(
            col(Audit.repository_id) == repository_id,
            col(Audit.number).in_(list(numbers)),
            col(Audit.permitted).is_(True),
        )
        with self._database.reading() as session:
            return entries(session, of.order_by(col(Audit.id).desc()).limit(100))


def run_row(run: Any, kept: Verdicts | None) -> RunRow:
    """Returns a run in a list."""
    return RunRow(
        run=run,
        verdict=VerdictStatus(kept.status) if kept else None,
        passes=kept is not None and kept.passes,
        author=kept and kept.author,
        cost_usd=kept.cost_usd + kept.judge_cost_usd if kept else None,
    )


def _experiment(row: Experiments, lineage: Lineages) -> RunExperiment:
    return RunExperiment(
        id=row.id or 0,
        lineage_id=row.lineage_id,
        lineage=lineage.name,
        model=row.model,
        status=VerdictStatus(row.status),
    )


def _overview(kept: Verdicts | None) -> Scorecard | None:
    """Reads the scorecard without its cases. Runs before pages have only the whole one."""
    if kept is None:
        return None
    try:
        return without_cases(Scorecard.model_validate_json(kept.overview or read_text(kept.scorecard)))
    except ValidationError:
        return None


def find_versions(lineage_id: int, bounds: Bounds, *, merged: bool = False, experiments: bool = False) -> Any:
    """Selects experiments of a prompt, newest first, with run, verdict, overall result and whether it was merged.

    ``experiments``: also those that a person asked for on a page. They bring no version.
    """
    later = aliased(Experiments)
    # A version was merged if a run took it as its baseline.
    taken = select(later.id).where(
        col(later.lineage_id) == literal(lineage_id), col(later.baseline_digest) == col(Experiments.candidate_digest)
    )
    of = (
        columns(Experiments, Runs, Verdicts, Comparisons, taken.exists())
        .join(Runs, col(Runs.sequence) == col(Experiments.run_sequence))
        .join(Verdicts, col(Verdicts.run_sequence) == col(Runs.sequence))
        .outerjoin(
            Comparisons, (col(Comparisons.experiment_id) == col(Experiments.id)) & (col(Comparisons.position) == 0)
        )
        .where(col(Experiments.lineage_id) == lineage_id)
    )  # fmt: skip
    if merged:
        # An unchanged prompt is its own baseline: such a run brought no version.
        changed = col(Experiments.baseline_digest).is_distinct_from(col(Experiments.candidate_digest))
        of = of.where(taken.exists(), changed, col(Verdicts.on_default).is_not(False))
    if not experiments:
        of = of.where(col(Runs.kind).not_in(ON_PAGES))
    if bounds.before is not None:
        of = of.where(col(Experiments.id) < bounds.before)
    of = of.options(without(Experiments.record), *WITHOUT_DOCUMENTS)
    return of.order_by(col(Experiments.id).desc()).limit(bounds.limit)


def version_rows(session: Session, lineage_id: int, found: Sequence[Any]) -> list[VersionRow]:
    """Returns what ``find_versions`` found, with scores by slice."""
    ids = [experiment.id for experiment, *_ in found]
    of = select(Comparisons).where(col(Comparisons.experiment_id).in_(ids), col(Comparisons.slice).is_not(None))
    slices: dict[int, list[SliceScore]] = {}
    for row in session.exec(of.order_by(col(Comparisons.experiment_id), col(Comparisons.position))):
        slices.setdefault(row.experiment_id, []).append(SliceScore(row.slice or "", row.candidate, row.result))
    digests = [experiment.candidate_digest for experiment, *_ in found]
    named = select(PromptVersions.digest, PromptVersions.id).where(
        col(PromptVersions.lineage_id) == lineage_id, col(PromptVersions.digest).in_(digests)
    )
    versions = dict(session.exec(named).all())
    return [
        VersionRow(
            experiment_id=experiment.id,
            run_sequence=experiment.run_sequence,
            number=run.number,
            head_sha=run.head_sha,
            base_ref=run.base_ref,
            author=verdict.author,
            at=verdict.kept_at,
            model=experiment.model,
            status=VerdictStatus(experiment.status),
            passes=experiment.passes,
            merged=merged,
            baseline=overall.baseline if overall else None,
            candidate=overall.candidate if overall else None,
            low=overall.low if overall else None,
            high=overall.high if overall else None,
            cases=overall.cases if overall else None,
            slices=tuple(slices.get(experiment.id, ())[:SLICES]),
            cost_per_1000=experiment.candidate_per_1000,
            latency_s=experiment.latency_s,
            version_id=versions.get(experiment.candidate_digest),
        )
        for experiment, run, verdict, overall, merged in found
    ]
