"""The statements with which spans and figures are written."""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, text
from sqlmodel import col, select

from bot.store.database import insert_once
from bot.store.production_tables import ProductionContents, ProductionHours, ProductionSpans
from bot.store.production_values import LATENCY_STEPS_S, Figures, HourKey
from engine.production.calls import calls_of
from schemas.production import ProductionCall, SpanContent, SpanFacts, SpanKey

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlmodel import Session

    from bot.store.database import Database
    from bot.store.tables import Table

PARTITION_LOCK = 0x50_56_50_41_52
"""Advisory lock in Postgres: two writers may need the same new day at once."""
KEYS = 1_000
"""Distinct keys of a repository's hour. What comes after them is counted as ``OTHER``: names in traces could otherwise
fill the table."""
OTHER = "(other)"
MOST_USD = Decimal(1_000_000)
"""Largest cost of an hour and key. A sender may claim any number of tokens, and the column ends at nine millions."""
KEEP_HOURS = timedelta(days=400)
"""How long hourly figures are kept: a year, and the weeks before it to compare with."""
DAY = timedelta(days=1)
MOST_SPANS = 500
"""Spans of one trace that are read. A trace with more is counted in parts."""
TRACES_TOGETHER = 400
_DAY = re.compile(r"[0-9]{8}")


def known_spans(
    session: Session, repository_id: int, spans: Sequence[SpanFacts]
) -> tuple[dict[str, list[SpanFacts]], set[SpanKey]]:
    """Returns the stored spans of the same traces, by trace, and the keys of those of ``spans`` that are stored.

    A trace with more than ``MOST_SPANS`` has none: an application with one trace for all of its life would otherwise
    have all of it read for each batch. What it sends from then on is counted by itself.
    """
    traces = sorted({span.trace_id for span in spans})
    days = [span.started_at.date() for span in spans]
    here = (
        col(ProductionSpans.repository_id) == repository_id,
        # Names the partitions to look at. A trace may go on over midnight.
        col(ProductionSpans.day) >= min(days) - DAY,
        col(ProductionSpans.day) <= max(days) + DAY,
    )
    found: dict[str, list[SpanFacts]] = {trace: [] for trace in traces}
    sizes = _sizes(session, here, [bytes.fromhex(trace) for trace in traces])
    for some in _portions([trace for trace, size in sizes.items() if size <= MOST_SPANS]):
        for row in session.exec(select(ProductionSpans).where(*here, col(ProductionSpans.trace_id).in_(some))):
            found[row.trace_id.hex()].append(facts_of_row(row))
    known = {span.key for each in found.values() for span in each}
    large = {trace.hex() for trace, size in sizes.items() if size > MOST_SPANS}
    known |= _stored_keys(session, here, large, spans)
    return found, known


def _sizes(session: Session, here: Sequence[ColumnElement[bool]], traces: Sequence[bytes]) -> dict[bytes, int]:
    """Returns how many spans of each trace are stored. Traces without any are left out."""
    trace_id = col(ProductionSpans.trace_id)
    of = select(trace_id, func.count()).where(*here).group_by(trace_id)
    found: dict[bytes, int] = {}
    for some in _portions(traces):
        found |= dict(session.exec(of.where(trace_id.in_(some))).all())
    return found


def _stored_keys(
    session: Session, here: Sequence[ColumnElement[bool]], traces: Collection[str], spans: Sequence[SpanFacts]
) -> set[SpanKey]:
    """Returns the keys of those spans of these traces that are stored."""
    found: set[SpanKey] = set()
    for trace in traces:
        of = select(ProductionSpans.span_id, ProductionSpans.part).where(
            *here, col(ProductionSpans.trace_id) == bytes.fromhex(trace)
        )
        for ids in _portions([bytes.fromhex(span.span_id) for span in spans if span.trace_id == trace]):
            rows = session.exec(of.where(col(ProductionSpans.span_id).in_(ids)))
            found |= {SpanKey(trace, span_id.hex(), part) for span_id, part in rows}
    return found


def _portions(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(ids), TRACES_TOGETHER):
        yield ids[start : start + TRACES_TOGETHER]


def facts_of_row(row: ProductionSpans) -> SpanFacts:
    """Returns a stored span."""
    plain = {
        name: getattr(row, name)
        for name in SpanFacts.model_fields
        if name not in ("trace_id", "span_id", "parent_id", "decisions")
    }
    return SpanFacts(
        trace_id=row.trace_id.hex(),
        span_id=row.span_id.hex(),
        parent_id=row.parent_id.hex() if row.parent_id else None,
        decisions=json.loads(row.decisions) if row.decisions else {},
        **plain,
    )


def differences(before: Mapping[str, list[SpanFacts]], new: Iterable[SpanFacts]) -> dict[HourKey, Figures]:
    """Returns what new spans change in the figures, given what is known of their traces."""
    added: dict[str, list[SpanFacts]] = defaultdict(list)
    for span in new:
        added[span.trace_id].append(span)
    changed: dict[HourKey, Figures] = defaultdict(Figures)
    for trace, spans in added.items():
        known = before.get(trace, [])
        # A late span can change a call that is counted already: the old count goes and the new one comes.
        for sign, members in ((-1, known), (1, [*known, *spans])):
            for call in calls_of(members):
                key, figures = _counted(call)
                changed[key] = changed[key].plus(figures, sign)
    return {key: figures for key, figures in changed.items() if figures != Figures()}


def _counted(call: ProductionCall) -> tuple[HourKey, Figures]:
    key = HourKey(
        call.lineage or "",
        call.started_at.replace(minute=0, second=0, microsecond=0),
        call.digest or "",
        call.model or "",
        call.decision or "",
        call.deferred or "",
        call.error or "",
    )
    step = next((place for place, end in enumerate(LATENCY_STEPS_S) if call.latency_s <= end), len(LATENCY_STEPS_S))
    return key, Figures(
        calls=1,
        input_tokens=call.input_tokens or 0,
        output_tokens=call.output_tokens or 0,
        cost_usd=call.cost_usd or Figures().cost_usd,
        priced=call.cost_usd is not None,
        confidence=round((call.confidence or 0.0) * 1_000_000),
        confident=call.confidence is not None,
        latency_ms=round(call.latency_s * 1_000),
        latencies=tuple(int(place == step) for place in range(len(LATENCY_STEPS_S) + 1)),
    )


def add_to_hours(session: Session, repository_id: int, changed: Mapping[HourKey, Figures]) -> None:
    """Adds to the figures of a repository that this transaction has locked."""
    by_hour: dict[datetime, dict[HourKey, Figures]] = defaultdict(dict)
    for key, figures in changed.items():
        by_hour[key.hour][key] = figures
    for hour, entries in sorted(by_hour.items()):
        here = (col(ProductionHours.repository_id) == repository_id, col(ProductionHours.hour) == hour)
        rows = {_key(row): row for row in session.exec(select(ProductionHours).where(*here))}
        for key, figures in entries.items():
            known = _place(key, rows)
            if known not in rows:
                rows[known] = ProductionHours(repository_id=repository_id, **known._asdict(), **_columns(Figures()))
                session.add(rows[known])
            row = rows[known]
            for name, value in _columns(figures_of(row).plus(figures)).items():
                setattr(row, name, value)
    session.flush()


def figures_of(row: ProductionHours) -> Figures:
    """Returns the sums of a row."""
    sums = {name: getattr(row, name) for name in Figures._fields if name != "latencies"}
    return Figures(**sums, latencies=tuple(json.loads(row.latencies)))


def _columns(figures: Figures) -> dict[str, Any]:
    cost = min(figures.cost_usd, MOST_USD)
    return {**figures._asdict(), "cost_usd": cost, "latencies": json.dumps(figures.latencies)}


def _key(row: ProductionHours) -> HourKey:
    return HourKey(row.lineage, row.hour, row.digest, row.model, row.decision, row.deferred, row.error)


def _place(key: HourKey, rows: Mapping[HourKey, object]) -> HourKey:
    """Returns the key under which is counted. Rows are never deleted, so the same call always has the same one."""
    if key in rows or len(rows) < KEYS:
        return key
    known = any(row.lineage == key.lineage for row in rows)
    return HourKey(
        key.lineage if known else OTHER, key.hour, OTHER, OTHER, OTHER if key.decision else "",
        OTHER if key.deferred else "", OTHER if key.error else "",
    )  # fmt: skip


def open_days(session: Session, table: str, days: Iterable[date]) -> None:
    """Creates the partitions of these days in Postgres, where they are missing."""
    if session.get_bind().dialect.name != "postgresql":
        return
    connection = session.connection()
    for day in sorted(days):
        name = f"{table}_{day:%Y%m%d}"
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None:
            continue
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PARTITION_LOCK})
        bounds = f"FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES {bounds}"))


def delete_production(database: Database, at: datetime, keep_spans: timedelta) -> int:
    """Deletes spans older than ``keep_spans``, expired contents, and figures older than ``KEEP_HOURS``.

    In Postgres, days are dropped as a whole. Returns the number of deleted rows, each dropped day counting as one.
    """
    today = at.astimezone(UTC).date()
    deleted = 0
    for table, before in ((ProductionSpans, today - keep_spans), (ProductionContents, today)):
        name = str(table.__tablename__)
        # A short transaction each: dropping a day waits for those that read it.
        with database.writing() as session:
            if database.is_postgres:
                days = _partitions(session, name, before)
                for day in days:
                    session.connection().execute(text(f"DROP TABLE IF EXISTS {day}"))
                deleted += len(days)
            else:
                column = ProductionSpans.day if table is ProductionSpans else ProductionContents.expires_on
                deleted += session.exec(delete(table).where(col(column) < before)).rowcount
    with database.writing() as session:
        old = delete(ProductionHours).where(col(ProductionHours.hour) < at - KEEP_HOURS)
        return deleted + session.exec(old).rowcount


def _partitions(session: Session, table: str, before: date) -> list[str]:
    """Returns the names of the days' tables before a day."""
    names = session.connection().execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:name)"), {"name": table}
    )
    first = f"{table}_{before:%Y%m%d}"
    return sorted(name for (name,) in names if _DAY.fullmatch(name.removeprefix(f"{table}_")) and name < first)


def insert_spans(session: Session, repository_id: int, spans: Iterable[SpanFacts]) -> None:
    """Inserts spans that are not stored yet."""
    rows = [
        {
            **span.model_dump(exclude={"decisions"}),
            "repository_id": repository_id,
            "day": span.started_at.astimezone(UTC).date(),
            "trace_id": bytes.fromhex(span.trace_id),
            "span_id": bytes.fromhex(span.span_id),
            "parent_id": bytes.fromhex(span.parent_id) if span.parent_id else None,
            "decisions": json.dumps(span.decisions) if span.decisions else None,
        }
        for span in spans
    ]
    _insert(session, ProductionSpans, rows)


def insert_contents(
    session: Session,
    repository_id: int,
    contents: Mapping[SpanKey, tuple[SpanContent, date]],
) -> None:
    """Inserts sampled contents that are not stored yet, each with the day on which it must be gone."""
    open_days(session, "production_contents", {expires_on for _, expires_on in contents.values()})
    rows = [
        {
            "repository_id": repository_id,
            "trace_id": bytes.fromhex(trace_id),
            "span_id": bytes.fromhex(span_id),
            "part": part,
            "expires_on": expires_on,
            "content": zlib.compress(content.model_dump_json().encode(errors="replace")),
        }
        for (trace_id, span_id, part), (content, expires_on) in contents.items()
    ]
    if rows:
        session.connection().execute(insert_once(session, ProductionContents), rows)


def _insert(session: Session, table: type[Table], rows: Sequence[dict[str, Any]]) -> None:
    """Inserts rows: by COPY in Postgres, which is several times faster."""
    if not rows:
        return
    dialect, connection = session.get_bind().dialect, session.connection()
    if dialect.name != "postgresql":
        connection.execute(insert(table), list(rows))
        return
    columns = list(table.__table__.columns)  # type: ignore[attr-defined]
    names = ", ".join(column.name for column in columns)
    write = [column.type.bind_processor(dialect) for column in columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.__tablename__} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [
                    bind(row.get(column.name)) if bind is not None else row.get(column.name)
                    for column, bind in zip(columns, write, strict=True)
                ]
            )
