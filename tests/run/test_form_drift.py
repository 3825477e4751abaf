"""Form drift: another form of the answers needs review, ordinary variation is not."""

import pytest

from engine.doubts.form_drift import chance, form_drift
from schemas.outcomes import Arm, Cell, Finish, Outcome
from schemas.testsets import TestCase
from schemas.verdicts import ReasonCode, VerdictStatus
from tests.run.laboratory import completion

LABELS = ("billing", "refunds")


def drift(baseline, candidate, labels=LABELS):
    """The sentence about these answers of both arms, one a case; empty: nothing is said."""
    outcomes = [
        Outcome(cell=Cell(case=case, arm=arm, repetition=0), result=completion(text))
        for arm, texts in ((Arm.BASELINE, baseline), (Arm.CANDIDATE, candidate))
        for case, text in enumerate(texts)
    ]
    cases = [TestCase(id=f"t{n}", inputs={}) for n in range(len(baseline))]
    found = form_drift(cases, outcomes, labels)
    assert all(one.status is VerdictStatus.NEEDS_REVIEW and one.code is ReasonCode.FORM_DRIFT for one in found)
    assert all(len(one.cases) == int(one.sentence.split()[0]) for one in found)
    return found[0].sentence if found else ""


def times(number, *texts):
    return [texts[n % len(texts)] for n in range(number)]


BARE = times(120, "billing", "refunds")


@pytest.mark.parametrize(
    ("candidate", "said"),
    [
        (
            times(120, "I think it's billing."),
            "120 of 120 answers have another format: a text instead of a bare label.",
        ),
        (times(120, '{"category": "billing"}'), "another format: JSON: an object instead of a bare label."),
        (times(120, "```\nbilling\n```"), "120 of 120 answers have another format: in a code fence."),
        (times(120, "b\u200bil\u200bling"), "120 of 120 answers have another format: with invisible characters."),
        (times(120, *["billing"] * 3, "Label: billing"), "30 of 120 answers have another format: a name and a label"),
    ],
)
def test_another_form_is_said(candidate, said):
    assert said in drift(BARE, candidate)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        (BARE, times(120, "Billing.", " refunds", "BILLING\n", "refunds")),
        (BARE, times(120, *["billing"] * 39, "It is billing.")),  # one in 40 wanders
        (times(120, "billing", "I say billing."), times(120, "I say billing.")),
        (times(120, *["billing"] * 11, "I say it."), times(120, *["refunds"] * 7, "I say so.")),
        (BARE[:2], ["I say billing."] * 2),
        (times(60, *[f'{{"key{n}": 1}}' for n in range(60)]), times(60, *[f'{{"other{n}": 1}}' for n in range(60)])),
        (times(60, '{"a": 1, "b": 2}', '{"a": 1}'), times(60, '{"a": 1}')),
        (times(60, '{"a": 1, "b": 2}'), times(60, '{"a": 3, "b": null}')),
    ],
)
def test_ordinary_variation_is_nothing(baseline, candidate):
    assert drift(baseline, candidate) == ""


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        ('{"total": 1, "due": "x"}', '{"total": 1}', "without the key `due`"),
        ('{"lines": [{"price": 1}]}', '{"lines": [{"cost": 1}]}', "without the key `lines[].price`"),
        ('{"total": 1}', '{"total": "1"}', "with a text at `total`"),
        ('```json\n{"a": 1}\n```', '{"a": 1}', "not in a code fence"),
        ("<answer>yes it is so, I think</answer>", "yes it is so, I really think", "not with the tag `<answer>`"),
    ],
)
def test_what_is_gone_or_of_another_type_is_said(baseline, candidate, said):
    assert said in drift([baseline] * 40, [candidate] * 40, ())


def test_of_few_answers_all_must_differ():
    assert drift(BARE[:4], ["I say billing."] * 4)
    assert not drift(BARE[:4], [*["I say billing."] * 3, "billing"])


def test_answers_that_score_nothing_anyway_and_missing_ones_are_left_out():
    cut = completion("I think it is", finish=Finish.LENGTH)
    outcomes = [
        Outcome(cell=Cell(case=n, arm=Arm.BASELINE, repetition=0), result=completion("billing")) for n in range(9)
    ]
    outcomes += [Outcome(cell=Cell(case=n, arm=Arm.CANDIDATE, repetition=0), result=cut) for n in range(9)]
    assert form_drift([TestCase(id="t", inputs={})] * 9, outcomes, LABELS) == ()


def test_the_chance_is_fishers():
    assert chance(0, 5, 5) == pytest.approx(1 / 252)
    assert chance(3, 3, 10) == pytest.approx(1 - 0.5 + (120 * 120 / 38760) / 2, rel=1e-6)
    assert chance(0, 0, 7) == pytest.approx(1)
