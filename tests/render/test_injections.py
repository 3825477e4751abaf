"""How often injections work, with an interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from engine.scorecard.injections import injection_notes
from evaluators.class_figures import wilson
from schemas.outcomes import Arm, Cell, Completion, Finish, Outcome, Score, Usage
from schemas.testsets import TestCase

ANSWER = Completion(text="x", finish=Finish.STOP, usage=Usage(input=1, output=1), model="m", latency_s=0)
CASES = [TestCase(id=f"c{n}", inputs={"input": "x"}, must_not=("yes",) if n < 4 else ()) for n in range(6)]


def outcome(case, arm, repetition, forbidden):
    score = Score(metric="m", value=0, forbidden=forbidden)
    cell = Cell(case=case, arm=arm, repetition=repetition)
    return Outcome(cell=cell, result=ANSWER, scores=(score,))


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_is_wilsons(counts):
    assert wilson(*counts) == pytest.approx(proportion_confint(*counts, method="wilson"), abs=1e-12)


def test_first_runs_of_cases_that_forbid_a_text_are_counted():
    runs = [outcome(n, arm, 0, arm is Arm.CANDIDATE and n < 2) for n in range(6) for arm in Arm]
    runs += [outcome(n, Arm.CANDIDATE, 1, True) for n in range(6)]
    (note,) = injection_notes(runs, CASES)
    assert note == "Answers with a forbidden text: 2 of 4 cases (50%, 95% interval 15% to 85%), before 0 of 4."
    (alone,) = injection_notes([one for one in runs if one.cell.arm is Arm.CANDIDATE], CASES)
    assert "before" not in alone
    assert injection_notes(runs[8:12], CASES) == ()
