"""Does a judge grade as people do?"""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from engine.render.calibration_text import calibration_sentences, disagreement, next_steps
from evaluators.agreement import agreement, weighted_kappa
from evaluators.calibration import calibrate
from evaluators.generation import RubricJudge
from schemas.calibration import Calibration, Condition
from schemas.config import ModelConfig
from schemas.outcomes import Completion, Finish, Usage
from schemas.rubrics import Dimension, LabeledAnswer, Rubric

GRADE = st.integers(1, 5)
PAIRS = st.lists(st.tuples(GRADE, GRADE), min_size=2, max_size=40)
HALVES = st.lists(st.tuples(st.integers(2, 10).map(lambda twice: twice / 2), GRADE), min_size=2, max_size=40)
HALF = tuple((n % 5) + 1 for n in range(40))


def columns(pairs):
    return [one for one, _ in pairs], [other for _, other in pairs]


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_kappa_and_the_confusion_are_those_of_the_textbook(pairs):
    judge, people = columns(pairs)
    table = stats.contingency.crosstab(people, judge, levels=(range(1, 6), range(1, 6))).count
    found = agreement(judge, people)
    assert found.confusion == tuple(map(tuple, table.tolist()))
    assume(len({*judge, *people}) > 1)
    with np.errstate(all="ignore"):  # of its standard error, where that is undefined
        oracle = cohens_kappa(table, wt="quadratic").kappa
    assert found.kappa == weighted_kappa(judge, people) == pytest.approx(oracle)


@settings(max_examples=60, deadline=None)
@given(HALVES)
@example([(1.0, 1), (1.5, 1), (1.0, 2)])
def test_ranks_and_bias_are_those_of_scipy(pairs):
    judge, people = columns(pairs)
    found = agreement(judge, people)
    apart = np.subtract(judge, people)
    assert found.bias == pytest.approx(apart.mean())
    assert found.bias_interval == pytest.approx(
        stats.norm.interval(0.95, apart.mean(), stats.sem(apart)) if np.ptp(apart) else (apart[0], apart[0])
    )
    assert np.sum(found.confusion) == len(pairs)
    if min(np.ptp(judge), np.ptp(people)) == 0:
        assert (found.spearman, found.kendall) == (None, None)
    else:
        assert found.spearman == pytest.approx(stats.spearmanr(judge, people).statistic)
        assert found.kendall == pytest.approx(stats.kendalltau(judge, people).statistic)


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_agreement_is_symmetric_but_for_the_bias_and_perfect_with_oneself(pairs):
    judge, people = columns(pairs)
    one, other = agreement(judge, people), agreement(people, judge)
    alike = ("pairs", "exact", "within_one", "kappa", "kappa_interval", "kappa_bound", "unmet")
    assert [getattr(one, name) for name in alike] == [getattr(other, name) for name in alike]
    assert (one.spearman, one.kendall) == (pytest.approx(other.spearman), pytest.approx(other.kendall))
    assert one.bias == pytest.approx(-other.bias)
    assert one.confusion == tuple(zip(*other.confusion, strict=True))
    own = agreement(judge, judge)
    assert (own.exact, own.within_one, own.bias) == (1, 1, 0)
    assert own.kappa in (None, pytest.approx(1))


def test_one_grade_for_everything_tells_nothing():
    assert agreement([3] * 40, [3] * 40).kappa is None
    assert not agreement([3] * 40, [3] * 40).sufficient
    assert agreement([3] * 40, HALF).kappa == pytest.approx(0)


def test_no_pairs_is_no_agreement_not_0():
    none = agreement([], [])
    assert (none.exact, none.within_one, none.kappa, none.bias, none.sufficient) == (None, None, None, None, False)
    assert weighted_kappa([], []) is None
    assert agreement([3], [4]).kappa_bound is None


def test_half_a_grade_between_two_calls_is_agreement():
    found = agreement([4.5, 4.5, 1], [5, 4, 3])
    assert (found.exact, found.within_one) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_grades_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="zip"):
        agreement([1], [1, 2])


def test_a_kappa_that_hangs_on_one_pair_has_no_bound():
    assert agreement([1, 1, 5], [1, 1, 5]).kappa_bound is None


def strict(grades, by=1):
    return [max(1, grade - by) for grade in grades]


def halves_apart(grades):
    return [grade + 0.5 if grade < 5 else 4.5 for grade in grades]


NOISY = [max(1, min(5, grade + (2, -2, 0, 0)[n % 4])) for n, grade in enumerate(HALF)]
UNSURE = [2, 3] * 15 + [2], [3 - n % 2 if n < 18 and n % 3 == 0 else 2 + n % 2 for n in range(31)]
SHAKY = [*[1] * 28, 5, 5, 5], [*[1] * 28, 5, 5, 1]


@pytest.mark.parametrize(
    ("judge", "people", "lacks", "then"),
    [
        (HALF, HALF, set(), "Commit the label file"),
        (halves_apart(HALF), HALF, set(), "Commit the label file"),
        (HALF[:25], HALF[:25], {"answers"}, "Grade 5 more answers: promptverdict judge label letters."),
        ([6 - grade for grade in HALF], HALF, {"kappa", "kappa_bound", "within_one"}, "(a0: people 1, judge 5, a4"),
        (NOISY, HALF, {"within_one"}, "disagreements on tone (a0: people 1, judge 3,"),
        (strict(HALF), HALF, {"bias"}, "the judge is stricter than people"),
        (HALF, strict(HALF), {"bias"}, "the judge is more lenient than people"),
        ([3] * 40, [3] * 40, {"kappa", "kappa_bound"}, "promptverdict judge label letters --base REF"),
        ([1, 5] * 14 + [5, 4, 1, 2] , [1, 5] * 10 + [2, 4] * 4 + [1, 1, 5, 5], {"within_one"}, "a28: people 1, judge 5"),
        ([2, 2, 3, 2] * 10, [2, 3, 3, 3] * 10, {"kappa", "kappa_bound"}, "people 3, judge 2: 20 answers"),
        (*SHAKY, {"kappa_bound"}, "94% of people's grades of tone are 1. Grade better or worse answers, for example of an older prompt: promptverdict judge label letters --base REF."),
        (*UNSURE, {"kappa_bound"}, "Grade about 9 more answers: promptverdict judge label letters."),
    ],
    ids=["same", "halves", "few", "opposite", "far", "strict", "mild", "one-grade", "chance", "narrow", "shaky", "unsure"],
)  # fmt: skip
def test_what_keeps_a_judge_from_gating_and_what_to_do(judge, people, lacks, then):
    found = agreement(judge, people, [f"a{n}" for n in range(len(judge))])
    assert set(found.unmet) == set(map(Condition, lacks))
    assert found.sufficient is not lacks
    calibration = Calibration(dimensions={"tone": found})
    assert then in " ".join(next_steps(calibration, "letters"))
    gates, *told = calibration_sentences(calibration)
    assert ("doesn't gate" in gates, len(told)) == (bool(lacks), 1)


@pytest.mark.parametrize(
    ("scale", "gates"), [(0.5, True), (0.6, False)], ids=["half a grade", "more than half a grade"]
)
def test_a_bias_of_more_than_half_a_grade_does_not_gate(scale, gates):
    judge = [grade - (n % 10 < 10 * scale) for n, grade in enumerate([2, 3, 4, 5] * 25)]
    found = agreement(judge, [2, 3, 4, 5] * 25)
    assert found.bias == pytest.approx(-scale)
    assert (Condition.BIAS not in found.unmet) is gates


def test_a_large_bias_that_may_be_chance_is_not_called_one():
    found = agreement([5, 1, 5, 5], [1, 5, 2, 1])
    assert found.bias > 0.5
    assert Condition.BIAS not in found.unmet


def test_bounds_and_intervals_hold_about_as_often_as_they_say():
    generator = np.random.default_rng(7)
    people = generator.integers(1, 6, size=(200, 60))
    judge = np.clip(people + generator.choice([-1, 0, 0, 1], size=people.shape), 1, 5)
    true = weighted_kappa(judge.ravel().tolist(), people.ravel().tolist())
    found = [agreement(j, p) for j, p in zip(judge.tolist(), people.tolist(), strict=True)]
    assert 0.90 <= np.mean([one.kappa_bound <= true for one in found]) <= 0.99
    assert 0.90 <= np.mean([one.kappa_interval[0] <= true <= one.kappa_interval[1] for one in found]) <= 0.99
    bias = np.subtract(judge, people).mean()
    assert 0.90 <= np.mean([one.bias_interval[0] <= bias <= one.bias_interval[1] for one in found]) <= 0.99


RUBRIC = Rubric(dimensions={"tone": Dimension(description="?"), "form": Dimension(description="?")})
JUDGE = RubricJudge(RUBRIC, [ModelConfig(provider="openai", model="j")], gates=False)


def run(says, answers):
    async def ask(request, repetition):
        text = says(request.messages[1].content)
        return Completion(text=text, finish=Finish.STOP, usage=Usage(input=1, output=1), model="j", latency_s=0)

    return asyncio.run(calibrate(JUDGE, answers, ask))


def honest(user):
    grade = next(grade for grade in range(1, 6) if f"quality {grade}" in user)
    return json.dumps({name: {"reason": "x", "grade": grade} for name in ("tone", "form")})


ANSWERS = [
    LabeledAnswer(id=f"a{n}", output=f"quality {grade}, sample {n}", grades={"tone": grade, "form": grade})
    for n, grade in enumerate(HALF)
]


def test_a_judge_that_agrees_on_every_dimension_is_calibrated():
    found = run(honest, ANSWERS)
    assert found.calibrated
    assert found.agreement == pytest.approx(1)
    assert {name: one.pairs for name, one in found.dimensions.items()} == {"tone": 40, "form": 40}


def test_a_dimension_without_labels_is_not_known_to_agree():
    only_tone = [answer.model_copy(update={"grades": {"tone": answer.grades["tone"]}}) for answer in ANSWERS]
    found = run(honest, only_tone)
    assert not found.calibrated
    assert found.dimensions["form"].kappa is None
    assert found.agreement == 1


def test_a_judge_that_often_gives_no_grades_is_not_calibrated():
    found = run(lambda user: "?" if "quality 1" in user else honest(user), ANSWERS)
    assert found.missing == 8
    assert not found.calibrated
    assert "gave no grades to 8 of the sample answers" in next_steps(found, "letters")[0]
    assert "gave no grades to 8" in disagreement(found)
    assert "gave no grades to 8" in list(calibration_sentences(found))[1]


def test_nothing_measured_is_not_calibrated():
    assert not Calibration(dimensions={}).calibrated
    assert Calibration(dimensions={}).agreement is None
    assert not Calibration(dimensions={"tone": agreement([], [])}).calibrated
