"""Spans to calls: in any order, and in about the time of sorting them, however many spans a trace has."""

import random
import sys
from datetime import UTC, datetime, timedelta

from engine.production.calls import calls_of
from schemas.production import SpanFacts

START = datetime(2026, 12, 1, tzinfo=UTC)


def span(number, start, lasts, *, parent=None, **facts):
    """Times in seconds."""
    return SpanFacts(
        trace_id=f"{1:032x}",
        span_id=f"{number + 1:016x}",
        parent_id=None if parent is None else f"{parent + 1:016x}",
        started_at=START + timedelta(seconds=start),
        ended_at=START + timedelta(seconds=start + lasts),
        **facts,
    )


def plainly(spans):
    """The ids of each call's spans, by comparing every span with every other."""

    def around(one):
        parent = next((other for other in spans if other.span_id == one.parent_id), None)
        fits = [parent] if parent is not None else [
            other
            for other in spans
            if other.lineage and not other.calls_model
            and other.started_at <= one.started_at and one.ended_at <= other.ended_at
            and other.ended_at - other.started_at > one.ended_at - one.started_at
        ]  # fmt: skip
        fits = [other for other in fits if one.lineage in (None, other.lineage)]
        return max(
            fits, key=lambda other: (other.started_at, other.started_at - other.ended_at, other.span_id), default=None
        )

    found = {}
    for one in spans:
        at = one
        for _ in spans:
            at = around(at) or at
        if around(at) is not None:
            return None  # a circle
        found.setdefault(at.span_id, set()).add(one.span_id)
    return found


def some_spans(random):
    names = [None, None, "triage", "reply"]
    return [
        span(
            number, random.randrange(6), random.randrange(6), lineage=random.choice(names), input_tokens=1,
            calls_model=random.random() < 0.5, parent=random.choice([None, None, number - 1, 99]) if number else None,
        )
        for number in range(random.randrange(1, 9))
    ]  # fmt: skip


def test_calls_are_those_that_comparing_all_pairs_finds_in_any_order():
    source = random.Random(7)
    for _ in range(400):
        spans = some_spans(source)
        expected = plainly(spans)
        if expected is None:
            continue
        source.shuffle(spans)
        assert {call.span_id for call in calls_of(spans)} == expected.keys()


def test_spans_that_are_each_others_parents_are_one_call_in_any_order():
    circle = [span(n, 5 - n, 1, parent=(n + 1) % 3, calls_model=True, model="m-1") for n in range(3)]
    tail = span(3, 9, 1, parent=0, calls_model=True)
    spans = [*circle, tail]
    assert [call.span_id for call in calls_of(spans)] == [circle[2].span_id]
    assert calls_of(spans) == calls_of(spans[::-1])


def work(spans):
    """The number of calls of functions."""
    count = [0]

    def counted(*_):
        count[0] += 1

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        calls_of(spans)
    finally:
        sys.setprofile(before)
    return count[0]


def test_the_work_grows_with_the_spans_and_not_with_their_square():
    shapes = {
        "requests in one span": lambda n: [span(0, 0, n, lineage="triage"), *(span(k, k / 2, 0.1, calls_model=True) for k in range(1, n))],
        "spans of prompts side by side": lambda n: [span(k, k, 0.5, lineage=f"p{k}") for k in range(n)],
        "a chain of parents": lambda n: [span(k, k, 2 * (n - k), parent=k - 1 if k else None, lineage="triage") for k in range(n)],
        "nested in time": lambda n: [span(k, k, 2 * (n - k), lineage="triage") for k in range(n)],
        "at once": lambda n: [span(k, 0, 1, lineage="triage") for k in range(n)],
    }  # fmt: skip
    for name, shape in shapes.items():
        assert work(shape(1_200)) < 6 * work(shape(300)), name
