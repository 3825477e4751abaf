"""What holds for every output and every set of cases. ``EVALUATOR_EXAMPLES`` sets how many are tried (`make soak`)."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.classification_report import CaseAnswers, report_by_class
from evaluators.label_rules import LabelRules
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.testsets import TestCase
from tests.evaluators.test_no_output_raises import EXPECTED, FIELDS, scored

EXAMPLES = settings(max_examples=int(os.environ.get("EVALUATOR_EXAMPLES", "25")), deadline=None)
LABELS = ("low", "normal", "high", "urgent")
WRONG = (
    st.none()
    | st.booleans()
    | st.integers(0, 9)
    | st.sampled_from(["x", "2026-01-02", ["a"], ["b", "c"], [{"sku": "y"}], {}])
)


def evaluator(cases=(), **lineage):
    return evaluator_for(LineageConfig.model_validate({"prompt": "p", **lineage}), None, None, None, cases=cases)


PLAIN_FIELDS = {name: {**rule, "in_input": False} for name, rule in FIELDS.items() if rule.get("kind") != "regex"}
RIGHT = EXPECTED | {"any": "x", "there": "y"}
CASE = TestCase(id="c", inputs={"input": "x"}, expected=EXPECTED)
EXTRACTION = evaluator([CASE], use_case="extraction", fields=PLAIN_FIELDS)


def overall(part, case, text):
    return scored(part, case, text)[0].value


@EXAMPLES
@given(st.dictionaries(st.sampled_from(sorted(PLAIN_FIELDS)), WRONG), st.sampled_from(sorted(PLAIN_FIELDS)))
def test_one_more_right_field_never_scores_lower(answer, name):
    better = answer | {name: RIGHT[name]}
    worse, now = (overall(EXTRACTION, CASE, json.dumps(one)) for one in (answer, better))
    assert 0 <= worse <= now <= 1


SEVERAL = evaluator(use_case="classification", labels=LABELS, multi_label=True)


@EXAMPLES
@given(
    st.sets(st.sampled_from(LABELS), min_size=1), st.sets(st.sampled_from(LABELS), min_size=1), st.sampled_from(LABELS)
)
def test_one_more_right_label_or_one_less_wrong_one_never_scores_lower(expected, given_labels, label):
    better = given_labels | {label} if label in expected else given_labels - {label}
    case = TestCase(id="c", inputs={}, expected=sorted(expected))
    worse, now = (overall(SEVERAL, case, json.dumps(sorted(one))) for one in (given_labels, better or given_labels))
    assert 0 <= worse <= now <= 1


ORDINAL = evaluator(use_case="classification", labels=LABELS, ordinal=True)


@EXAMPLES
@given(st.sampled_from(range(4)), st.sampled_from(range(4)), st.sampled_from(range(4)))
def test_a_nearer_label_never_scores_lower(expected, one, other):
    case = TestCase(id="c", inputs={}, expected=LABELS[expected])
    near, far = sorted((one, other), key=lambda place: abs(place - expected))
    assert 0 <= overall(ORDINAL, case, LABELS[far]) <= overall(ORDINAL, case, LABELS[near]) <= 1


ANSWERS = st.lists(st.sampled_from([*LABELS, None]), min_size=1, max_size=3).map(tuple)
CASES = st.lists(
    st.tuples(st.sampled_from(LABELS), ANSWERS, ANSWERS).map(
        lambda one: CaseAnswers(frozenset([one[0]]), one[1], one[2])
    ),
    max_size=12,
)


@EXAMPLES
@given(CASES, st.randoms())
def test_the_order_of_the_cases_changes_no_figure(cases, random):
    shuffled = random.sample(cases, len(cases))
    rules = LabelRules(LABELS, ordinal=True)
    before, after = report_by_class(rules, cases), report_by_class(rules, shuffled)
    assert [one.label for one in before.classes] == [one.label for one in after.classes]
    for one, other in zip((*before.classes, *before.figures), (*after.classes, *after.figures), strict=True):
        for (name, value), (_, same) in zip(one, other, strict=True):
            if isinstance(value, float):
                assert abs(value - same) < 1e-9, name
                assert value <= 1 + 1e-9, name
            else:  # an interval is two floats, whose sums may differ in the last digit
                assert value == (pytest.approx(same, abs=1e-9) if isinstance(value, tuple) else same)


@EXAMPLES
@given(st.permutations(["low", "high", "urgent"]))
def test_the_order_of_the_cases_changes_no_score(expected):
    cases = [TestCase(id=label, inputs={}, expected={"priority": label}) for label in expected]
    part = evaluator(cases, use_case="extraction")
    found = {case.id: [(one.metric, one.value) for one in scored(part, case, '{"priority": "high"}')] for case in cases}
    assert found == {label: [("fields", label == "high"), ("priority", label == "high")] for label in expected}
