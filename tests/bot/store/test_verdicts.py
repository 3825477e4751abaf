"""What a verdict was made from is kept with it, and can be looked back at; versions never change; money is exact."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from bot.store.columns import Instant, Money
from bot.store.retention import Retention
from bot.store.values import Measured, PromptVersion, RepositoryRef, RunKind, RunState, TestSetSnapshot
from schemas.effects import CostEffect, Effect
from schemas.errors import StoreError
from schemas.experiments import ExperimentRecord
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.scorecard import LineageCard, Spending
from schemas.use_cases import UseCase
from schemas.verdicts import Interval, VerdictStatus
from tests.bot.cards import card

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
REPO = RepositoryRef(installation_id=7, repository_id=11, full_name="acme/prompts")
A = "a" * 40


def version(words):
    return PromptVersion(digest=words * 8, path=f"{words}.md", model="m-1", content=f'["{words}"]')


def record(lineage="triage"):
    return ExperimentRecord(
        lineage=lineage,
        model="toy",
        content_digest="f" * 64,
        gate=GateConfig(),
        metrics=(MetricSpec(name="accuracy"),),
        cases=(),
    )


def measured(before="old", after="new", tests="t1"):
    snapshot = TestSetSnapshot(digest=tests, path="t.jsonl", cases=2, content="[1, 2]")
    return Measured(
        lineage="triage",
        model="toy",
        baseline=version(before),
        candidate=version(after),
        tests=snapshot,
        record=record(),
    )


def triage(cost="0.10", overall=0.9):
    def effect(score, slice=None):  # noqa: A002
        return Effect(
            slice=slice, metric="accuracy", cases=60, baseline=0.8, candidate=score, change=0.1,
            interval=Interval(low=-0.01, high=None), margin=0.05, result="better",
        )  # fmt: skip

    return LineageCard(
        lineage="triage", model="toy", use_case=UseCase.CLASSIFICATION, prompt="p.md", status=VerdictStatus.APPROVED, passes=True,
        headline="better", overall=None if overall is None else effect(overall), slices=(effect(0.7, "edge"),),
        spending=Spending(cost_usd=Decimal(cost)), content_digest="f" * 64,
        cost=CostEffect(
            baseline_per_1000=Decimal("0.2000"), candidate_per_1000=None, increase=None, interval=None, limit=None, result="not_gated"
        ),
    )  # fmt: skip


def kept(records, head=A, *, at=NOW, of=None, lineage=None):
    run = records.open_run(
        REPO, 3, head, "main", why="pushed", kind=RunKind.PULL_REQUEST, raise_attempt=False, at=at
    )  # fmt: skip
    records.keep_verdict(run.id, card(lineages=(lineage or triage(),)), "d" * 64, at=at, measured=[of or measured()])
    records.finish(run.id, RunState.DONE, at)
    return run


def rows(records, query):
    with records._database.reading() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_a_verdict_keeps_what_it_was_made_from(records):
    run = kept(records)
    assert records.experiments(run.id) == [record()]
    assert rows(records, "SELECT path, model, content FROM prompt_versions ORDER BY id") == [
        ("old.md", "m-1", '["old"]'),
        ("new.md", "m-1", '["new"]'),
    ]
    assert rows(records, "SELECT path, cases, content FROM test_set_snapshots") == [("t.jsonl", 2, "[1, 2]")]
    assert rows(records, "SELECT position, slice, candidate, low, high FROM comparisons ORDER BY position") == [
        (0, None, 0.9, -0.01, None),
        (1, "edge", 0.7, -0.01, None),
    ]


def test_the_same_content_is_one_version_however_often_it_is_measured(records):
    kept(records)
    kept(records, "b" * 40, of=measured("new", "newer"))
    assert rows(records, "SELECT path FROM prompt_versions ORDER BY id") == [("old.md",), ("new.md",), ("newer.md",)]
    assert len(rows(records, "SELECT 1 FROM test_set_snapshots")) == 1


def test_a_lineage_is_looked_back_at_newest_first(records):
    kept(records)
    second = kept(records, "b" * 40, at=NOW + timedelta(days=1), lineage=triage("0.30", None))
    newest, oldest = records.lineage_history(11, "triage")
    assert (newest.run_id, newest.number, newest.head_sha, newest.at) == (
        second.id,
        3,
        "b" * 40,
        NOW + timedelta(days=1),
    )
    assert (newest.cases, newest.candidate) == (None, None), "no data is not 0, and a slice is not the whole"
    assert (oldest.cases, oldest.baseline, oldest.candidate, oldest.low, oldest.high) == (60, 0.8, 0.9, -0.01, None)
    assert (str(oldest.cost_usd), str(oldest.baseline_per_1000), oldest.candidate_per_1000) == ("0.10", "0.2000", None)
    assert records.lineage_history(11, "other") == []
    assert records.lineages(11) == {"triage": UseCase.CLASSIFICATION}
    first_page = records.runs_of_repository(11, limit=1)
    assert [run.id for run in first_page] == [second.id]
    assert [run.head_sha for run in records.runs_of_repository(11, before=first_page[0].sequence)] == [A]


@pytest.mark.parametrize("table", ["prompt_versions", "test_set_snapshots"])
def test_the_database_refuses_to_change_a_version(records, table):
    kept(records)
    before = rows(records, f"SELECT * FROM {table}")
    changes = [f"UPDATE {table} SET content = 'x'"]
    copied = "repository_id, lineage_id, digest, path, content, first_seen_at" + (
        ", model" if table == "prompt_versions" else ", cases"
    )
    insert = f"INTO {table} ({copied}) SELECT {copied.replace('path', 'path || path')} FROM {table}"
    if records._database.is_postgres:
        changes.append(f"INSERT {insert} ON CONFLICT (lineage_id, digest) DO UPDATE SET content = 'x'")
    else:
        changes.append(f"INSERT OR REPLACE {insert}")
    for change in changes:
        with pytest.raises(StoreError, match=f"{table} is never changed"), records._database.writing() as session:
            session.execute(text(change))
    assert rows(records, f"SELECT * FROM {table}") == before


def test_the_audit_log_can_not_be_emptied_or_written_over(records):
    entry = "INTO audit (id, repository_id, number, by, role, action, permitted, at) VALUES (1, 1, 1, '{}', 'r', 'a', true, '2026-01-01 00:00:00')"
    with records._database.writing() as session:
        session.execute(text("INSERT " + entry.format("mona")))
    changes = (
        ["TRUNCATE audit CASCADE"] if records._database.is_postgres else ["INSERT OR REPLACE " + entry.format("eve")]
    )
    for change in changes:
        with pytest.raises(StoreError, match="never changed"), records._database.writing() as session:
            session.execute(text(change))
    assert rows(records, "SELECT by FROM audit") == [("mona",)]


def test_old_texts_go_and_their_figures_stay(records):
    old, young = timedelta(days=400), timedelta(days=10)
    first = kept(records, at=NOW - old)
    second = kept(records, "b" * 40, at=NOW - young, of=measured("new", "newer"))
    assert records.prune(Retention(texts_days=365), NOW) > 0
    assert (records.verdict(first.id), records.experiments(first.id)) == (None, [])
    assert records.verdict(second.id).scorecard.passes
    assert records.experiments(second.id) == [record()]
    assert rows(records, "SELECT path FROM prompt_versions ORDER BY id") == [("new.md",), ("newer.md",)]
    assert len(rows(records, "SELECT 1 FROM test_set_snapshots")) == 1
    assert [str(point.cost_usd) for point in records.lineage_history(11, "triage")] == ["0.10", "0.10"]
    assert records.prune(Retention(texts_days=365), NOW) == 0


def test_old_deliveries_and_commands_go_and_what_waits_stays(records):
    records.repository(REPO, NOW)
    for number, days in enumerate((40, 40, 5)):
        then = NOW - timedelta(days=days)
        records.receive(f"d{number}", "push", b"{}", then)
        if number != 1:
            (claimed,) = (one for one in records.claim("w", 9, 1, then) if one.id == f"d{number}")
            records.handled(claimed, "", then)
        records.begin_command(11, number, then)
    records.prune(Retention(deliveries_days=30), NOW)
    assert records.known_deliveries(["d0", "d1", "d2"]) == {"d1", "d2"}
    assert rows(records, "SELECT comment_id FROM commands") == [(2,)]


@given(st.decimals(allow_nan=False, allow_infinity=False))
@settings(max_examples=50, deadline=None)
def test_money_comes_back_digit_for_digit(amount):
    stored = Money().process_bind_param(amount, None)
    assert str(Money().process_result_value(stored, None)) == str(amount)


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_what_is_no_amount_is_not_kept_as_money(amount):
    with pytest.raises(ValueError, match="not an amount of money"):
        Money().process_bind_param(Decimal(amount), None)


@given(when=st.datetimes(timezones=st.timezones(), min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_moment_comes_back_to_the_microsecond_in_utc(records, when):
    slot = f"s{when.timestamp()}"
    records.heartbeat(slot, when)
    with records._database.reading() as session:
        query = text("SELECT seen_at FROM slots WHERE slot = :slot").columns(seen_at=Instant)
        (found,) = session.execute(query, {"slot": slot}).one()
    assert found == when.astimezone(UTC)
    assert found.tzinfo is UTC
    records.forget_slot(slot)


def test_a_moment_without_a_zone_is_refused(records):
    with pytest.raises(Exception, match="without a time zone"):
        records.heartbeat("w", datetime(2026, 1, 1))  # noqa: DTZ001
