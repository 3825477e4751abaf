"""What pages show of each case: whole texts within bounds, every grade, and why there is none."""

from types import SimpleNamespace

from engine.records.case_texts import MOST_ANSWERS, TEXT, case_texts
from schemas.conversations import Step, Trajectory
from schemas.outcomes import Arm, Cell, CompletionError, ErrorKind, EvaluatorFailure, Outcome, Score
from schemas.testsets import TestCase
from tests.run.laboratory import completion

PLAN = SimpleNamespace(
    cases=(
        TestCase(id="a", inputs={"ticket": "t" * (TEXT + 5), "lines": [1, "é"]}),
        TestCase(id="never", inputs={"ticket": "x"}),
    )
)


def outcome(arm, repetition, result, *scores):
    return Outcome(cell=Cell(case=0, arm=arm, repetition=repetition), result=result, scores=scores)


def test_an_agents_answer_is_its_conversation():
    steps = (Step(text="Which order?", user="1042"), Step(text="It is lost."))
    said = completion("It is lost.", trajectory=Trajectory(steps=steps))
    (found,) = case_texts(PLAN, [outcome(Arm.CANDIDATE, 0, said)])
    assert found.answers[0].text == "1. “Which order?” · user: “1042”\n2. “It is lost.”"


def test_texts_are_whole_within_bounds_and_grades_have_their_reasons():
    good = Score(metric="accuracy", value=1.0, reason="the same label", answer="billing")
    failed = EvaluatorFailure(metric="tone", message="the judge did not answer", kind=ErrorKind.TIMEOUT)
    outcomes = [
        outcome(Arm.CANDIDATE, 1, completion("refunds"), good.model_copy(update={"answer": "refunds"})),
        *(outcome(Arm.CANDIDATE, n, completion("billing"), good) for n in (0, *range(2, MOST_ANSWERS + 3))),
        outcome(Arm.BASELINE, 0, completion("billing", finish="length"), good, failed),
        outcome(Arm.BASELINE, 1, CompletionError(kind=ErrorKind.TIMEOUT, message="slow")),
    ]
    (found,) = case_texts(PLAN, outcomes)
    assert found.id == "a"
    assert [(name, len(value)) for name, value in found.inputs] == [("ticket", TEXT), ("lines", len('[1, "é"]'))]
    assert found.inputs[0][1].endswith("…")
    baseline = [one for one in found.answers if one.arm is Arm.BASELINE]
    candidate = [one for one in found.answers if one.arm is Arm.CANDIDATE]
    assert [(one.text, one.trouble) for one in baseline] == [("billing", "length"), ("", "no answer: timeout")]
    assert [one.text for one in candidate] == ["billing", "refunds", *["billing"] * (MOST_ANSWERS - 2)]
    assert found.omitted == 3
    assert [(one.metric, one.value, one.reason) for one in baseline[0].grades] == [
        ("accuracy", 1.0, "the same label"),
        ("tone", None, "the judge did not answer"),
    ]
    assert (found.said(Arm.BASELINE), found.said(Arm.CANDIDATE)) == ("billing", "billing")
