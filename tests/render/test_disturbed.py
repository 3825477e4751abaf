"""How often an answer changes when its case is disturbed."""

import pytest

from engine.scorecard.disturbed import disturbed_notes
from schemas.outcomes import Arm, Cell, MetricSpec, Outcome, Score
from schemas.testsets import TestCase
from tests.render.test_injections import ANSWER

CASES = [
    TestCase(id=f"{name}{n}", inputs={"input": "x"}, same_as=f"a{n}" if name == "b" else None)
    for n in range(4)
    for name in "ab"
]
ACCURACY = (MetricSpec(name="accuracy"),)
FIELDS = (MetricSpec(name="fields"), MetricSpec(name="total", kind="field"), MetricSpec(name="date", kind="field"))


def outcome(case, arm, answers, repetition=0):
    scores = tuple(Score(metric=name, value=0, answer=answer) for name, answer in answers.items())
    return Outcome(cell=Cell(case=case, arm=arm, repetition=repetition), result=ANSWER, scores=scores)


def runs(arm, labels):
    return [outcome(case, arm, {"accuracy": label}) for case, label in enumerate(labels)]


def test_pairs_with_different_labels_are_counted_and_new_ones_named():
    before = runs(Arm.BASELINE, ["x", "X", "x", "y", "x", "x", "x", "x"])
    after = runs(Arm.CANDIDATE, ["x", "y", "x", "y", "x", "x", None, "x"])
    rerun = outcome(5, Arm.CANDIDATE, {"accuracy": "z"}, repetition=1)
    count, named = disturbed_notes([*before, *after, rerun], CASES, ACCURACY, "classification")
    assert count == (
        "3 of 4 answers changed when the case was disturbed (75%, 95% interval 30% to 95%), before 1 of 4."
    )
    assert named == "Only the new prompt answers these differently: `b0` (same as `a0`), `b3` (same as `a3`)."
    (alone,) = disturbed_notes(after, CASES, ACCURACY, "classification")
    assert "before" not in alone


def test_of_an_extraction_the_fields_are_compared():
    after = [outcome(0, Arm.CANDIDATE, {"fields": "{…}", "total": "1", "date": "2"})]
    after += [outcome(1, Arm.CANDIDATE, {"fields": "{..}", "total": "1", "date": "2"})]
    (note,) = disturbed_notes(after, CASES, FIELDS, "extraction")
    assert note.startswith("0 of 1 answer changed")


@pytest.mark.parametrize(("use_case", "cases"), [("generation", CASES), ("classification", CASES[::2])])
def test_without_read_answers_or_pairs_nothing_is_said(use_case, cases):
    assert disturbed_notes(runs(Arm.CANDIDATE, ["x"] * len(cases)), cases, ACCURACY, use_case) == ()
