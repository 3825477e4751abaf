"""Stores what production reports: spans once each, and the hourly figures that they add up to."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, case, delete, func, type_coerce
from sqlmodel import col, select

from bot.store.hub_tables import ReadTokens
from bot.store.hub_values import TokenKind
from bot.store.installations import hold
from bot.store.production_tables import (
    PICO,
    ProductionContents,
    ProductionHours,
    ProductionSettings,
    ProductionSpans,
)
from bot.store.production_values import (
    DayDecisions,
    HourFigures,
    HourKey,
    LineageSettings,
    PromptTotals,
    RecentCall,
    StoredSpan,
    StoredTrace,
    Written,
)
from bot.store.production_writing import (
    DAY,
    MOST_SPANS,
    OTHER,
    TRACES_TOGETHER,
    add_to_hours,
    differences,
    facts_of_row,
    figures_of,
    insert_contents,
    insert_spans,
    known_spans,
    open_days,
)
from bot.store.tables import Repositories
from bot.store.values import RepositoryRef
from engine.production.calls import calls_of
from schemas.production import SpanContent, SpanFacts, SpanKey

if TYPE_CHECKING:
    from bot.store.database import Database

MOST_PROMPTS = 200
"""Prompts of a repository whose drift is read."""


class ProductionRecords:
    """Every method is one transaction. Raises StoreError."""

    _database: Database

    def write_spans(
        self,
        repository_id: int,
        spans: Sequence[SpanFacts],
        contents: Mapping[SpanKey, tuple[SpanContent, date]] | None = None,
    ) -> Written:
        """Stores spans that are not known yet, and counts what they change in the figures.

        ``contents`` has sampled contents with the day on which they must be gone, by the spans' keys. All or nothing:
        once this returns, everything is synced. Raises StoreError for a removed repository.
        """
        with self._database.writing() as session:
            # Writers of one repository take turns: both the check for known spans and the sums depend on it.
            hold(session, repository_id)
            before, known = known_spans(session, repository_id, spans)
            new = {span.key: span for span in spans if span.key not in known}
            if new:
                open_days(session, "production_spans", {span.started_at.date() for span in new.values()})
                insert_spans(session, repository_id, new.values())
                add_to_hours(session, repository_id, differences(before, new.values()))
            insert_contents(session, repository_id, contents or {})
            return Written(len(new), len(spans) - len(new))

    def decision_counts(
        self, repository_id: int, lineage: str | None = None, *, since: date, until: date
    ) -> list[DayDecisions]:
        """Returns the decisions of the days from ``since`` up to and including ``until`` (UTC), oldest first.

        All prompts without ``lineage``. Days without a decision are left out.
        """
        found: dict[tuple[date, str, str, str], dict[str, int]] = defaultdict(dict)
        for key, figures in self.hour_figures(repository_id, lineage, since=since, until=until):
            if key.decision and key.lineage and figures.calls:
                counts = found[key.hour.date(), key.lineage, key.digest, key.model]
                counts[key.decision] = counts.get(key.decision, 0) + figures.calls
        return [DayDecisions(*of, counts) for of, counts in sorted(found.items())]

    def hour_figures(
        self, repository_id: int, lineage: str | None = None, *, since: date, until: date
    ) -> list[HourFigures]:
        """Returns the figures of the days from ``since`` up to and including ``until`` (UTC), oldest first."""
        rows = select(ProductionHours).where(
            col(ProductionHours.repository_id) == repository_id,
            col(ProductionHours.hour) >= _midnight(since),
            col(ProductionHours.hour) < _midnight(until + DAY),
            *([col(ProductionHours.lineage) == lineage] if lineage is not None else []),
        )
        with self._database.reading() as session:
            return [_hour(row) for row in session.exec(rows.order_by(col(ProductionHours.hour)))]

    def figures_of_repositories(self, repository_ids: Sequence[int], *, since: date) -> list[tuple[int, HourFigures]]:
        """Returns the figures of these repositories since a day (UTC), each with its repository."""
        with self._database.reading() as session:
            found = []
            for start in range(0, len(repository_ids), TRACES_TOGETHER):
                of = select(ProductionHours).where(
                    col(ProductionHours.repository_id).in_(repository_ids[start : start + TRACES_TOGETHER]),
                    col(ProductionHours.hour) >= _midnight(since),
                )
                found += [(row.repository_id, _hour(row)) for row in session.exec(of)]
            return found

    def prompt_totals(self, since: datetime) -> list[PromptTotals]:
        """Returns the sums of every prompt of every repository since a full hour, the most used first."""
        table = ProductionHours
        deferred, failed = (case((of != "", table.calls), else_=0) for of in (col(table.deferred), col(table.error)))
        # As a float: SQLite's sum of whole numbers fails where it grows too large.
        cost_usd = type_coerce(col(table.cost_usd), BigInteger) / float(PICO)
        sums = (col(table.calls), deferred, failed, cost_usd, col(table.latency_ms))
        keys = (col(table.repository_id), col(table.lineage), col(table.decision))
        of = select(*keys, *(func.sum(one) for one in sums)).where(col(table.hour) >= since).group_by(*keys)
        found: dict[tuple[int, str], PromptTotals] = {}
        with self._database.reading() as session:
            for repository_id, lineage, decision, calls, later, errors, cost, latency_ms in session.execute(of):
                before = found.get((repository_id, lineage))
                decisions = {**(before.decisions if before else {}), **({decision: int(calls)} if decision else {})}
                found[repository_id, lineage] = PromptTotals(
                    repository_id,
                    lineage,
                    int(calls) + (before.calls if before else 0),
                    int(later) + (before.deferred if before else 0),
                    int(errors) + (before.errors if before else 0),
                    Decimal(cost) + (before.cost_usd if before else 0),
                    float(latency_ms) / 1_000 + (before.latency_s if before else 0.0),
                    decisions,
                )
        return sorted((one for one in found.values() if one.calls), key=lambda one: -one.calls)

    def production_lineages(self, repository_id: int) -> list[str]:
        """Returns the prompts that production has reported, by name: the ``MOST_PROMPTS`` with the most calls."""
        name = col(ProductionHours.lineage)
        # Any text in a trace can be a name, and each costs a daily reading and its alerts.
        names = select(name).where(col(ProductionHours.repository_id) == repository_id, name.not_in(("", OTHER)))
        most = names.group_by(name).order_by(func.sum(col(ProductionHours.calls)).desc(), name).limit(MOST_PROMPTS)
        with self._database.reading() as session:
            return sorted(session.exec(most))

    def production_trace(self, repository_id: int, trace_id: str) -> StoredTrace | None:
        """Returns what is kept of a trace, with sampled content; ``None`` if nothing is."""
        with self._database.reading() as session:
            here = (
                col(ProductionSpans.repository_id) == repository_id,
                col(ProductionSpans.trace_id) == bytes.fromhex(trace_id),
            )
            of = select(ProductionSpans).where(*here).order_by(col(ProductionSpans.started_at)).limit(MOST_SPANS)
            spans = [facts_of_row(row) for row in session.exec(of)]
            if not spans:
                return None
            kept = select(ProductionContents).where(
                col(ProductionContents.repository_id) == repository_id,
                col(ProductionContents.trace_id) == bytes.fromhex(trace_id),
            )
            contents = _by_span(session.exec(kept.order_by(col(ProductionContents.part))).all())
        return StoredTrace(
            trace_id=trace_id,
            calls=tuple(calls_of(spans)),
            spans=tuple(StoredSpan(facts=span, content=contents.get(span.span_id)) for span in spans),
        )

    def lineage_settings(self, repository_id: int) -> list[LineageSettings]:
        """Returns what the default branch says about each prompt's production, by name."""
        of = select(ProductionSettings).where(col(ProductionSettings.repository_id) == repository_id)
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(ProductionSettings.lineage)))
            return [LineageSettings.model_validate_json(row.settings) for row in rows]

    def stale_production_settings(self, before: datetime) -> list[RepositoryRef]:
        """Returns repositories with an ingest token whose settings were not read since ``before``."""
        ingest = select(ReadTokens.repository_id).where(
            col(ReadTokens.kind) == TokenKind.INGEST.value, col(ReadTokens.revoked_at).is_(None)
        )
        fresh = select(ProductionSettings.repository_id).where(col(ProductionSettings.read_at) >= before)
        of = select(Repositories).where(col(Repositories.id).in_(ingest), col(Repositories.id).not_in(fresh))
        with self._database.reading() as session:
            return [
                RepositoryRef(installation_id=row.installation_id, repository_id=row.id, full_name=row.name)
                for row in session.exec(of)
            ]

    def keep_lineage_settings(self, repository_id: int, settings: Sequence[LineageSettings], at: datetime) -> None:
        """Replaces them. Raises StoreError for a removed repository."""
        with self._database.writing() as session:
            hold(session, repository_id)
            session.exec(delete(ProductionSettings).where(col(ProductionSettings.repository_id) == repository_id))
            session.add_all(
                ProductionSettings(
                    repository_id=repository_id, lineage=one.lineage, settings=one.model_dump_json(), read_at=at
                )
                for one in settings
            )

    def recent_calls(
        self, repository_id: int, lineage: str, *, before: datetime | None = None, limit: int = 20
    ) -> list[RecentCall]:
        """Returns the newest calls of a prompt, newest first; only those that began before ``before``."""
        traces = {span.trace_id for span in self.recent_spans(repository_id, lineage, before=before, limit=limit)}
        of = select(ProductionSpans).where(
            col(ProductionSpans.repository_id) == repository_id,
            col(ProductionSpans.trace_id).in_([bytes.fromhex(trace) for trace in traces]),
        )
        kept = select(ProductionContents.trace_id).where(
            col(ProductionContents.repository_id) == repository_id,
            col(ProductionContents.trace_id).in_([bytes.fromhex(trace) for trace in traces]),
        )
        spans = defaultdict(list)
        with self._database.reading() as session:
            for row in session.exec(of.order_by(col(ProductionSpans.started_at).desc()).limit(MOST_SPANS)):
                spans[row.trace_id.hex()].append(facts_of_row(row))
            with_content = {trace.hex() for trace in session.exec(kept.distinct())}
        found = [
            RecentCall(call, trace in with_content)
            for trace, some in spans.items()
            for call in calls_of(some)
            if call.lineage == lineage
        ]
        return sorted(found, key=lambda one: one.call.started_at, reverse=True)[:limit]

    def recent_spans(
        self, repository_id: int, lineage: str, *, before: datetime | None = None, limit: int = 50
    ) -> list[SpanFacts]:
        """Returns the newest spans that name this prompt, newest first; only those that began before ``before``."""
        of = select(ProductionSpans).where(
            col(ProductionSpans.repository_id) == repository_id,
            col(ProductionSpans.lineage) == lineage,
            *([col(ProductionSpans.started_at) < before] if before is not None else []),
        )
        with self._database.reading() as session:
            rows = session.exec(of.order_by(col(ProductionSpans.started_at).desc()).limit(limit))
            return [facts_of_row(row) for row in rows]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _hour(row: ProductionHours) -> HourFigures:
    key = HourKey(row.lineage, row.hour, row.digest, row.model, row.decision, row.deferred, row.error)
    return HourFigures(key, figures_of(row))


def _by_span(rows: Sequence[ProductionContents]) -> dict[str, SpanContent]:
    """Returns the contents by span. Log records may bring input and output apart, or again."""
    found: dict[str, SpanContent] = {}
    for row in rows:
        content = SpanContent.model_validate_json(zlib.decompress(row.content))
        before = found.get(row.span_id.hex(), content)
        fresh = (message for message in content.input if message not in before.input)
        found[row.span_id.hex()] = SpanContent(
            lineage=content.lineage, input=(*before.input, *fresh), output=before.output or content.output
        )
    return found
