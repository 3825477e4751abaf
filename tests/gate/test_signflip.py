"""The sign-flip test: exact where it can be, and at its level."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from engine.gate.signflip import (
    CHUNK,
    FLIPS,
    SignFlipTest,
    coins,
    every_sign,
    exact_p,
    flipped,
    single_p,
    statistics,
    whole,
)

FEW = settings(max_examples=60, deadline=None)
scores = arrays(float, st.integers(2, 9), elements=st.sampled_from((-1.0, -0.5, -0.375, 0.0, 0.25, 0.75, 1.0)))


def tables():
    shapes = st.tuples(st.integers(2, 8), st.integers(1, 4))
    return shapes.flatmap(lambda s: arrays(float, s, elements=st.sampled_from((-1.0, -0.5, 0.0, 0.0, 0.25, 1.0))))


@FEW
@given(scores)
def test_all_flips_give_scipys_permutation_p(differences):
    def total(sample, axis):
        return -sample.sum(axis=axis)

    theirs = stats.permutation_test(
        (differences,), total, permutation_type="samples", n_resamples=np.inf, alternative="greater", vectorized=True
    )
    assert exact_p(differences) == pytest.approx(theirs.pvalue)


@FEW
@given(tables())
def test_max_t_over_all_flips_is_what_enumeration_gives(sums):
    rows = len(sums)
    flips = [np.array(signs) for signs in itertools.product((1, -1), repeat=rows)]
    by_hand = sorted(round(float(statistics(sums * signs[:, None]).max()), 4) for signs in flips)
    both = (every_sign(rows) + 1) / 2
    ours = flipped(sums, [(slice(0, rows), both.astype(np.float32))], 2**rows).max(axis=0)
    live = (sums != 0).any()
    assert np.sort(ours.round(4)).tolist() == pytest.approx(by_hand if live else [0.0] * 2**rows, abs=2e-4)


@FEW
@given(st.integers(0, 6), st.integers(0, 6))
def test_one_binary_hypothesis_is_mcnemars_exact_test(worse, better):
    differences = np.array([-1.0] * worse + [1.0] * better + [0.0] * 5)
    total = worse + better
    expected = stats.binomtest(worse, total, alternative="greater").pvalue if total else 1.0
    assert exact_p(differences) == pytest.approx(expected)


def test_random_flips_come_close_to_mcnemar_where_enumeration_is_too_long():
    differences = np.array([-1.0] * 22 + [1.0] * 10)
    ours = single_p(differences, [f"c{i}" for i in range(32)], "seed", FLIPS)
    assert ours == pytest.approx(stats.binomtest(22, 32, alternative="greater").pvalue, abs=0.006)


def test_ties_count_against_rejection():
    sums = np.array([[-1.0]] * 3)
    p = SignFlipTest("s", ["a", "b", "c"], 9_999).peek(sums)[0]
    assert p == pytest.approx(1 / 8, abs=0.02)
    assert p >= 1 / 10_000


@FEW
@given(tables())
def test_swapping_the_arms_flips_the_statistics(sums):
    assert statistics(-sums) == pytest.approx(-statistics(sums))


@FEW
@given(tables(), st.randoms())
def test_the_order_of_clusters_and_of_hypotheses_changes_nothing(sums, random):
    names = [f"c{i}" for i in range(len(sums))]
    order = list(range(len(sums)))
    random.shuffle(order)
    there = SignFlipTest("seed", names, 499).peek(sums)
    back = SignFlipTest("seed", [names[i] for i in order], 499).peek(sums[order][:, ::-1])
    assert back[::-1] == pytest.approx(there)


def test_a_clusters_coins_do_not_depend_on_the_others():
    alone, among = coins("seed", ["b"], 100), coins("seed", ["a", "b", "c"], 100)
    assert (alone[0] == among[1]).all()
    assert (among[0] != among[1]).any()
    assert (coins("other", ["b"], 100) != alone).any()


def test_coins_are_fair_and_independent():
    tossed = coins("seed", [f"c{i}" for i in range(50)], 9_999)
    assert set(np.unique(tossed)) == {0.0, 1.0}
    assert tossed.mean() == pytest.approx(0.5, abs=0.005)
    together = np.corrcoef(tossed)[np.triu_indices(50, 1)]
    assert np.abs(together).max() < 0.05


@pytest.mark.parametrize("flips", [1, 7, 8, 9, 9_999])
def test_every_flip_is_tossed_the_last_ones_too(flips):
    shares = coins("seed", [f"c{i}" for i in range(200)], flips)[:, -16:].mean(axis=0)
    assert len(shares) == min(flips, 16)
    assert (np.abs(shares - 0.5) < 0.2).all()


def test_a_random_p_counts_what_was_seen_as_one_of_the_flips():
    names = [f"c{i}" for i in range(40)]
    assert single_p(-np.ones(40), names, "s", 999) == 1 / 1000
    assert single_p(np.ones(40), names, "s", 999) == 1.0


def test_other_seeds_toss_other_coins():
    names = [f"c{i}" for i in range(30)]
    falls = np.where(np.arange(30) < 18, -1.0, 1.0)
    assert single_p(falls, names, "a", 999) != single_p(falls, names, "b", 999)
    one, other = (SignFlipTest(seed, names, 999).peek(falls[:, None]) for seed in ("a", "b"))
    assert one != other


@pytest.mark.parametrize("worse", range(16, 26))
def test_a_look_rejects_exactly_where_p_is_at_most_what_may_be_spent(worse):
    names, sums = [f"c{i}" for i in range(30)], np.where(np.arange(30) < worse, -1.0, 1.0)[:, None] / 30
    p = float(SignFlipTest("s", names, 999).peek(sums)[0])
    assert SignFlipTest("s", names, 999).look(sums, p).rejected.all()
    assert not SignFlipTest("s", names, 999).look(sums, p - 0.0005).rejected.any()


@FEW
@given(tables())
def test_alone_a_hypothesis_answers_for_itself_only(sums):
    """As if nothing else were tested: never above the p that answers for all."""
    names = [f"c{i}" for i in range(len(sums))]
    result = SignFlipTest("s", names, 199).look(sums, 0.05)
    single = [SignFlipTest("s", names, 199).look(sums[:, [k]], 0.05).p[0] for k in range(sums.shape[1])]
    assert result.alone.tolist() == single
    assert (result.alone <= result.p).all()


def test_a_look_that_may_spend_nothing_rejects_nothing_and_has_its_p():
    names = [f"c{i}" for i in range(30)]
    result = SignFlipTest("s", names, 999).look(-np.ones((30, 1)), 0.0005)
    assert (result.critical, result.rejected.any(), result.p.tolist()) == (math.inf, False, [0.001])


def test_what_was_flipped_before_answers_only_for_itself():
    names = [f"c{i}" for i in range(30)]
    test, falls = SignFlipTest("s", names, 999), -np.ones((30, 1))
    mixed = np.where(np.arange(30) % 2, 1.0, -1.0)[:, None]
    both = np.hstack([falls, mixed])
    alone = [SignFlipTest("s", names, 999).peek(x).tolist() for x in (falls, both, falls)]
    assert [test.peek(x).tolist() for x in (falls, both, falls)] == alone


def test_many_clusters_are_flipped_in_chunks():
    names = [f"c{i}" for i in range(CHUNK + 100)]
    sums = np.where(np.arange(len(names)) % 2, 1.0, -1.0)[:, None]
    assert SignFlipTest("s", names, 199).peek(sums)[0] == pytest.approx(0.5, abs=0.15)


def test_in_whatever_order_a_processor_adds_the_sums_are_the_same():
    """Bit by bit: a decision that is replayed on another machine must not differ in its last digit."""
    sums = np.random.default_rng(7).normal(0, 1e-3, (300, 4))
    tossed = coins("seed", [f"c{i}" for i in range(300)], 999)

    def each(width):
        return flipped(sums, [(slice(k, k + width), tossed[k : k + width]) for k in range(0, 300, width)], 999)

    assert (each(300) == each(7)).all()
    backwards = [f"c{i}" for i in range(300)][::-1]
    assert single_p(sums[:, 0], backwards[::-1], "s", 999) == single_p(sums[::-1, 0], backwards, "s", 999)


def test_what_is_too_small_to_round_is_left_out():
    assert whole(np.array([5e-324, 0.0])).tolist() == [0.0, 0.0]


@FEW
@given(arrays(float, st.integers(1, 30), elements=st.floats(-1e6, 1e6).map(lambda x: round(x, 9))))
def test_rounding_for_exact_sums_changes_nothing_that_counts(values):
    rounded = whole(values)
    assert rounded == pytest.approx(values, rel=0, abs=1e-13 * np.abs(values).sum())
    assert rounded.sum() == rounded[::-1].sum() == math.fsum(rounded)


def test_nothing_that_moved_is_never_rejected():
    test = SignFlipTest("s", ["a", "b"], 999)
    result = test.look(np.zeros((2, 3)), 0.05)
    assert not result.rejected.any()
    assert result.p.tolist() == [1.0, 1.0, 1.0]


def test_nothing_may_be_rejected_before_anything_may_be_spent():
    result = SignFlipTest("s", ["a"] * 20, 999).look(np.full((20, 1), -1.0), 0.0005)
    assert math.isinf(result.critical)
    assert not result.rejected.any()


def test_p_and_the_critical_value_agree():
    generator = np.random.default_rng(1)
    for k in range(30):
        sums = generator.choice((-1.0, 0.0, 0.0, 1.0), (25, 3))
        result = SignFlipTest(f"s{k}", [f"c{i}" for i in range(25)], 999).look(sums, 0.2)
        assert ((result.p <= 0.2) == result.rejected).all()


@pytest.mark.parametrize("looks", [1, 4])
def test_the_level_holds_when_nothing_changed(looks):
    """400 comparisons of 60 cases, three overlapping hypotheses, 9,999 flips: at most 5% and 3 standard errors."""
    generator = np.random.default_rng(looks)
    names = [f"c{i}" for i in range(60)]
    rejected, comparisons = 0, 400 // looks * 2
    for k in range(comparisons):
        chance = generator.beta(0.4, 0.1, 60)
        runs = generator.random((2, 60)) < chance
        differences = runs[1].astype(float) - runs[0]
        test = SignFlipTest(f"s{k}", names, FLIPS)
        for look in range(1, looks + 1):
            seen = np.arange(60) < 60 * look // looks
            groups = np.stack([seen, seen & (np.arange(60) % 2 == 0), seen & (np.arange(60) % 3 == 0)]).T
            if test.look(differences[:, None] * groups, 0.05 * (look / looks) ** 1.5).rejected.any():
                rejected += 1
                break
    assert rejected / comparisons <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / comparisons)


def test_a_path_that_crossed_is_not_counted_twice():
    """Two looks at the same data with the same cumulative level reject no more than one."""
    generator = np.random.default_rng(5)
    names = [f"c{i}" for i in range(30)]
    for k in range(20):
        sums = generator.choice((-1.0, 0.0, 1.0), (30, 2))
        test = SignFlipTest(f"s{k}", names, 999)
        first, second = test.look(sums, 0.1), test.look(sums, 0.1)
        assert (second.p >= first.p).all()
