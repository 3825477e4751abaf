"""A verdict with very many cases is stored in portions: never shown half, repeated after a crash, never mixed."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from bot.store import documents, verdicts
from bot.store.page_records import Bounds
from bot.store.page_values import CaseFilter
from bot.store.retention import Retention
from bot.store.values import RunState
from schemas.errors import StoreError
from tests.bot.pages.stage import NOW, SHOP, keep
from tests.render.scorecards import blocked

pytestmark = pytest.mark.slow

CASES = {one.lineage: len(one.cases) for one in blocked().lineages}
PORTION = 7


@pytest.fixture(autouse=True)
def portions(monkeypatch):
    monkeypatch.setattr(verdicts, "TOGETHER", PORTION)


@pytest.fixture
def stop(monkeypatch):
    """Lets the worker die before its n-th portion of cases."""

    def plan(after):
        real, done = verdicts.keep_cases, []

        def dying(*given):
            done.append(given)
            if len(done) > after:
                raise KeyboardInterrupt
            real(*given)

        monkeypatch.setattr(verdicts, "keep_cases", dying)
        return lambda: monkeypatch.setattr(verdicts, "keep_cases", real)

    return plan


def counted(records, table):
    with records._database.reading() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def shown(records, run):
    page = records.run_page(11, run.sequence)
    return page, {one.lineage: len(records.cases(one.id, CaseFilter(), limit=10_000)) for one in page.experiments}


def test_a_large_verdict_is_the_same_as_a_small_one_and_no_portion_is_large(records, monkeypatch):
    inserted = []
    engine = records._database._engine
    listen = lambda conn, cursor, statement, parameters, context, many: inserted.append(  # noqa: E731
        len(parameters) if many and "INTO case_results" in statement else 0
    )
    event.listen(engine, "before_cursor_execute", listen)
    first = keep(records, SHOP, blocked(), 3, at=NOW)
    assert max(inserted) <= PORTION
    monkeypatch.setattr(verdicts, "TOGETHER", 10_000)
    second = keep(records, SHOP, blocked(), 4, at=NOW + timedelta(days=1))
    assert shown(records, first)[1] == shown(records, second)[1] == CASES
    ids = [shown(records, run)[0].experiments[0].id for run in (first, second)]
    rows = [records.cases(one, CaseFilter(), limit=10_000) for one in ids]
    alike = {"runs", "failures", "flaky"}
    assert [row.model_dump(exclude=alike) for row in rows[0]] == [row.model_dump(exclude=alike) for row in rows[1]]
    assert {row.runs for row in rows[0]} | {0} == {0, 1}
    assert {row.runs for row in rows[1]} | {0} == {0, 2}, "the history goes on"
    assert records.verdict(first.id).scorecard.lineages == records.verdict(second.id).scorecard.lineages


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_worker_that_dies_in_between_leaves_nothing_to_see_and_the_next_one_stores_it_whole(records, stop, after):
    old = keep(records, SHOP, blocked(), 2, at=NOW - timedelta(days=1))
    lineage = shown(records, old)[0].experiments[0].lineage_id
    before = records.newest_experiment(lineage), records.newest_of_models(11, lineage), records.small_test_sets([11])
    revive = stop(after)
    with pytest.raises(KeyboardInterrupt):
        keep(records, SHOP, blocked(), 3, at=NOW)
    run = records.current_run(11, 3)
    page, cases = shown(records, run)
    assert (page.verdict, page.overview, page.experiments, cases) == (None, None, (), {})
    assert counted(records, "experiments") > len(CASES), "there is something half-written"
    assert len(records.lineage_page(11, lineage, Bounds(), merged=False).versions) == 1
    after_crash = records.newest_experiment(lineage), records.newest_of_models(11, lineage)
    assert (*after_crash, records.small_test_sets([11])) == before
    revive()
    again = keep(records, SHOP, blocked(), 3, at=NOW)
    assert again.id == run.id
    assert shown(records, again)[1] == CASES
    assert counted(records, "experiments") == 2 * len(CASES)
    assert counted(records, "case_results") == counted(records, "case_documents") == 2 * sum(CASES.values())
    assert {row.runs for row in records.cases(shown(records, again)[0].experiments[0].id, CaseFilter(), limit=999)} <= {
        0, 1, 2,
    }  # fmt: skip


def test_two_workers_never_mix_their_portions(records, monkeypatch):
    """The second stores everything while the first is at it."""
    real, begun = verdicts.case_counts_before, []

    def interleaved(*given):
        if not begun:
            begun.append(True)
            keep(records, SHOP, blocked(), 3, at=NOW)
        return real(*given)

    monkeypatch.setattr(verdicts, "case_counts_before", interleaved)
    with pytest.raises(StoreError):
        keep(records, SHOP, blocked(), 3, at=NOW)
    run = records.current_run(11, 3)
    assert shown(records, run)[1] == CASES
    assert counted(records, "experiments") == len(CASES)
    assert counted(records, "case_results") == sum(CASES.values())
    assert not records.keep_verdict(run.id, blocked(), "d" * 64, at=NOW), "the stored one counts"


def test_what_was_given_up_halfway_is_deleted(records, stop):
    revive = stop(4)
    with pytest.raises(KeyboardInterrupt):
        keep(records, SHOP, blocked(), 3, at=NOW)
    revive()
    run = records.current_run(11, 3)
    records.prune(Retention(), NOW)
    assert counted(records, "case_results") > 0, "its run is still open"
    records.finish(run.id, RunState.CANCELLED, NOW)
    records.prune(Retention(), NOW)
    for table in ("experiments", "case_results", "case_documents"):
        assert counted(records, table) == 0


def test_a_large_text_is_kept_compressed():
    large = '{"x": "' + "ä" * documents.LARGE + '"}'
    kept = documents.kept_text(large)
    assert len(kept) < documents.LARGE / 10
    assert documents.read_text(kept) == large
    assert documents.kept_text("{}") == documents.read_text("{}") == "{}"
    for broken in (None, "", "zlib:", "zlib:###", "zlib:" + "QUJD"):
        assert documents.read_text(broken) == ""
