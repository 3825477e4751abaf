"""The cases of a run are kept with their texts, found by filter, page by page, and go with the other texts."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.store.page_records import Bounds
from bot.store.page_values import CaseFilter
from bot.store.retention import Retention
from schemas.effects import CaseEffect, CaseOutcome
from schemas.outcomes import Arm
from tests.bot.pages.stage import NOW, SHOP, keep
from tests.render.scorecards import blocked


@pytest.fixture
def kept(records):
    """A run of two prompts, and its page."""
    run = keep(records, SHOP, blocked(), 3, at=NOW)
    return records, records.run_page(11, run.sequence)


def test_those_that_need_a_look_come_first_and_pages_follow_each_other(kept):
    records, page = kept
    experiment = page.experiments[0].id
    rows, after = [], -1
    while part := records.cases(experiment, CaseFilter(), after=after, limit=60):
        rows, after = [*rows, *part], part[-1].position
    assert sorted(row.case_id for row in rows) == sorted(case.id for case in blocked().lineages[0].cases)
    results = [row.result for row in rows]
    assert results == sorted(results, key=["regressed", "missing", "flaky", "improved", "no_change"].index)
    assert rows[0].protected
    assert records.case_counts(experiment) == {result: results.count(result) for result in set(results)}


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({"result": "regressed"}, lambda case: case.result is CaseOutcome.REGRESSED),
        ({"slice": "edge"}, lambda case: "edge" in case.slices),
        ({"slice": "ed%"}, lambda case: False),
        ({"slice": 'edge"'}, lambda case: False),
        ({"expected": "billing"}, lambda case: case.expected == "billing"),
        ({"candidate_said": "refunds"}, lambda case: case.candidate[0].text == "refunds"),
        ({"candidate_said": ""}, lambda case: not case.candidate),
        ({"failing": True, "slice": "adversarial"}, lambda case: "adversarial" in case.slices and failing(case)),
    ],
)
def test_a_filter_finds_exactly_its_cases(kept, wanted, holds):
    records, page = kept
    experiment, filtered = page.experiments[0].id, CaseFilter(**wanted)
    found = {row.case_id for row in records.cases(experiment, filtered, limit=500)}
    assert found == {case.id for case in blocked().lineages[0].cases if holds(case)}
    assert records.case_count(experiment, filtered) == len(found)


def failing(case):
    return any(answer.score is not None and answer.score < 1 for answer in case.candidate)


def test_a_case_has_its_whole_texts_and_its_history(kept):
    records, page = kept
    later = keep(records, SHOP, blocked(), 4, at=NOW + timedelta(days=1), word="later")
    found = records.kept_case(page.experiments[0].id, 0)
    assert isinstance(found.row.effect, CaseEffect)
    assert {one.arm for one in found.texts.answers} == {Arm.BASELINE, Arm.CANDIDATE}
    assert found.texts.answers[0].grades[0].reason == "the label is read "
    ((run, experiment, row),) = found.earlier
    assert (run, row.case_id) == (later.sequence, found.row.case_id)
    assert records.kept_case(experiment, row.position).texts.answers[0].grades[0].reason == "the label is read later"


def test_two_versions_are_compared_on_the_same_cases(kept):
    records, page = kept
    card = blocked()
    first = card.lineages[0]
    failed = {case.id for case in first.cases if failing(case)}
    mended = tuple(
        case.model_copy(update={"candidate": tuple(one.model_copy(update={"score": 1.0}) for one in case.candidate)})
        for case in first.cases
    )
    card = card.model_copy(update={"lineages": (first.model_copy(update={"cases": mended}), *card.lineages[1:])})
    keep(records, SHOP, card, 4, at=NOW + timedelta(days=1))
    newest = records.lineage_page(11, page.experiments[0].lineage_id, Bounds(limit=1), merged=False).versions[0]
    pair = (page.experiments[0].id, newest.experiment_id)
    counts = records.compared_counts(*pair)
    assert (counts.better, counts.worse) == (len(failed), 0)
    assert {one.case_id for one in records.compared_cases(*pair, "better", limit=500)} == failed
    assert records.compared_cases(*pair, "worse") == []
    assert records.case_history(newest.experiment_id) == (len(first.cases), 6, 0, len(first.cases) - len(failed), 2)
    never = {row.case_id for row in records.cases(newest.experiment_id, CaseFilter(history="never"), limit=500)}
    assert never == {case.id for case in first.cases} - failed
    assert records.case_history(page.experiments[0].id).always == 0, "one run says nothing about all runs"


def test_versions_are_those_that_a_later_run_took_as_its_baseline_on_the_default_branch(kept):
    records, page = kept
    for number in (1, 2, 3):
        at = NOW + timedelta(days=number)
        keep(records, SHOP, blocked(), number, at=at, before=number, after=number + 1, on_default=number != 2)
    found = records.lineage_page(11, page.experiments[0].lineage_id, Bounds(limit=9), merged=True)
    assert [one.number for one in found.versions] == [1, 3], "2 went elsewhere, and nothing builds on the newest"


def test_a_run_from_before_pages_says_that_it_has_no_cases(kept):
    records, page = kept
    with records._database.writing() as session:
        for table in ("case_documents", "case_results"):
            session.execute(text(f"DELETE FROM {table}"))
        session.execute(text("UPDATE verdicts SET overview = NULL"))
    again = records.run_page(11, page.run.sequence)
    assert not again.has_cases
    assert again.overview == page.overview, "read from the scorecard"
    assert records.compared_counts(page.experiments[0].id, page.experiments[1].id) is None


def test_cases_go_with_the_other_texts(kept):
    records, page = kept
    records.prune(Retention(texts_days=30), NOW + timedelta(days=31))
    with records._database.reading() as session:
        for table in ("case_documents", "case_results"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
    gone = records.run_page(11, page.run.sequence)
    assert (gone.overview, gone.has_cases, gone.verdict) == (None, False, page.verdict)
