"""What the scorecard keeps of a case: its inputs, the two answers that differ most, and what they score."""

import pytest

from engine.gate.decision import CaseResult
from engine.scorecard.answer_pair import answer_pair
from engine.scorecard.case_effects import EXCERPT, INPUT, MOST_METRICS, SHORT, case_effects
from engine.scorecard.passages import CUT, around, terms_of
from schemas.effects import Answer, CaseEffect, CaseOutcome
from schemas.outcomes import Arm, Cell, Completion, CompletionError, ErrorKind, Finish, MetricSpec, Outcome, Score
from schemas.testsets import TestCase

REGRESSED = CaseResult(-0.5, CaseOutcome.REGRESSED, confirmed=True)


def outcome(arm, text, value, *scores, answer=None, reason="", repetition=0):
    result = Completion(text=text, finish=Finish.STOP, usage=None, model="m", latency_s=0.1)
    first = Score(metric="overall", value=value, answer=answer, reason=reason)
    return Outcome(cell=Cell(case=0, arm=arm, repetition=repetition), result=result, scores=(first, *scores))


def effect(outcomes, *, found=REGRESSED, use_case="generation", metrics=(), tests=None, **changes):
    case = TestCase.model_validate({"id": "c", "inputs": {"q": "What?"}, "line": 7, **changes})
    specs = (MetricSpec(name="overall"), *metrics)
    about = {"metric": "overall", "metrics": specs, "added": [False], "use_case": use_case, "tests": tests}
    (made,) = case_effects([case], [found], outcomes, **about)
    return made


def answers(*given):
    return tuple(Answer(text=text, count=count, of=9, score=score) for text, count, score in given)


@pytest.mark.parametrize(
    ("baseline", "candidate", "change", "pair"),
    [
        ((("a", 5, 1.0), ("b", 4, 0.0)), (("c", 6, 1.0), ("d", 3, 0.0)), -0.1, ("a", "d")),
        ((("a", 5, 1.0), ("b", 4, 0.0)), (("c", 6, 1.0), ("d", 3, 0.0)), 0.1, ("b", "c")),
        ((("a", 5, 1.0), ("b", 4, 1.0)), (("c", 2, 0.5), ("d", 7, 0.5)), -0.5, ("a", "d")),
        ((("a", 9, 1.0),), (("a", 5, 1.0), ("b", 4, 1.0)), 0.0, ("a", "b")),
        ((("a", 9, None),), (("b", 9, None),), None, ("a", "b")),
        ((), (("b", 9, 1.0),), None, (None, "b")),
        ((), (), None, (None, None)),
    ],
)
def test_the_pair_differs_most_in_the_direction_of_the_change(baseline, candidate, change, pair):
    case = CaseEffect(
        id="c", slices=(), baseline=answers(*baseline), candidate=answers(*candidate), change=change, result="flaky"
    )
    assert tuple(answer and answer.text for answer in answer_pair(case)) == pair


def test_a_text_is_kept_with_its_lines_and_a_label_as_it_was_read():
    mail = "Subject: Hi\n\n" + "Dear you, " * 60
    said = [outcome(Arm.BASELINE, mail, 1, answer="Subject: Hi Dear…"), outcome(Arm.CANDIDATE, "no", 0, answer="no")]
    assert effect(said).baseline[0].text == mail
    assert effect(said, use_case="classification").baseline[0].text == "Subject: Hi Dear…"


@pytest.mark.parametrize(
    ("said", "value", "shown"),
    [
        ("Billing", 0, "billing"),
        ("Sure!\n\nCategory: **billing**", 0, "billing, read in “Sure! Category: **billing**”"),
        ("They were charged. " * 90 + "Billing", 0, "billing, read in “[…] " + "They were charged. " * 8 + "Billing”"),
        ("Category: billing", 1, "billing"),
    ],
)
def test_a_label_that_lost_points_stands_beside_the_answer_that_it_was_read_in(said, value, shown):
    label = Score(metric="label", value=value, answer="billing")
    outcomes = [
        outcome(arm, said, value).model_copy(update={"scores": (label,)}) for arm in (Arm.BASELINE, Arm.CANDIDATE)
    ]
    case = TestCase(id="c", inputs={"q": "?"}, expected="refunds")
    (made,) = case_effects(
        [case], [REGRESSED], outcomes, metric="label", metrics=(), added=[False], use_case="classification", tests=None
    )
    assert made.candidate[0].text == shown


def test_only_the_pair_of_a_case_that_changed_is_kept_at_length():
    said = [outcome(Arm.BASELINE, "b" * 9_000, 1)] + [
        outcome(Arm.CANDIDATE, str(n) * 9_000, value, repetition=n) for n, value in enumerate((0.5, 0, 0.5))
    ]
    made = effect(said)
    assert len(made.baseline[0].text) == EXCERPT
    assert sorted(len(answer.text) for answer in made.candidate) == [SHORT, SHORT, EXCERPT]
    same = effect(said, found=CaseResult(0.0, CaseOutcome.NO_CHANGE, confirmed=False))
    assert {len(answer.text) for answer in (*same.baseline, *same.candidate)} == {SHORT}
    assert same.metrics == ()


def test_the_reason_belongs_to_the_answer_that_is_shown():
    said = [
        outcome(Arm.BASELINE, "good", 1, reason="fine"),
        outcome(Arm.CANDIDATE, "bad", 0.2, Score(metric="tone", value=0, reason="rude"), reason="tone: rude"),
        outcome(Arm.CANDIDATE, "worse", 0, Score(metric="tone", value=0.5, reason="curt"), repetition=1),
    ]
    assert effect(said).reason == "curt"
    assert effect(said[:2]).reason == "tone: rude"
    assert effect(said, found=CaseResult(0.5, CaseOutcome.IMPROVED, confirmed=True)).reason == ""
    right = outcome(Arm.CANDIDATE, "good", 1, reason="tone: kind", repetition=2)
    for steady in (CaseOutcome.NO_CHANGE, CaseOutcome.ALONE):
        found = CaseResult(None, steady, confirmed=False)
        assert effect([*said[:2], right], found=found).reason == "tone: rude"
        assert effect([right], found=found).reason == ""


def test_fields_that_differ_are_kept_with_what_was_expected_and_all_dimensions():
    specs = [MetricSpec(name=f"f{n}", kind="field") for n in range(3)] + [MetricSpec(name="tone", kind="dimension")]

    def scored(values):
        fields = [Score(metric=f"f{n}", value=value, answer=f"{value}") for n, value in enumerate(values)]
        return (*fields, Score(metric="tone", value=0.5, answer="3"))

    said = [outcome(Arm.BASELINE, "x", 1, *scored((1, 1, 0))), outcome(Arm.CANDIDATE, "y", 0, *scored((1, 0, 1)))]
    made = effect(said, metrics=specs, expected={"f1": 9, "f2": "w" * 900}, use_case="extraction").metrics
    assert [(one.name, one.baseline, one.candidate) for one in made] == [
        ("f1", "1", "0"), ("tone", "3", "3"), ("f2", "0", "1"),
    ]  # fmt: skip
    assert (made[0].expected, made[1].expected, len(made[2].expected)) == (9, None, SHORT + 1)
    many = [MetricSpec(name=f"f{n}", kind="field") for n in range(40)]
    scores = [[Score(metric=spec.name, value=value) for spec in many] for value in (1, 0)]
    said = [outcome(Arm.BASELINE, "x", 1, *scores[0]), outcome(Arm.CANDIDATE, "y", 0, *scores[1])]
    assert len(effect(said, metrics=many).metrics) == MOST_METRICS


def test_inputs_are_bounded_and_keep_their_order_and_what_the_answers_are_about():
    long = "filler words here. " * 900 + "The invoice was charged twice. " + "more filler. " * 3_000
    said = [outcome(Arm.BASELINE, "invoice", 1), outcome(Arm.CANDIDATE, "charged", 0)]
    inputs = {"history": long, "name": "Ada", "data": {"a": [1]}}
    made = effect(said, inputs=inputs)
    assert [name for name, _ in made.inputs] == ["history", "name", "data"]
    assert made.inputs[1:] == (("name", "Ada"), ("data", '{"a": [1]}'))
    assert "The invoice was charged twice." in made.inputs[0][1]
    assert sum(len(text) for _, text in made.inputs) <= INPUT + 2 * len(f"{CUT} ")
    assert effect(said, inputs={f"v{n}": "x" * 500 for n in range(90)}).line == 7
    assert effect(said, found=CaseResult(None, CaseOutcome.NOT_RUN, confirmed=False)).inputs == ()


def test_a_call_without_an_answer_is_named():
    failed = Outcome(
        cell=Cell(case=0, arm=Arm.CANDIDATE, repetition=0),
        result=CompletionError(kind=ErrorKind.TIMEOUT, message="slow"),
    )
    assert effect([failed], found=CaseResult(None, CaseOutcome.MISSING, confirmed=False)).candidate[0].text == (
        "(no answer: timeout)"
    )


@pytest.mark.parametrize(
    ("text", "terms", "limit", "shown"),
    [
        ("short", (), 80, "short"),
        ("one two three four", (), 9, "one two […]"),
        ("aaaa bbbb cccc dddd eeee ffff gggg", ("gggg",), 12, "[…] ffff gggg"),
        ("aaaa bbbb cccc dddd eeee ffff gggg hhhh", ("dddd", "eeee"), 20, "[…] cccc dddd eeee ffff […]"),
        ("aaaa xxxx xxxx xxxx xxxx xxxx bbbb cccc xxxx", ("aaaa", "bbbb", "cccc"), 16, "[…] bbbb cccc […]"),
        ("xxxxxxxxxxxxxxxxxxxx", (), 5, "xxxxx […]"),
    ],
)
def test_a_text_is_shortened_around_its_terms(text, terms, limit, shown):
    assert around(text, frozenset(terms), limit) == shown


def test_a_megabyte_is_shortened_as_well():
    text = "needle " * 200_000
    assert len(around(text, terms_of(["needle"]), 300)) <= 300 + 2 * len(f"{CUT} ")
    assert terms_of(["is a_long_name, or an account_access"]) == {"long", "name", "account", "access"}


@pytest.mark.parametrize(
    ("tests", "path", "expected"),
    [
        ("a.jsonl", "a.jsonl", None),
        ("a.jsonl, b.jsonl", "b.jsonl", "b.jsonl"),
        ("promptfooconfig.yaml", "more.csv", "more.csv"),
        (None, "a.prompt.yml", None),
    ],
)
def test_a_case_names_its_file_where_the_test_set_has_another(tests, path, expected):
    assert effect([], tests=tests, path=path).path == expected
