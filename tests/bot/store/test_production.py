"""Production's records: each span once, whatever comes first, and figures that are the sum of the calls."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from bot.store.production_writing import facts_of_row
from bot.store.values import RepositoryRef
from schemas.errors import StoreError
from schemas.production import ContentMessage, SpanContent, SpanFacts

pytestmark = pytest.mark.slow

NOW = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)
REPO = RepositoryRef(installation_id=7, repository_id=70, full_name="acme/shop")
DAY = NOW.date()


def span(number, *, trace=1, after_s=0.0, lasts_s=1.0, **facts):
    start = NOW + timedelta(seconds=after_s)
    return SpanFacts(
        trace_id=f"{trace:032x}",
        span_id=f"{number:016x}",
        started_at=start,
        ended_at=start + timedelta(seconds=lasts_s),
        **facts,
    )


def whole_call():
    """An application's span with two requests in it, and a log about the second."""
    return [
        span(1, lasts_s=3, lineage="triage", digest="d" * 64, tag="production", confidence=0.5),
        span(2, parent_id=f"{1:016x}", after_s=0.1, calls_model=True, model="m-1", error="timeout", cost_usd=Decimal(0)),
        span(3, after_s=2, lasts_s=0.5, calls_model=True, model="m-2", input_tokens=10, output_tokens=2, cost_usd=Decimal("0.0000125")),
        span(3, after_s=2, lasts_s=0, part=1, decisions={"triage": "billing", "other": "x"}),
    ]  # fmt: skip


@pytest.fixture
def known(records):
    records.repository(REPO, NOW)
    return records


def figures(records):
    return {
        (key.lineage, key.model, key.decision, key.error): sums
        for key, sums in records.hour_figures(70, since=DAY, until=DAY)
        if sums.calls
    }


@pytest.mark.parametrize("order", range(0, 24, 5))
def test_the_order_in_which_spans_arrive_does_not_matter_and_a_resent_batch_counts_once(known, order):
    arriving = list(permutations(whole_call()))[order]
    for each in arriving:
        assert known.write_spans(70, [each]).new == 1
    assert known.write_spans(70, whole_call()) == (0, 4)
    ((key, sums),) = figures(known).items()
    assert key == ("triage", "m-2", "billing", "")
    assert (sums.calls, sums.input_tokens, sums.cost_usd, sums.confidence) == (1, 10, Decimal("0.0000125"), 500_000)
    assert sum(sums.latencies) == 1
    assert sums.latency_ms == 3_000
    ((day, lineage, digest, model, counts),) = known.decision_counts(70, "triage", since=DAY, until=DAY)
    assert (day, lineage, digest, model, counts) == (date(2026, 12, 1), "triage", "d" * 64, "m-2", {"billing": 1})
    trace = known.production_trace(70, f"{1:032x}")
    assert len(trace.spans) == 4
    assert [call.requests for call in trace.calls] == [2]
    assert known.production_trace(70, f"{2:032x}") is None
    assert known.production_lineages(70) == ["triage"]
    assert [one.span_id for one in known.recent_spans(70, "triage")] == [f"{1:016x}"]


def test_a_trace_without_an_end_is_counted_in_parts_and_read_only_once(known, monkeypatch):
    monkeypatch.setattr("bot.store.production_writing.MOST_SPANS", 10)
    read = []
    monkeypatch.setattr("bot.store.production_writing.facts_of_row", lambda row: read.append(row) or facts_of_row(row))
    batches = [
        [
            span(20 * batch + n + 1, after_s=batch + n, lasts_s=0.5, lineage="triage", calls_model=True)
            for n in range(20)
        ]
        for batch in range(8)
    ]
    for batch in batches:
        assert known.write_spans(70, batch) == (20, 0)
        assert known.write_spans(70, batch[5:]) == (0, 15), "sent again"
    assert sum(sums.calls for sums in figures(known).values()) == 160
    assert len(read) <= 10 + 20


def test_content_is_kept_with_its_span_until_its_day(known):
    (first, *rest) = whole_call()
    content = SpanContent(lineage="triage", input=(ContentMessage(role="user", text="hi"),), output="billing")
    known.write_spans(70, [first, *rest], {first.key: (content, date(2026, 12, 15))})
    trace = known.production_trace(70, first.trace_id)
    assert [each.content for each in trace.spans if each.facts.key == first.key] == [content]


def test_a_removed_repository_takes_no_span_and_leaves_none(known):
    known.write_spans(70, whole_call())
    known.uninstalled(7, NOW)
    with pytest.raises(StoreError, match="does not exist"):
        known.write_spans(70, whole_call())
    assert figures(known) == {}
    assert known.production_trace(70, f"{1:032x}") is None
