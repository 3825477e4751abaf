"""The search names the parts that break cases, only those, and says so when there are several."""

import numpy as np
import pytest

from benchmarks.blame import PAGE, RESULTS, Planted, judged, lead, searched, with_table
from benchmarks.gate_models import World
from engine.blame.search import LEVELS, Found, calls_of, search
from engine.blame.trials import Trials

pytestmark = pytest.mark.slow

CASES = 8


def change(units, *groups, seed=0, good=0.98, left=0.05):
    """Parts, and which of the eight cases they break together."""
    rng = np.random.default_rng(seed)
    world = World(["typical"] * CASES, np.full((CASES, 1), good), np.full((CASES, 1), good), [None] * CASES, rng=rng)
    planted = tuple((frozenset(parts), np.array(cases)) for parts, cases in groups)
    return Planted(world, units, planted, left, units, np.zeros(CASES, dtype=bool))


def named(planted, seed=0):
    found, calls = searched(planted, range(CASES), CASES, np.random.default_rng(seed))
    return {culprit.units for culprit in found.culprits}, found, calls


EVERY, FIRST, LAST = range(8), range(5), range(5, 8)


@pytest.mark.parametrize("units", [2, 5, 6, 19])
@pytest.mark.parametrize(
    ("groups", "expected", "either"),
    [
        ([({1}, EVERY)], {(1,)}, False),
        # each breaks cases of its own
        ([({0}, FIRST), ({1}, LAST)], {(0,), (1,)}, False),
        # both must be there
        ([({0, 1}, EVERY)], {(0,), (1,)}, True),
        # each is enough to break them, so that both have to be reverted
        ([({0}, EVERY), ({1}, EVERY)], {(0, 1)}, False),
    ],
)
def test_the_parts_that_break_cases_are_named(units, groups, expected, either):
    names, found, _ = named(change(units, *groups))
    together = {(0, 1)} if expected == {(0,), (1,)} and not either else expected
    assert names in (expected, together)
    assert (found.either, found.seen, found.finished) == (either, True, True)
    assert sum(culprit.back for culprit in found.culprits) >= CASES
    assert all(culprit.p <= LEVELS[0] for culprit in found.culprits)


def test_a_set_says_what_each_part_brings_back_alone():
    _, found, _ = named(change(3, ({0}, EVERY), ({1}, EVERY), left=0.0))
    assert [(culprit.back, culprit.of, culprit.alone) for culprit in found.culprits] == [(8, 8, (0, 0))]


@pytest.mark.parametrize("units", [2, 7])
def test_cases_that_fail_by_chance_accuse_nothing(units):
    names, found, calls = named(change(units, good=0.5))
    assert (names, found.culprits, found.undone) == (set(), [], frozenset())
    assert calls <= 2 * 16


def test_the_undone_parts_are_those_of_every_culprit_or_of_the_first_if_each_is_enough():
    for groups, expected in (([({0}, FIRST), ({1}, LAST)], {0, 1}), ([({0, 1}, EVERY)], {0})):
        _, found, _ = named(change(6, *groups))
        assert len(found.undone) == len(expected)


def test_the_estimate_of_the_calls_is_near_for_one_part():
    for units in (2, 5, 6, 19):
        _, _, calls = named(change(units, ({1}, EVERY)), seed=1)
        assert 0.6 * calls <= calls_of(units, CASES, 0) <= 1.7 * calls


def test_missing_scores_are_left_out_and_name_nothing_alone():
    found = Found()
    missing = lead(search(3, CASES, 0, Trials(1), found), lambda trial: scores(trial, lambda case: float("nan")))
    assert (found.culprits, found.seen, found.finished, missing) == ([], False, True, 32)


def scores(trial, score):
    return {(case, run): score(case) for case in trial.cases for run in trial.runs}


def test_every_test_has_runs_of_its_own():
    """What chose a set must not test it."""
    planted, rng = change(7, ({0}, FIRST), ({1}, LAST)), np.random.default_rng(1)
    asked = []

    def answer(trial):
        asked.append(trial)
        chance = planted.chance(trial.undone)
        return scores(trial, lambda case: float(rng.random() < chance[case]))

    lead(search(7, CASES, 0, Trials(1), Found()), answer)
    cells = [(trial.undone, case, run) for trial in asked for case in trial.cases for run in trial.runs]
    assert len(cells) == len(set(cells))
    assert list(dict.fromkeys(trial.purpose for trial in asked)) == ["break", "subsets", "confirmation"]


def test_a_new_test_forgets_the_runs_of_the_last():
    trials, seen = Trials(1), []

    def conversation():
        for _ in range(2):
            trials.start_test()
            yield from trials.ask_fresh([frozenset()], [0], 3, "confirmation")

    def answer(trial):
        seen.append(trial.runs)
        return scores(trial, lambda case: float(len(seen) == 1))

    assert lead(conversation(), answer) == 6
    assert not set(seen[0]) & set(seen[1])
    assert trials.mean_of(frozenset(), 0, fresh=True) == 0


@pytest.mark.parametrize(("kind", "least"), [("one", 5), ("two", 5), ("together", 5), ("none", 0)])
def test_planted_parts_of_simulated_pull_requests_are_named(kind, least):
    """The benchmark in small: six pull requests of each kind, through the gate."""
    results = [judged(kind, number) for number in range(6)]
    seen = [one for one in results if one.seen]
    assert sum(one.right for one in seen) >= min(least, len(seen) - 1)
    assert not any(one.false for one in results)


def test_the_page_has_the_table_of_the_kept_results():
    kept = RESULTS.read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page, kept[kept.index("| planted") :]) == page
