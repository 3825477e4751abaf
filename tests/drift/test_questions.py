"""Drift against staging, and by the model that answered."""

from datetime import date, timedelta

import numpy as np

from engine.drift.counts import DayCounts
from engine.drift.models import ServedDay, by_model
from engine.drift.reading import Level
from engine.drift.staging import StagedCase, against_staging

TODAY = date(2026, 3, 1)


def cases(typical, edge):
    """Test cases with these numbers of decisions, in two slices."""
    return [
        StagedCase((name,), label)
        for name, counts in (("typical", typical), ("edge", edge))
        for label, count in counts.items()
        for _ in range(count)
    ]


def days(counts, number=20, until=TODAY):
    return [DayCounts(until - timedelta(number - 1 - k), counts) for k in range(number)]


def test_another_mix_of_slices_is_no_drift():
    """The test set has as many edge cases as typical ones; production has one in ten."""
    staged = cases({"refund": 80, "billing": 20}, {"refund": 10, "billing": 90})
    found = against_staging(staged, days({"refund": 220, "billing": 80}), TODAY, 1.5)
    assert found.level is Level.OK
    assert found.shift < 0.02
    assert "shows shifts of" in found.why


def test_a_mix_that_no_weights_explain_is_drift():
    staged = cases({"refund": 80, "billing": 20}, {"refund": 50, "billing": 50})
    found = against_staging(staged, days({"refund": 60, "billing": 240}), TODAY, 1.5)
    assert found.level is Level.ALERT
    assert 0.2 < found.shift < 0.4
    assert "differ from the test set's" in found.why


def test_a_decision_that_the_test_set_never_had_is_drift():
    staged = cases({"refund": 80, "billing": 20}, {"refund": 50, "billing": 50})
    found = against_staging(staged, days({"refund": 180, "billing": 80, "escalate": 40}), TODAY, 1.5)
    assert found.level is Level.ALERT
    assert found.moves[0].label == "other"


def test_staging_says_what_is_missing():
    staged = cases({"refund": 80}, {"billing": 20})
    for found, word in (
        (against_staging(staged[:10], days({"a": 100}), TODAY, 1.0), "10 cases"),
        (against_staging(staged, days({"a": 1}), TODAY, 1.0), "20 decisions"),
        (against_staging(staged, days({"a": 100}), TODAY, None), "not known yet"),
    ):
        assert found.level is Level.NO_DATA
        assert word in found.why


def served(model, counts, number, until=TODAY):
    return [ServedDay(model, one) for one in days(counts, number, until)]


OLD = served("gpt-4o-2024-08-06", {"refund": 60, "billing": 40}, 40, TODAY - timedelta(10))


def test_one_model_is_quiet():
    found = by_model(OLD, TODAY - timedelta(10), 1.5)
    assert found.level is Level.OK
    assert "come from gpt-4o-2024-08-06" in found.why


def test_a_new_name_that_decides_alike_is_a_warning():
    new = served("gpt-4o-2024-11-20", {"refund": 60, "billing": 40}, 10)
    found = by_model([*OLD, *new], TODAY, 1.5)
    assert found.level is Level.WARNING
    assert found.since == TODAY - timedelta(9)
    assert "its decisions match" in found.why


def test_a_new_name_that_decides_otherwise_is_an_alert():
    new = served("gpt-4o-2024-11-20", {"refund": 40, "billing": 60}, 10)
    found = by_model([*OLD, *new], TODAY, 1.5)
    assert found.level is Level.ALERT
    assert "since 2026-02-20" in found.why
    assert by_model([*OLD, *new], TODAY, None).level is Level.WARNING
    later = by_model([*OLD, *new, *served("gpt-4o-2024-11-20", {"refund": 40}, 30, TODAY + timedelta(40))],
                     TODAY + timedelta(40), 1.5)  # fmt: skip
    assert later.level is Level.OK


def test_a_retry_on_another_model_is_no_new_model():
    odd = [ServedDay("fallback", DayCounts(TODAY - timedelta(12), {"refund": 1}))]
    big = served("main", {"refund": 600, "billing": 400}, 40)
    assert by_model([*big, *odd], TODAY, 1.5).level is Level.OK
    assert by_model([ServedDay("", DayCounts(TODAY, {"a": 5}))], TODAY, 1.5).level is Level.NO_DATA
    assert np.isfinite(by_model(OLD, TODAY, 1.5).day.toordinal())
