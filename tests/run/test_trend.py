"""The verdicts on the last merged changes, as they are stored and shown."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.runs.provenance import merged_points
from bot.store.values import LineagePoint, Measured, PromptVersion
from engine.records.trend import LAST, stored_trends, trend_rows, with_trends
from engine.render.result_text import trend_sentence
from schemas.scorecard import TrendPoint
from schemas.verdicts import VerdictStatus
from tests.render.scorecards import approved, blocked

NOW = datetime(2026, 3, 1, tzinfo=UTC)
APPROVED, BLOCKED = VerdictStatus.APPROVED, VerdictStatus.BLOCKED


def point(number, score=0.5, verdict=APPROVED, cost=None, hours=None):
    at = NOW + timedelta(hours=number if hours is None else hours)
    return TrendPoint(number=number, at=at, verdict=verdict, score=score, cost_per_1000=cost)


def test_rows_in_the_store_become_the_trend_of_later_pull_requests():
    kept = [None, 3, {"history": None}, {"trend_version": 1, "lineage": "support-triage"}]  # other plans, and damage
    for number in (1, 2):
        kept += [row for _, row in trend_rows(blocked(), number, NOW + timedelta(days=number))]
    triage, match = with_trends(blocked(), stored_trends(kept), 3).lineages
    assert [(one.number, one.verdict) for one in triage.trend] == [(1, BLOCKED), (2, BLOCKED)]
    assert [(one.number, one.verdict) for one in match.trend] == [(1, APPROVED), (2, APPROVED)]
    assert (match.trend[1].score, match.trend[1].at) == (match.overall.candidate, NOW + timedelta(days=2))
    again = with_trends(blocked(), stored_trends(kept), 2).lineages[0]
    assert [one.number for one in again.trend] == [1]


def test_a_pull_request_counts_once_and_ten_are_shown():
    card = approved().lineages[0]
    points = [point(number) for number in range(1, 14)] + [point(5, hours=20, verdict=BLOCKED)]
    shown = with_trends(approved(), {(card.lineage, card.model): points}, 13).lineages[0].trend
    assert [one.number for one in shown] == [3, 4, 6, 7, 8, 9, 10, 11, 12, 5]
    assert (len(shown), shown[-1].verdict) == (LAST, BLOCKED)


@pytest.mark.parametrize(
    ("trend", "says"),
    [
        ((), ""),
        ((point(1),), ""),
        (
            (point(1, 0.4), point(2, 0.5, BLOCKED), point(3, 0.8)),
            "Last 3 merged changes: score ▁▃█ 40.0 → 80.0; 2 approved, 1 blocked.",
        ),
        (
            (point(1, None), point(2, 0.5, cost=Decimal("0.3")), point(3, 0.5, cost=Decimal("0.3"))),
            "Last 3 merged changes: score ▄▄ 50.0 → 50.0; cost per 1,000 ▄▄ $0.30 → $0.30; 3 approved.",
        ),
    ],
)
def test_the_sentence_about_a_trend(trend, says):
    assert trend_sentence(approved().lineages[0].model_copy(update={"trend": trend})) == says


def history(number, before, after, status=APPROVED):
    unknown = dict.fromkeys(("cases", "baseline", "low", "high", "baseline_per_1000", "candidate_per_1000"))
    return LineagePoint(
        run_id="r", number=number, head_sha="a" * 40, at=NOW, model="m", status=status, passes=True, candidate=0.5,
        cost_usd=Decimal(0), baseline_digest=before, candidate_digest=after, **unknown,
    )  # fmt: skip


def test_what_a_later_run_compares_with_was_merged():
    base = PromptVersion(digest="c", path="p", model="m", content="")
    now = Measured(lineage="triage", model="m", baseline=base, candidate=None, tests=None, record=None)
    points = [history(3, "b", "c"), history(2, "b", "never"), history(1, "a", "b"), history(None, "a", "b")]
    found = merged_points({"triage": points, "other": [history(9, "x", "c")]}, [now])
    assert {key: [one.number for one in these] for key, these in found.items()} == {("triage", "m"): [3, 1]}
