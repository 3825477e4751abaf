"""What a new model does differently: format, length, refusals, labels."""

import pytest

from engine.render.markdown import markdown
from engine.render.swap_text import swap_sentences
from engine.scorecard.model_swap import declines, model_swap
from schemas.outcomes import Arm, Cell, Completion, CompletionError, ErrorKind, Finish, Outcome, Score
from schemas.scorecard import AnswerProfile, ModelSwap
from tests.render.scorecards import generation


def said(arm, case, text, *, finish=Finish.STOP, label=None, repetition=0):
    result = Completion(text=text, finish=finish, usage=None, model="m", latency_s=0.1)
    scores = (Score(metric="label", value=1, answer=label),) if label else ()
    return Outcome(cell=Cell(case=case, arm=arm, repetition=repetition), result=result, scores=scores)


def both(baseline, candidate, **changes):
    arms = ((Arm.BASELINE, baseline), (Arm.CANDIDATE, candidate))
    return [said(arm, case, text, **changes) for arm, texts in arms for case, text in enumerate(texts)]


def test_formats_lengths_and_refusals_are_counted_over_the_cases_that_both_answered():
    plain, fenced = '{"a": 1}', '```json\n{"a": 1, "b": "two words"}\n```'
    swap = model_swap([*both([plain] * 4, [fenced] * 3 + ["I'm sorry, but I can't help."]), said(Arm.BASELINE, 9, "x")])
    assert (swap.baseline.answers, swap.candidate.answers) == (4, 4)
    assert swap.baseline.formats == {"JSON: an object": 4}
    assert swap.candidate.formats == {"JSON: an object, in a code fence": 3, "a text": 1}
    assert (swap.baseline.refusals, swap.candidate.refusals) == (0, 1)
    assert swap_sentences(swap) == [
        "Format: JSON: an object 4 → 0 of 4; JSON: an object, in a code fence 0 → 3 of 4; a text 0 → 1 of 4.",
        "Length: median 2 → 7 words.",
        "Refusals: 0 → 1 of 4.",
    ]


def test_one_answer_of_each_case_counts():
    again = [said(Arm.CANDIDATE, case, "[1, 2]", repetition=n) for n in (3, 2, 1) for case in range(3)]
    swap = model_swap([*again, *both(["a"] * 3, ["b"] * 3)])
    assert swap.candidate == AnswerProfile(answers=3, formats={"a few words": 3}, words=1.0)


def test_the_mix_of_labels_is_compared():
    outcomes = [
        said(arm, case, label, label=label)
        for arm, labels in ((Arm.BASELINE, "aabb"), (Arm.CANDIDATE, "aaaz"))
        for case, label in enumerate(labels)
    ]
    swap = model_swap(outcomes, ("a", "b"))
    assert swap.candidate.labels == {"a": 3}
    assert "Labels: `b` 2 → 0 of 4; `a` 2 → 3 of 4." in swap_sentences(swap)


def test_a_refusal_by_the_provider_counts_and_is_not_a_format():
    swap = model_swap([*both(["yes"] * 3, []), *both([], ["", "", ""], finish=Finish.FILTER)])
    assert swap.candidate == AnswerProfile(answers=3, refusals=3)
    failed = CompletionError(kind=ErrorKind.TIMEOUT, message="slow")
    lost = [outcome.model_copy(update={"result": failed}) for outcome in both([], ["x"] * 3)]
    assert model_swap([*both(["yes"] * 3, []), *lost]) is None
    assert model_swap(both(["a", "b"], ["a", "b"])) is None


@pytest.mark.parametrize(
    ("text", "declined"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot assist with this request.", True),
        ("Sorry, I am unable to do that.", True),
        ("As an AI, I can't browse.", True),
        ("<think>Should I?</think>\nI won’t do this.", True),
        ("I can't sign in either.", True),  # a false alarm that a rule by first words can't avoid
        ("Unfortunately, the invoice is wrong.", False),
        ("refunds", False),
        ("The customer says: I can't log in.", False),
        ("", False),
    ],
)
def test_an_answer_declines_by_its_first_words(text, declined):
    assert declines(text) is declined


def test_equal_models_are_said_to_be_equal():
    one = AnswerProfile(answers=40, formats={"a text": 40}, words=100.0, labels={"a": 20, "b": 20})
    near = AnswerProfile(
        answers=40, formats={"a text": 39, "JSON: an object": 1}, words=109.0, labels={"a": 21, "b": 19}
    )
    same = ["Format, length, refusals and labels of the answers are as before."]
    assert swap_sentences(ModelSwap(baseline=one, candidate=near)) == same


def test_the_comment_has_a_section_about_the_new_model():
    text = markdown(generation())
    assert "<b>What claude-haiku-4-5 does differently</b>" in text
    assert "- Length: median 72 → 118.5 words." in text
