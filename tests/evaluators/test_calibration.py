"""Does a judge grade as people do?"""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from evaluators.calibration import Agreement, Calibration, agreement, calibrate, weighted_kappa
from evaluators.generation import RubricJudge
from schemas.config import ModelConfig
from schemas.outcomes import Completion, Finish, Usage
from schemas.rubrics import Dimension, LabelledAnswer, Rubric

GRADE = st.integers(1, 5)
PAIRS = st.lists(st.tuples(GRADE, GRADE), min_size=2, max_size=40)
HALF = tuple((n % 5) + 1 for n in range(40))


def columns(pairs):
    return [one for one, _ in pairs], [other for _, other in pairs]


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_kappa_is_the_quadratic_one_of_the_textbook(pairs):
    judge, people = columns(pairs)
    assume(len({*judge, *people}) > 1)
    table = np.zeros((5, 5))
    for one, other in pairs:
        table[one - 1, other - 1] += 1
    with np.errstate(all="ignore"):  # of its standard error, where that is undefined
        oracle = cohens_kappa(table, wt="quadratic").kappa
    assert weighted_kappa(judge, people) == pytest.approx(oracle)


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_agreement_is_symmetric_and_perfect_with_oneself(pairs):
    judge, people = columns(pairs)
    assert agreement(judge, people) == agreement(people, judge)
    own = agreement(judge, judge)
    assert (own.exact, own.within_one) == (1, 1)
    assert own.kappa in (None, pytest.approx(1))


def test_one_grade_for_everything_tells_nothing():
    assert agreement([3] * 40, [3] * 40).kappa is None
    assert not agreement([3] * 40, [3] * 40).sufficient
    assert agreement([3] * 40, HALF).kappa == pytest.approx(0)


def test_no_pairs_is_no_agreement_not_0():
    none = agreement([], [])
    assert (none.exact, none.within_one, none.kappa, none.sufficient) == (None, None, None, False)
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


@pytest.mark.parametrize(
    ("judge", "people", "enough"),
    [
        (HALF, HALF, True),
        ([grade + 0.5 if grade < 5 else 4.5 for grade in HALF], HALF, True),
        (HALF[:25], HALF[:25], False),
        ([6 - grade for grade in HALF], HALF, False),
        ([1 if n % 4 == 0 else grade for n, grade in enumerate(HALF)], HALF, False),
    ],
    ids=["same", "half a grade apart", "too few", "opposite", "often far apart"],
)
def test_what_is_enough_agreement_to_gate(judge, people, enough):
    assert agreement(judge, people).sufficient is enough


def test_the_bound_holds_about_as_often_as_it_says():
    generator = np.random.default_rng(7)
    people = generator.integers(1, 6, size=(200, 60))
    judge = np.clip(people + generator.choice([-1, 0, 0, 1], size=people.shape), 1, 5)
    true = weighted_kappa(judge.ravel().tolist(), people.ravel().tolist())
    bounds = [agreement(j, p).kappa_bound for j, p in zip(judge.tolist(), people.tolist(), strict=True)]
    assert 0.90 <= np.mean([bound <= true for bound in bounds]) <= 0.99


RUBRIC = Rubric(dimensions={"tone": Dimension(description="?"), "form": Dimension(description="?")})
JUDGE = RubricJudge(RUBRIC, ModelConfig(provider="openai", model="j"), gates=False)


def run(says, answers):
    async def ask(request, repetition):
        text = says(request.messages[1].content)
        return Completion(text=text, finish=Finish.STOP, usage=Usage(input=1, output=1), model="j", latency_s=0)

    return asyncio.run(calibrate(JUDGE, answers, ask))


def honest(user):
    grade = next(grade for grade in range(1, 6) if f"quality {grade}" in user)
    return json.dumps({name: {"reason": "x", "grade": grade} for name in ("tone", "form")})


ANSWERS = [
    LabelledAnswer(id=f"a{n}", output=f"quality {grade}, sample {n}", grades={"tone": grade, "form": grade})
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


def test_nothing_measured_is_not_calibrated():
    assert not Calibration(dimensions={}).calibrated
    assert Calibration(dimensions={}).agreement is None
    assert not Calibration(
        dimensions={"tone": Agreement(pairs=0, exact=None, within_one=None, kappa=None, kappa_bound=None)}
    ).calibrated
