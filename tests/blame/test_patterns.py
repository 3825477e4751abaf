"""What broken cases have in common is said with its counts, and nothing is said about chance."""

import numpy as np
import pytest

from benchmarks.patterns import planted, shuffled_finds
from engine.patterns.features import features
from engine.patterns.overlap import adjusted_ps
from engine.patterns.patterns import patterns
from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.outcomes import Arm, Cell, Completion, Finish, MetricSpec, Outcome, Score
from schemas.testsets import TestCase


def effect(n, *, broken, expected=None, was="a", given="a", passed=True):
    answers = [
        (Answer(text=text, count=3, of=3, score=float(score)),) for text, score in ((was, passed), (given, not broken))
    ]
    return CaseEffect(
        id=f"c{n}",
        slices=(),
        expected=expected,
        baseline=answers[0],
        candidate=answers[1],
        change=-1.0 if broken else 0.0,
        result=CaseOutcome.REGRESSED if broken else CaseOutcome.NO_CHANGE,
    )


def found(texts, broken, *, slices=None, outcomes=(), metrics=(), clusters=None, effects=None, labels=()):
    cases = [TestCase(id=f"c{n}", inputs={"t": text}, slices=(slices or {}).get(n, ())) for n, text in enumerate(texts)]
    return patterns(
        cases,
        effects or [effect(n, broken=n in broken) for n in range(len(cases))],
        outcomes,
        metrics=metrics,
        clusters=clusters or [None] * len(cases),
        labels=labels,
        seed=7,
    )


WORDS = ("the order is late", "please change my seat", "where is my parcel now", "this page is blank")


def tickets(count=60):
    return [f"{WORDS[n % 4]} {'x ' * (n % 7)}" for n in range(count)]


def test_words_that_broken_cases_share_are_said_with_their_counts():
    texts = tickets()
    broken = range(0, 24, 2)
    for n in [*list(broken)[:9], 31]:
        texts[n] += "see invoice number 12"
    (first, *_) = found(texts, broken)
    assert first.sentence == (
        "9 of the 12 broken cases mention “invoice number”, against 1 of the 48 other cases that passed before."
    )
    assert (first.broken, first.of, first.others, first.of_others) == (9, 12, 1, 48)
    assert first.p <= 0.025


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda texts, n: texts.__setitem__(n, texts[n] + " word" * 40), "are longer than"),
        (lambda texts, n: texts.__setitem__(n, texts[n] + "?"), "ask a question"),
        (lambda texts, n: texts.__setitem__(n, texts[n] + "\nIgnore it"), "have several lines"),
        (lambda texts, n: texts.__setitem__(n, texts[n] + " мир"), "contain letters that are not Latin"),
    ],
)
def test_lengths_and_signs_of_inputs_are_features(change, sentence):
    texts = tickets()
    for n in range(10):
        change(texts, n)
    assert any(sentence in each.sentence for each in found(texts, range(10)))


def test_slices_finishes_and_lost_fields_are_features():
    broken = range(12)
    by_slice = found(tickets(), broken, slices=dict.fromkeys(range(14), ("long",)))
    assert "All 12 broken cases are in the slice “long”, against 2 of" in by_slice[0].sentence

    def answer(n, arm, finish=Finish.STOP, value=1.0):
        scores = (Score(metric="overall", value=value), Score(metric="due", value=value))
        result = Completion(text="", finish=finish, usage=None, model="m", latency_s=0.1)
        return Outcome(cell=Cell(case=n, arm=arm, repetition=0), result=result, scores=scores)

    specs = (MetricSpec(name="overall"), MetricSpec(name="due", kind="field"))
    cut = [answer(n, Arm.CANDIDATE, Finish.LENGTH if n in broken else Finish.STOP) for n in range(60)]
    assert "get an answer that is cut off" in found(tickets(), broken, outcomes=cut)[0].sentence
    lost = [answer(n, arm, value=float(arm is Arm.BASELINE or n not in broken)) for n in range(60) for arm in Arm]
    assert "lose the field “due”" in found(tickets(), broken, outcomes=lost, metrics=specs)[0].sentence


def test_labels_that_are_confused_more_often_come_first():
    effects = [
        effect(n, broken=n < 10, expected="refunds" if n < 30 else "billing", was="refunds" if n < 27 else "billing",
               given="billing" if n < 10 or n >= 27 else "refunds")
        for n in range(60)
    ]  # fmt: skip
    first, *others = found(tickets(), range(10), effects=effects, labels=("refunds", "billing"))
    assert (first.kind, first.sentence) == ("labels", "“refunds” read as “billing”: 3 → 13 cases.")
    assert all(each.kind == "feature" for each in others)
    # the expected label marks the same cases, so it isn't said again
    assert not any("expect" in each.sentence for each in others)
    assert found(tickets(), range(10), effects=effects) == ()


def test_at_most_three_patterns_and_no_two_of_the_same_cases():
    texts = tickets()
    for n in range(12):
        texts[n] += f" invoice number {['alpha', 'beta'][n % 2]} always http://x.example {'y ' * 50}"
    seen = found(texts, range(12), slices=dict.fromkeys(range(12), ("s",)))
    assert 1 <= len(seen) <= 3
    assert len({each.broken for each in seen if each.broken == 12}) <= 1


def test_a_few_broken_cases_or_those_that_never_passed_say_nothing():
    texts = [f"{text} invoice" if n < 2 else text for n, text in enumerate(tickets())]
    assert found(texts, range(2)) == ()
    effects = [effect(n, broken=n < 4, passed=n < 4) for n in range(60)]
    assert found(tickets(), range(4), effects=effects) == ()


def test_cases_of_a_cluster_count_as_one():
    texts = [f"{text} invoice number" if n < 12 else text for n, text in enumerate(tickets())]
    assert found(texts, range(12))
    assert found(texts, range(12), clusters=[f"k{n // 12}" for n in range(60)]) == ()


def test_hostile_words_are_bounded_and_printable():
    texts = [f"{text} {'ⅷ' * 500}\u202e" if n < 12 else text for n, text in enumerate(tickets())]
    for each in found(texts, range(12), slices=dict.fromkeys(range(12), ("s" * 900 + "\n\x07",))):
        assert len(each.sentence) < 250
        assert each.sentence.isprintable()


def test_features_do_not_depend_on_what_broke_and_are_bounded():
    rng = np.random.default_rng(1)
    texts = [" ".join(f"w{rng.integers(4000):05}x".replace("0", "o") for _ in range(300)) for _ in range(100)]
    cases = [TestCase(id=str(n), inputs={"a": {"b": [text, 1]}}) for n, text in enumerate(texts)]
    assert len(features(cases, (), ())) <= 2_010
    assert features([], (), ()) == {}
    assert adjusted_ps({}, np.zeros(0, dtype=bool), (), 1) == {}


def test_planted_patterns_are_found_and_shuffled_data_have_none():
    """The benchmark in small."""
    assert sum(planted(number) for number in range(5)) == 5
    assert sum(shuffled_finds(number) for number in range(8)) <= 2
