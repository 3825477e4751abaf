"""Drift against its own past: what is normal, what is a shift, when it is over, and what a volume can show."""

from datetime import date, timedelta
from math import exp, lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.drift import SETTINGS, Setting, quarter
from engine.drift.baseline import DAYS, baseline_of
from engine.drift.counts import OTHER, DayCounts, table, vocabulary
from engine.drift.evidence import log_evidence, shift
from engine.drift.past import against_past, next_start, windows
from engine.drift.reading import FLOOR, Level
from engine.drift.visible import sees_from

START = date(2026, 1, 5)
DAYS_OF_QUARTER = 118


def alert_day(days):
    return next(
        (k for k, one in enumerate(windows(baseline_of(days[:DAYS]), days[DAYS:], days[DAYS].day)) if one.alarmed), None
    )


def reading(days, until=DAYS_OF_QUARTER):
    return against_past(days[:until], START, START + timedelta(until - 1))


def test_the_evidence_is_a_ratio_of_predictions():
    """Each decision in turn is predicted by the counts so far: by its own side's, or by those of both sides."""
    before, now = np.array([5.0, 3.0, 2.0]), [0, 2, 2, 1, 2]
    alone, common = np.ones(3), before + 1
    log = 0.0
    for label in now:
        log += np.log(alone[label] / alone.sum()) - np.log(common[label] / common.sum())
        alone[label] += 1
        common[label] += 1
    assert log_evidence(before, np.bincount(now, minlength=3).astype(float)) == pytest.approx(log)


def test_under_a_common_mix_the_evidence_has_a_mean_of_one():
    """Summed exactly over every possible count of a small day, for shares drawn from the prior."""
    before, size = np.array([4.0, 2.0]), 6
    total = 0.0
    for k in range(size + 1):
        now = np.array([k, size - k], dtype=float)
        a = 1 + before
        both = a + now
        ways = lgamma(size + 1) - lgamma(k + 1) - lgamma(size - k + 1)
        chance = ways + sum(map(lgamma, both)) - lgamma(both.sum()) - sum(map(lgamma, a)) + lgamma(a.sum())
        total += exp(chance + log_evidence(before, now))
    assert total == pytest.approx(1.0)


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=6).filter(any),
    st.lists(st.integers(0, 500), min_size=6, max_size=6).filter(any),
)
def test_the_order_of_labels_and_labels_that_never_occur_change_nothing(before, now):
    now = now[: len(before)]
    one, two = np.array(before, dtype=float), np.array(now, dtype=float)
    found = log_evidence(one, two)
    assert log_evidence(one[::-1], two[::-1]) == pytest.approx(found)
    assert log_evidence(np.append(one, 0.0), np.append(two, 0.0)) == pytest.approx(found)
    assert log_evidence(two, one) == pytest.approx(found)
    assert 0 <= shift(one, two) <= 1 + 1e-12


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.per_day == 300], ids=lambda one: one.name)
def test_quiet_quarters_have_no_alert(setting):
    """A short form of ``benchmarks.drift``, on fixed seeds."""
    rng = np.random.default_rng(11)
    assert sum(alert_day(quarter(setting, 0.0, rng)) is not None for _ in range(12)) == 0


def test_a_shift_of_ten_points_is_seen_and_said():
    days = quarter(Setting(300, 500, weekly=True), 0.10, np.random.default_rng(3), at=30)
    assert 30 <= alert_day(days) < 44
    found = reading(days)
    assert found.level is Level.ALERT
    assert 0.08 < found.shift < 0.12
    assert abs((found.since - START).days - (DAYS + 30)) <= 7
    assert {move.label for move in found.moves[:2]} == {"refund", "billing"}
    assert "has shifted by" in found.why
    assert reading(days, DAYS + 29).level is Level.OK


def test_small_volumes_say_what_they_cannot_see():
    few = reading(quarter(Setting(50, 500), 0.0, np.random.default_rng(4)))
    many = reading(quarter(Setting(2_000, 500), 0.0, np.random.default_rng(4)))
    assert few.sees_from > 0.09 > many.sees_from >= FLOOR
    assert f"shifts of {100 * few.sees_from:.1f} points or more" in few.why


def test_what_can_be_seen_grows_with_the_volume():
    before = np.array([400.0, 250.0, 200.0, 150.0])
    found = [sees_from(before, per_day, 2.0) for per_day in (30, 50, 100, 300, 1_000)]
    known = [one for one in found if one is not None]
    assert known == sorted(known, reverse=True)
    assert sees_from(before, 1, 5.0) is None
    assert sees_from(np.array([40.0]), 300, 1.0) is None


def test_an_alert_ends_when_a_week_is_as_before():
    setting, rng = Setting(300, 500), np.random.default_rng(5)
    shifted, quiet = quarter(setting, 0.15, rng, at=10), quarter(setting, 0.0, rng)
    days = [*shifted[: DAYS + 30], *quiet[DAYS + 30 :]]
    assert reading(days, DAYS + 30).level is Level.ALERT
    assert reading(days, DAYS + 33).level is Level.ALERT
    assert reading(days, DAYS + 45).level is Level.OK


def test_without_data_there_is_no_verdict():
    days = quarter(Setting(300), 0.0, np.random.default_rng(6))
    assert "day 20 of 28" in reading(days, 20).why
    tiny = [DayCounts(one.day, {"a": 1}) for one in days]
    assert "too few decisions" in reading(tiny).why
    silent = against_past(days[:80], START, START + timedelta(90))
    assert (silent.level, silent.why) == (Level.NO_DATA, "no decision in the last 2 days")
    assert {reading(days, 20).level, reading(tiny).level} == {Level.NO_DATA}


def test_days_without_decisions_are_left_out():
    days = quarter(Setting(300, 500), 0.0, np.random.default_rng(7))
    gaps = [one for one in days if one.day.weekday() < 5]
    assert against_past(gaps, START, gaps[-1].day).level is Level.OK


def test_a_weekly_cycle_is_taken_out():
    weekly = baseline_of(quarter(Setting(2_000, weekly=True), 0.0, np.random.default_rng(8))[:DAYS])
    flat = baseline_of(quarter(Setting(2_000), 0.0, np.random.default_rng(8))[:DAYS])
    assert weekly.cycle is not None
    assert flat.cycle is None
    assert weekly.dispersion < 3
    assert flat.dispersion < 2


def test_days_that_resemble_the_day_before_count_less():
    rng = np.random.default_rng(9)
    own = [baseline_of(quarter(Setting(2_000, 100), 0.0, rng)[:DAYS]).dispersion for _ in range(10)]
    with_memory = [baseline_of(quarter(Setting(2_000, 100, memory=0.6), 0.0, rng)[:DAYS]).dispersion for _ in range(10)]
    assert np.median(with_memory) > 1.5 * np.median(own)


def test_rare_labels_count_together():
    days = [DayCounts(START, {"a": 900, "b": 95, "c": 5, OTHER: 0})]
    labels = vocabulary(days)
    assert labels == ("a", "b", OTHER)
    assert table([DayCounts(START, {"a": 1, "new": 2})], labels).tolist() == [[1, 0, 2]]
    many = [DayCounts(START, {f"l{k:02}": 10 for k in range(40)})]
    assert len(vocabulary(many)) == 12


def test_after_a_quiet_quarter_the_last_four_weeks_are_the_baseline():
    days = quarter(Setting(300), 0.0, np.random.default_rng(10))
    early, late = reading(days, 60), reading([*days, DayCounts(days[-1].day + timedelta(1), days[-1].counts)], 119)
    assert next_start(early, START) == START
    assert next_start(late, START) == late.day - timedelta(27)


def test_a_prompt_that_begins_slowly_gets_a_baseline_once_it_has_decisions():
    slow, usual = {"billing": 2, "refund": 1}, {"billing": 60, "refund": 40}
    days = [DayCounts(START + timedelta(k), slow if k < 40 else usual) for k in range(90)]
    start, first_ok = START, None
    for k in range(90):
        found = against_past([one for one in days[: k + 1] if one.day >= start], start, days[k].day)
        if found.level is Level.OK and first_ok is None:
            first_ok = k
        start = next_start(found, start)
    assert first_ok is not None
    assert first_ok <= 40 + DAYS
