"""The watch's comparison: quiet runs are quiet, changes are found in both directions, names come first."""

import asyncio

import numpy as np
import pytest

from benchmarks.watch import START, answers, delay, drawn, reports
from engine.drift.reading import Level
from engine.watch.answers import ServedBy
from engine.watch.compare import compared, together, unusable
from engine.watch.fresh_answers import FreshAnswers
from tests.action.conftest import stored

RNG = np.random.default_rng(1)
OLD = (RNG.random(200) < 0.9).astype(float)


def noisy(scores, flips=0.02, seed=2):
    return np.where(np.random.default_rng(seed).random(len(scores)) < flips, 1 - scores, scores)


def test_the_same_model_is_quiet_and_the_reading_says_what_it_could_see():
    found = compared(answers(0, noisy(OLD)), answers(1, noisy(OLD, seed=3)))
    assert found.level is Level.OK
    assert "With 200 cases, one run can show changes of" in found.why
    assert 0.05 < found.sees_from < 0.09


@pytest.mark.parametrize("better", [False, True])
def test_a_change_is_found_in_both_directions(better):
    worse = OLD.copy()
    worse[:40] = 0
    first, second = (worse, OLD) if better else (OLD, worse)
    found = compared(answers(0, first), answers(1, noisy(second)))
    assert found.level is Level.ALERT
    assert ("rose by" if better else "fell by") in found.why
    assert found.since == START.replace(day=2)
    assert compared(answers(0, first), answers(5, second), START).since == START


def test_another_name_is_a_finding_and_another_build_is_not():
    base, same = answers(0, OLD), answers(1, OLD)
    builds = [
        one.model_copy(update={"served": (ServedBy(model="m-1", fingerprint=mark, answers=200),)})
        for one, mark in ((base, "fp_a"), (same, "fp_b"))
    ]
    quiet = compared(*builds)
    assert quiet.level is Level.OK
    assert "The two runs share no build (fingerprint)" in quiet.why
    assert compared(base, answers(1, OLD, "m-2")).level is Level.ALERT


def test_what_can_not_be_compared_is_no_finding():
    base = answers(0, OLD)
    other = answers(1, OLD)
    other = other.model_copy(update={"record": other.record.model_copy(update={"prompts": ("", "changed")})})
    assert "prompt or its test set changed" in compared(base, other).why
    lost = answers(1, OLD)
    cells = tuple(one.model_copy(update={"scores": None}) if one.case < 50 else one for one in lost.record.outcomes)
    lost = lost.model_copy(update={"record": lost.record.model_copy(update={"outcomes": cells})})
    found = compared(base, lost)
    assert unusable(base) is None
    assert unusable(lost).level is Level.NO_DATA, "an outage would make every later run incomparable"
    assert found.level is Level.NO_DATA
    assert "can't be compared" in found.why
    assert together([found, compared(base, answers(1, OLD))]).level is Level.OK


def test_the_benchmark_of_quiet_periods_and_swaps_in_a_short_form():
    runs = np.array([noisy(OLD, 0.03, seed) for seed in range(12)])
    rng = np.random.default_rng(5)
    assert max(reports(runs, rng, days=60) for _ in range(3)) <= 1
    assert drawn(runs, rng).shape == (200,)
    worse = OLD.copy()
    worse[np.flatnonzero(OLD)[:36]] = 0
    assert delay(OLD, worse, 0.02, rng, days=2) in (1, 2)


def test_a_watch_finds_only_answers_of_its_own_mark():
    """Every other request, such as a judge's, is shared."""

    class Memory:
        def __init__(self):
            self.rows = {}

        async def get(self, keys):
            return {key: self.rows[key] for key in keys if key in self.rows}

        async def put(self, rows):
            self.rows |= {(row.request_digest, row.repetition): row for row in rows}

        async def claim(self, keys):
            return frozenset(keys)

        async def release(self, keys):
            pass

    async def work():
        store, one, judge = Memory(), stored(1), stored(2)
        key = (one.request_digest, 0)
        await store.put([one])
        monday, again, tuesday = (
            FreshAnswers(store, day, {one.request_digest: ("triage", "fast")}) for day in ("1", "1", "2")
        )
        assert await monday.get([key]) == {}
        assert await monday.claim([key]) == {key}
        await monday.put([one, judge])
        assert (await again.get([key]))[key] == one
        assert await tuesday.get([key]) == {}
        assert (await tuesday.get([(judge.request_digest, 0)]))[judge.request_digest, 0] == judge
        assert monday.served == again.served == {("triage", "fast"): {("m", None): 1}}
        await again.release([key])

    asyncio.run(work())
