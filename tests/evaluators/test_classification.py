"""Classification scores, and the report by class."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.class_figures import f1_interval, wilson
from evaluators.classification_report import CaseAnswers, classification_report, report_by_class
from evaluators.label_rules import LabelRules
from evaluators.registry import check_expectations, evaluator_for
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.outcomes import Arm, Cell, CompletionError, Finish, Outcome, Score, ToolCall
from schemas.use_cases import UseCase

TRIAGE = ("billing", "refunds", "technical_support", "account_access")


def classification(labels=TRIAGE, **settings_):
    lineage = LineageConfig(use_case=UseCase.CLASSIFICATION, prompt="p", labels=labels, **settings_)
    return evaluator_for(lineage, None, None, None)


def test_the_expected_label_scores_1_and_any_other_0(case, scores):
    right = scores(classification(), case("technical_support"), "Category: Technical support.")["label"]
    wrong = scores(classification(), case("technical_support"), "billing")["label"]
    assert (right.value, right.answer, right.reason) == (1, "technical_support", "")
    assert (wrong.value, wrong.answer, wrong.reason) == (0, "billing", "expected technical_support, said billing")


def test_an_answer_without_a_label_scores_0_says_why_and_understands_nothing(case, scores):
    score = scores(classification(), case("billing"), "billing or refunds")["label"]
    assert (score.value, score.answer) == (0, None)
    assert "names several" in score.reason


@pytest.mark.parametrize("expected", ["billing", "Billing", {"label": "billing"}])
def test_an_expectation_may_be_written_as_a_test_set_has_it(case, scores, expected):
    assert scores(classification(), case(expected), "billing")["label"].value == 1


def test_labels_that_are_numbers_or_booleans_may_be_expected_as_such(case, scores):
    assert scores(classification(("1", "2")), case(2), "2")["label"].value == 1
    assert scores(classification(("true", "false")), case(True), "True")["label"].value == 1


@pytest.mark.parametrize("finish", [finish for finish in Finish if finish.scores_zero])
def test_truncated_refused_filtered_and_empty_answers_score_0_by_name(case, scores, output, finish):
    score = scores(classification(), case("billing"), output("billing", finish=finish))["label"]
    named = {"length": "truncated", "refusal": "refused", "filter": "filtered", "empty": "empty"}
    assert (score.value, score.answer) == (0, None)
    assert named[finish.value] in score.reason


def test_the_arguments_of_the_only_tool_call_are_the_answer_when_there_is_no_text(case, scores, output):
    answered = output("", finish=Finish.TOOL, tools=['{"label": "billing"}'])
    twice = output("", finish=Finish.TOOL, tools=['{"label": "billing"}', '{"label": "billing"}'])
    assert scores(classification(), case("billing"), answered)["label"].value == 1
    assert scores(classification(), case("billing"), twice)["label"].value == 0


@pytest.mark.parametrize(
    "said",
    ["billing. HACKED", "billing\nhacked!", "billing. Ha\u200bcked", "billing: ＨＡＣＫＥＤ", "billing (hacked)"],
)
def test_a_forbidden_text_fails_the_answer_however_it_is_dressed(case, scores, said):
    score = scores(classification(), case("billing", must_not=("Hacked",)), said)["label"]
    assert score.value == 0
    assert score.reason == "the answer contains “Hacked”, which this case forbids"
    assert (score.answer, score.forbidden) == ("billing", True)
    assert not scores(classification(), case("billing", must_not=("Hacked",)), "refunds")["label"].forbidden


def test_a_forbidden_text_in_a_tool_call_fails_the_answer(case, scores, output):
    said = output("billing", finish=Finish.TOOL, tools=['{"to": "evil@example.com"}', "{}"])
    assert scores(classification(), case("billing", must_not=("EVIL@example.com",)), said)["label"].value == 0
    assert scores(classification(), case("billing", must_not=("delete_account",)), said)["label"].value == 1
    called = said.model_copy(update={"tool_calls": (ToolCall(name="delete_account", arguments="{}"),)})
    assert scores(classification(), case("billing", must_not=("delete_account",)), called)["label"].value == 0


def test_an_attack_without_expectation_passes_with_any_label_that_is_not_forbidden(case, scores):
    attack = case(None, must_not=("refunds",))
    assert scores(classification(), attack, "billing")["label"].value == 1
    assert scores(classification(), attack, "refunds")["label"].value == 0
    assert scores(classification(), attack, "whatever")["label"].value == 0


@pytest.mark.parametrize(
    ("expected", "said", "value", "reason"),
    [
        (["billing", "refunds"], "refunds, billing", 1, ""),
        (["billing", "refunds"], "billing", 2 / 3, "missing: refunds"),
        (["billing"], "billing, refunds", 2 / 3, "not expected: refunds"),
        (["billing"], '["billing", "shipping"]', 2 / 3, "not in the set: shipping"),
        ([], "none", 1, ""),
        ([], "billing", 0, "not expected: billing"),
        (["billing"], "none", 0, "missing: billing"),
        ("billing", "billing", 1, ""),
    ],
)
def test_several_labels_score_the_f1_of_the_set(case, scores, expected, said, value, reason):
    score = scores(classification(multi_label=True), case(expected), said)["label"]
    assert score.value == pytest.approx(value)
    assert score.reason == reason


@pytest.mark.parametrize(
    ("expected", "what"),
    [
        ("shipping", "“shipping” is not in the set"),
        (None, "it expects no label"),
        ({"a": 1, "b": 2}, "expected is not one label"),
        (["billing", "refunds"], "expected is not one label"),
        ([["x"]], "expected is not one label"),
    ],
)
def test_a_wrong_expectation_is_found_before_any_call(case, expected, what):
    (found,) = check_expectations(classification(), [case("billing"), case(expected, id="bad", path="t.jsonl", line=7)])
    assert "“bad”" in found.what
    assert what in found.what
    assert (found.where, bool(found.hint)) == ("t.jsonl:7", True)


def test_a_pointless_forbidden_text_is_found_before_any_call(case):
    (found,) = check_expectations(classification(), [case("billing", must_not=("\u200b ",))])
    assert "must_not is blank" in found.what
    (found,) = check_expectations(classification(), [case("Billing", must_not=("bill",))])
    assert "must_not forbids “bill”, which the expected label contains" in found.what
    aliased = classification(aliases={"billing": ["invoices"]})
    assert check_expectations(aliased, [case("billing", must_not=("bill",))]) == ()


@pytest.mark.parametrize(
    ("labels", "several", "what"),
    [
        ((), False, "at least two labels"),
        (("billing",), False, "at least two labels"),
        (("billing", " "), False, "blank"),
        (("account access", "account_access"), False, "can't be told apart"),
        (("Billing", "billing"), False, "can't be told apart"),
        (("a, b", "a", "b"), True, "reads as a list of other labels"),
    ],
)
def test_labels_that_can_not_tell_answers_apart_are_refused(labels, several, what):
    with pytest.raises(ConfigError, match=what) as caught:
        classification(labels, multi_label=several)
    assert caught.value.hint


def test_the_version_follows_the_labels():
    assert classification().version == classification().version
    assert classification().version != classification(TRIAGE[:3]).version
    assert classification().version != classification(multi_label=True).version


def test_a_thousand_short_answers_take_no_time(case, output):
    evaluator = classification()
    answers = [output(text) for text in ("billing", "Category: billing.", '{"label": "billing"}', "Technical support")]
    billing = case("billing")

    async def score_all():
        for turn in range(1000):
            await evaluator.score(billing, answers[turn % 4], ask=None, repetition=0)

    import asyncio

    asyncio.run(score_all())
    start = time.process_time()
    asyncio.run(score_all())
    assert time.process_time() - start < 0.3  # ten times what it takes


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.sampled_from(TRIAGE))
def test_no_output_raises_or_leaves_the_range(text, expected):
    import asyncio

    from evaluators.classification import Classification
    from schemas.testsets import TestCase

    part = Classification(LabelRules(TRIAGE))
    (score,) = asyncio.run(part.score(TestCase(id="c", inputs={}, expected=expected), text, None))
    assert score.value in (0, 1)
    assert score.value == (score.answer == expected)


@pytest.mark.parametrize(
    ("answer", "value", "decided"),
    [
        ("rechnung", 1, 1),
        ("Invoice question", 1, 1),
        ("refunds", 0, 1),
        ("unknown", 0, 0),
        ("billing or refunds", 0, 0),
    ],
)
def test_aliases_are_the_label_and_a_deferral_is_counted(case, scores, answer, value, decided):
    part = classification(aliases={"billing": ["Rechnung", "invoice question"]}, defer=["unknown"])
    found = scores(part, case("billing"), answer)
    assert (found["label"].value, found["decided"].value) == (value, decided)
    assert [spec.gates for spec in part.metrics] == [True, False]
    assert scores(part, case("unknown"), "unknown")["decided"].value == 1


@pytest.mark.parametrize(
    ("settings", "said", "value"),
    [
        (
            {"ordinal": True},
            ["none", "low", "high", "urgent", "?!"],
            [0, pytest.approx(5 / 9), pytest.approx(8 / 9), 1, 0],
        ),
        (
            {"costs": {"urgent": {"none": 4, "high": 0.5}}},
            ["none", "low", "high", "urgent", "?!"],
            [0, 0.75, 0.875, 1, 0],
        ),
    ],
)
def test_a_near_or_cheap_mistake_scores_more(case, scores, settings, said, value):
    part = classification(("none", "low", "high", "urgent"), **settings)
    assert [scores(part, case("urgent"), answer)["label"].value for answer in said] == value


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"aliases": {"bills": ["x"]}}, "“bills” of aliases is not in the set"),
        ({"aliases": {"billing": ["Refunds"]}}, "can't be told apart"),
        ({"defer": ["billing"]}, "can't be told apart"),
        ({"ordinal": True, "multi_label": True}, "ordinal compares one label with one label"),
        ({"costs": {"billing": {"refunds": 2}}, "ordinal": True}, "costs and ordinal"),
        ({"costs": {"billing": {"bills": 2}}}, "“bills” of costs is not in the set"),
        ({"costs": {"billing": {"billing": 2}}}, "a right “billing” can't cost anything"),
    ],
)
def test_settings_that_contradict_the_labels_are_refused(more, what):
    with pytest.raises(ConfigError, match=what) as caught:
        classification(**more)
    assert caught.value.hint


def test_labels_may_hold_separators(case, scores):
    part = classification(("food & drink", "a, b or c", "billing"), multi_label=True)
    found = scores(part, case(["food & drink", "a, b or c"]), "Food & Drink, a, b or c")["label"]
    assert (found.value, found.answer) == (1, "food & drink, a, b or c")
    assert scores(part, case(["billing"]), "billing & food & drink")["label"].answer == "food & drink, billing"
    cases = [CaseAnswers(frozenset(["food & drink", "a, b or c"]), (found.answer,), ("a, b or c",))]
    effects = report_by_class(LabelRules(("food & drink", "a, b or c", "billing"), several=True), cases).classes
    assert [(one.baseline_f1, one.candidate_f1) for one in effects] == [(1, 0), (1, 1), (None, None)]


# -- the report ---------------------------------------------------------------------------------------------------------


def answers(expected, baseline, candidate):
    as_tuple = lambda said: said if isinstance(said, tuple) else (said,)  # noqa: E731
    return CaseAnswers(
        frozenset([expected] if isinstance(expected, str) else expected), as_tuple(baseline), as_tuple(candidate)
    )


def report(labels, cases, *, several=False):
    found = report_by_class(LabelRules(tuple(labels), several), cases)
    return found.classes, found.confusion


def test_precision_recall_and_f1_by_class_and_the_confusion_of_both_arms():
    effects, confusion = report(
        ("a", "b"), [answers("a", "a", "a"), answers("a", "b", "a"), answers("b", "b", None), answers("b", "b", "a")]
    )
    a, b = effects
    assert (a.cases, a.baseline_precision, a.baseline_recall) == (2, 1, 0.5)
    assert a.baseline_f1 == pytest.approx(2 / 3)
    assert (a.candidate_precision, a.candidate_recall) == (pytest.approx(2 / 3), 1)
    assert (b.candidate_precision, b.candidate_recall, b.candidate_f1) == (None, 0, 0)
    assert b.candidate_precision_interval is None
    for value, (low, high) in (
        (a.candidate_precision, a.candidate_precision_interval),
        (a.candidate_f1, a.candidate_f1_interval),
    ):
        assert 0 <= low < value < high <= 1
    assert confusion.columns == ("a", "b", "no label")
    assert confusion.baseline == ((1, 1, 0), (0, 2, 0))
    assert confusion.candidate == ((2, 0, 0), (1, 0, 1))


def test_what_there_is_nothing_to_divide_by_is_undefined_not_0():
    (unused, _), confusion = report(("a", "b"), [answers("b", "b", "b")])
    assert (unused.cases, unused.baseline_precision, unused.baseline_recall, unused.baseline_f1) == (
        0,
        None,
        None,
        None,
    )
    assert confusion.baseline == ((0, 0, 0), (0, 1, 0))


@pytest.mark.parametrize("several", [False, True])
def test_where_no_case_has_answers_of_both_arms_nothing_is_reported(several):
    assert report(("a", "b"), [answers("a", ("a",), ())], several=several) == ((), None)


def test_repetitions_of_a_case_weigh_as_one_case():
    (a, _), confusion = report(("a", "b"), [answers("a", ("a", "a", None), ("a", "b"))])
    assert (a.cases, a.baseline_recall, a.candidate_recall) == (1, pytest.approx(2 / 3), 0.5)
    assert confusion.baseline[0] == (pytest.approx(2 / 3), 0, pytest.approx(1 / 3))


def test_a_case_without_answers_in_one_arm_counts_in_neither():
    (a, _), confusion = report(("a", "b"), [answers("a", "a", ()), answers("a", "a", "b")])
    assert a.cases == 1
    assert confusion.baseline == ((1, 0, 0), (0, 0, 0))


def test_several_labels_count_each_class_against_the_rest():
    (a, b), confusion = report(("a", "b"), [answers(("a", "b"), "a, b", "a"), answers((), "", "b")], several=True)
    assert confusion is None
    assert (a.baseline_f1, a.candidate_f1) == (1, 1)
    assert (b.candidate_precision, b.candidate_recall, b.candidate_f1) == (0, 0, 0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30)
)
def test_swapping_the_arms_swaps_the_columns_and_f1_is_the_textbook_one(rows):
    forward, there = report("abc", [answers(*row) for row in rows])
    backward, back = report("abc", [answers(e, c, b) for e, b, c in rows])
    assert (there.baseline, there.candidate) == (back.candidate, back.baseline)
    for one, other in zip(forward, backward, strict=True):
        assert (one.baseline_f1, one.candidate_f1) == (other.candidate_f1, other.baseline_f1)
        hits = sum(e == b == one.label for e, b, _ in rows)
        size = sum(e == one.label for e, _, _ in rows) + sum(b == one.label for _, b, _ in rows)
        assert one.baseline_f1 == (pytest.approx(2 * hits / size) if size else None)


def test_the_report_reads_outcomes(case, output):
    def outcome(position, arm, answer, metric="label"):
        score = Score(metric=metric, value=0, answer=answer)
        return Outcome(cell=Cell(case=position, arm=arm, repetition=0), result=output("x"), scores=(score,))

    cases = [case("a"), case("B", id="c2"), case(None, id="c3", must_not=("x",))]
    outcomes = [
        *(outcome(0, arm, "a") for arm in Arm),
        outcome(1, Arm.BASELINE, "b"),
        outcome(1, Arm.CANDIDATE, None),
        outcome(1, Arm.CANDIDATE, "b", metric="other"),
        *(outcome(2, arm, "a") for arm in Arm),
        Outcome(cell=Cell(case=0, arm=Arm.BASELINE, repetition=1), result=CompletionError(kind="timeout", message="")),
    ]
    found = classification_report(cases, outcomes, LabelRules(("a", "b")), compared={0, 1, 2})
    (a, b), confusion = found.classes, found.confusion
    assert (a.cases, b.cases) == (1, 1)
    assert confusion.baseline == ((1, 0, 0), (0, 1, 0))
    assert confusion.candidate == ((1, 0, 0), (0, 0, 1))
    a, b = classification_report(cases, outcomes, LabelRules(("a", "b")), compared={1}).classes
    assert (a.cases, b.cases) == (0, 1)


def figures(rules, rows, **more):
    found = report_by_class(rules, [answers(*row) for row in rows], **more).figures
    return {one.name: (one.baseline, one.candidate) for one in found}


def test_figures_over_all_classes():
    rows = [("a", "a", "a"), ("a", "a", "b"), ("b", "b", "b"), ("b", "a", None), ("c", "c", "c")]
    found = figures(LabelRules(("a", "b", "c")), rows)
    # Made with scikit-learn's f1_score (macro, micro over the labels) and cohen_kappa_score.
    assert found["macro F1"] == (pytest.approx(0.822222, abs=1e-6), pytest.approx(0.722222, abs=1e-6))
    assert found["micro F1"] == (pytest.approx(0.8), pytest.approx(2 * 3 / 9))
    assert found["kappa"] == (pytest.approx(0.6875), pytest.approx(0.444444, abs=1e-6))
    assert "calibration error" not in found


def test_ordinal_labels_have_a_weighted_kappa_in_which_no_label_is_the_farthest():
    rules = LabelRules(("1", "2", "3", "4"), ordinal=True)
    rows = [("1", "1", "2"), ("2", "2", "1"), ("3", "4", "3"), ("4", "4", None), ("4", "3", "4")]
    before, after = figures(rules, rows)["weighted kappa"]
    assert before == pytest.approx(0.852941, abs=1e-6)  # cohen_kappa_score(weights="quadratic")
    assert after < before
    assert figures(rules, [*rows[:3], ("4", "4", "1"), rows[4]])["weighted kappa"][1] == pytest.approx(after, abs=0.2)


def test_costs_deferrals_and_confidence_have_figures():
    rules = LabelRules(("a", "b"), defer=("unknown",), costs={"a": {"b": 3, "unknown": 0.5}})
    rows = [("a", "a", "b"), ("a", "unknown", "unknown"), ("b", "a", None), ("b", "b", "b")]
    found = figures(rules, rows, confidences=([(0.9, 1), (0.92, 0), (0.1, 0)], ()))
    assert found["mean cost"] == (1.5 / 4, (3 + 0.5 + 3) / 4)
    assert found["deferred"] == (0.25, 0.25)
    assert found["calibration error"] == (pytest.approx((0.82 + 0.1) / 3), None)


def test_intervals_are_wilsons():
    # Wilson (1927), and Brown, Cai and DasGupta (2001): 8 of 10 gives 0.490 to 0.943.
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 5) == pytest.approx((0, 0.4345), abs=1e-4)
    assert wilson(5, 5)[1] == 1
    assert wilson(0, 0) is None
    low, high = f1_interval(8, 12)
    assert low < 2 * 8 / (12 + 8) < high
