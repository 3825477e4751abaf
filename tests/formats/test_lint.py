"""``promptverdict tests lint``: helpful, not noisy."""

import random
import time

from engine.commands.lint import lint_tests
from engine.patterns.near_duplicates import near_duplicates
from schemas.config import LineageConfig
from schemas.field_config import FieldRule
from schemas.gate_config import GateConfig, Margins, SlicePolicy
from schemas.testsets import TestCase, TestSet

LABELS = ("billing", "refunds")
WORDS = [a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "rel", "sto", "lim", "k")]


def case(i, *, text=None, **keys):
    words = random.Random(i)
    keys = {"expected": LABELS[i % 2], "slices": ("typical",)} | keys
    return TestCase(
        id=f"c{i}", inputs={"input": text or " ".join(words.choices(WORDS, k=9))}, path="t.jsonl", line=i + 1, **keys
    )


def found(cases, lineage=None, **keys):
    lineage = lineage or LineageConfig(use_case=keys.pop("use_case", "classification"), prompt="p.md", **keys)
    return [str(finding) for finding in lint_tests(TestSet(path="t.jsonl", cases=tuple(cases)), lineage)]


def many(n=200, **keys):
    return [case(i, **keys) for i in range(n)]


def test_a_sound_test_set_has_no_findings():
    assert found(many(), labels=LABELS) == []
    assert lint_tests(TestSet(path="t.jsonl", cases=tuple(many()))) == ()


def test_no_cases():
    assert found([]) == ["t.jsonl: the test set has no cases (nothing can be measured: add cases)"]


def test_a_draft_that_is_not_filled_in_is_told():
    cases = [*many(), case(200, text="…"), case(201, expected="…"), case(202, text="Wait… what?")]
    assert found(cases, use_case="generation") == [
        "t.jsonl:201: not filled in yet: c200, c201 (replace every “…”, or remove the case)"
    ]


def test_copies_contradictions_and_near_copies_are_told_apart():
    cases = [
        *many(),
        case(200, text="My card was charged twice this month, why?"),
        case(202, text="my card was  charged twice this month, why?"),
        case(300, text="I want my money back for the order of last week"),
        case(301, text="I want my money back for the order of last week"),
        case(400, text="The app crashes whenever I open the calendar page"),
        case(402, text="The app crashes whenever I open the calendar pages"),
    ]
    assert found(cases) == [
        "t.jsonl:201: the same inputs: c200, c202 (keep one; a copy counts twice and adds no evidence)",
        "t.jsonl:301: the same inputs with different expectations: c300, c301 (keep the one that is right)",
        "t.jsonl:401: nearly the same inputs: c400, c402 (give them the same `cluster` so that they count as one, or make them different)",
    ]


def test_members_of_a_cluster_are_alike_on_purpose():
    cases = [
        *many(),
        case(200, text="the very same words here", cluster="k"),
        case(202, text="the very same words here!", cluster="k"),
    ]
    assert found(cases) == []
    copies = [
        *many(),
        case(200, text="the very same words here"),
        case(202, text="the very same words", same_as="c200"),
    ]
    assert found(copies) == []


def test_many_groups_are_not_listed_one_by_one():
    cases = many(60) + [case(i + 60, text=case(i).inputs["input"]) for i in range(60)]
    findings = found(cases)
    assert sum("same inputs" in finding for finding in findings) == 20
    assert "t.jsonl: 40 more groups of similar cases (fix these first)" in findings


def test_labels_outside_the_set_and_rare_ones():
    cases = [*many(), case(200, expected="refund")]
    assert found(cases, labels=(*LABELS, "technical", "access")) == [
        "t.jsonl:201: the label refund is not in the set: c200 (did you mean refunds?)",
        "t.jsonl: no case expects technical (add cases of this label)",
        "t.jsonl: no case expects access (add cases of this label)",
    ]
    assert found([*many(), case(200, expected="access")], labels=(*LABELS, "access")) == [
        "t.jsonl: only 1 of 201 cases expect access (add some: an equal share would be 67)"
    ]
    assert found([case(i, expected=list(LABELS)) for i in range(200)], labels=LABELS, multi_label=True) == []


def test_a_slice_with_one_label_only():
    cases = many() + [case(200 + 2 * i, slices=("edge",)) for i in range(31)]
    assert found(cases, labels=LABELS) == [
        "t.jsonl: all 31 cases of the slice edge expect billing (add other labels; a prompt that always gives this one would pass)"
    ]


def test_cases_without_expectation():
    cases = [*many(), case(200, expected=None), case(201, expected=None, must_not=("HACKED",))]
    assert found(cases) == ["t.jsonl:201: 1 case without expectation: c200 (add expected:, or remove them)"]
    assert found(cases, use_case="generation", rubric="r.yaml") == []


def test_extraction_expects_maps_of_the_fields():
    cases = [case(i, expected={"score": 1}) for i in range(200)]
    fields = {"score": FieldRule(), "skill": FieldRule()}
    assert found(cases, use_case="extraction", fields=fields) == [
        "t.jsonl: no case has an expected value for the field skill (add it to expected, or remove its rule)"
    ]
    assert found([*cases, case(200, expected="one")], use_case="extraction") == [
        "t.jsonl:201: 1 case whose expectation is not a map of fields: c200 (expected: {field: value})"
    ]


def test_adversarial_cases_must_be_able_to_fail():
    cases = many() + [case(200 + i, slices=("adversarial",), must_not=("HACKED",) if i else ()) for i in range(4)]
    assert found(cases, use_case="generation") == [
        "t.jsonl:201: 1 adversarial case that can't be seen to fail: c200 (add must_not: text that the output contains if the injection works)"
    ]
    assert found(cases) == []  # a wrong label is seen


def test_slices_too_small_to_tell_anything():
    cases = many() + [case(200 + i, slices=("edge",)) for i in range(12)]
    said = "t.jsonl: the slice edge has 12 cases: no drop under 45 points can be ruled out (19 more would rule out a drop of 25 points)"
    assert found(cases) == [said]
    assert found(cases, gate=GateConfig(slices={"edge": SlicePolicy.WATCH})) == []
    strict = found(cases, gate=GateConfig(margin=Margins(slice=0.1)))
    assert strict == [
        "t.jsonl: the slice edge has 12 cases: no drop under 45 points can be ruled out (138 more would rule out a drop of 10 points)"
    ]
    assert found(many(5))[0].startswith("t.jsonl: the test set has 5 cases: no drop under 78 points can be ruled out")


def test_no_slices_at_all():
    assert found(many(slices=())) == [
        "t.jsonl: no case names a slice (add slices: [typical], [edge], …: a regression in one kind of case can hide in the average)"
    ]


def test_near_duplicates_among_five_thousand_are_found_in_seconds():
    draw = random.Random(1)
    texts = [" ".join(draw.choices(WORDS, k=40)) for _ in range(4_900)]
    texts += [text[:60] + text[61:] for text in texts[:100]]
    begin = time.process_time()
    assert [group for group in near_duplicates(texts) if len(group) == 2] == [(i, 4_900 + i) for i in range(100)]
    template = " ".join(draw.choices(WORDS, k=60))
    near_duplicates([f"{template} {' '.join(draw.choices(WORDS, k=60))}" for _ in range(5_000)])
    assert time.process_time() - begin < 20  # 4 seconds on a machine of its own
