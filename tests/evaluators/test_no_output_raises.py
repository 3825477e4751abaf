"""No output may end a run: whatever a model writes is scored, and what is shown of it can be encoded."""

import asyncio
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluators.generation import read_grades
from evaluators.json_answers import read_json, read_object
from evaluators.json_formats import FORMATS
from evaluators.lineage_evaluator import LineageEvaluator
from evaluators.registry import evaluator_for
from schemas.check_config import CheckRule
from schemas.config import LineageConfig
from schemas.outcomes import Completion, EvaluatorFailure, Finish, MetricSpec, ToolCall, Usage
from schemas.testsets import TestCase

HALF = '{"vendor": "\\ud83d", "total": 1, "\\udc00": [{"a": "\\uDFFF"}]}'
FRAGMENTS = st.sampled_from([
    "{", "}", "[", "]", '"', ":", ",", "```json\n", "```", "\\ud83d", "\\uDE00", "\\u0000", "\x00", "billing", "refunds", "total",
    "vendor", "due", "items", "NaN", "Infinity", "1e999", "-", "9" * 5000, "2026-13-45", "0000-00-00", "<think>", "</think>",
    "\u202e", "🙂", "ﬀ", "İ", "\u0345", "(" * 500, "{" * 500, "[" * 500, "null", "true", "1,5", "١٢", "%", "\\", "/", "\r\n",
])  # fmt: skip
TEXTS = st.lists(FRAGMENTS | st.text(max_size=5), max_size=12).map("".join) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["\ud83d", "x", "V\udc00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["vendor", "total", "due", "german", "day", "lines", "parts", "sku", "steps", "\udfff"]), inner),
    max_leaves=8,
).map(json.dumps)  # fmt: skip
CHECKS = [
    {"name": "schema", "json_schema_valid": {"type": "object", "properties": {"vendor": {"type": "string", "pattern": "^V"}}}},
    {"name": "names", "json_schema_valid": {"propertyNames": {"pattern": "^[a-z]+$"}}},
    {"name": "re", "regex_match": "^V.*[a-z]$"}, {"name": "words", "max_words": 3}, {"name": "equals", "exact_match": "billing"},
    {"name": "in", "contains": "billing"}, {"name": "out", "not_contains": "🙂"}, {"name": "all", "contains_all": ["a", "{{input}}"]},
    {"name": "either", "contains_any": ["a", "b"]}, {"name": "start", "starts_with": "b"}, {"name": "end", "ends_with": "g"},
    {"name": "nre", "not_regex_match": "V$"}, {"name": "few", "min_words": 2}, {"name": "brief", "max_characters": 9},
    {"name": "long", "min_characters": 3}, {"name": "given", "required_fields_present": ["vendor", "lines[].sku", "items[]"]},
    {"name": "set", "set_match": ["x", "1,5"]}, {"name": "range", "numeric_range": {"min": 0, "max": 1}},
    {"name": "part", "numeric_range": {"field": "total", "min": 2}}, {"name": "like", "similarity": {"text": "billing", "min": 0.5}},
    {"name": "rouge", "rouge_l": {"text": "billing x", "min": 0.5}}, {"name": "near", "levenshtein": {"text": "{{input}}", "max": 3}},
    {"name": "refusal", "is_refusal": False}, *({"name": f"f {name}", "json_schema_valid": {"format": name}} for name in FORMATS),
    {"name": "pp", "json_schema_valid": {"patternProperties": {"^v": {"format": "date"}}, "additionalProperties": {"uniqueItems": True}}},
]  # fmt: skip
FIELDS = {
    "total": {"kind": "number", "tolerance": 0.1}, "due": {"kind": "date", "tolerance": 2}, "vendor": {"kind": "fuzzy"},
    "german": {"kind": "number", "locale": "de", "relative": 0.1, "in_input": True}, "flag": {"kind": "boolean"},
    "day": {"kind": "date", "locale": "fr", "optional": True}, "short": {"kind": "date", "formats": ["%d.%m.%y"]},
    "size": {"kind": "enum", "values": ["s", "l"]}, "steps": {"kind": "list"}, "code": {"kind": "regex", "pattern": "^x"},
    "lines": {"kind": "objects", "key": "sku", "fields": {"sku": {}, "price": {"kind": "number", "unit": "kg"}}},
    "parts": {"kind": "objects", "fields": {"sku": {}, "tags": {"kind": "set"}}}, "any": {"any_of": True, "weight": 2},
    "there": {"kind": "present"}, "items": {"kind": "set", "match": "fuzzy"}, "name": {"kind": "normalised"}, "id": {"kind": "exact"},
}  # fmt: skip
EXPECTED = {"total": 7, "due": "2026-01-02", "vendor": "Acme", "items": ["a", "b"], "name": "x", "id": "y",
    "german": "1.234,5", "flag": True, "day": "2026-01-02", "short": "02.01.26", "size": "s", "steps": ["a", "a"],
    "lines": [{"sku": "total", "price": 1}], "parts": [{"sku": "vendor", "tags": ["due"]}], "any": ["billing", "x"]}  # fmt: skip
MUST = (CheckRule(contains="{{input}}"), CheckRule(json_schema_valid={"type": "object"}))
COMMON = {"prompt": "p"}
LINEAGES = [
    ({"use_case": "classification", "labels": ["billing", "refunds"]}, "billing"),
    ({"use_case": "classification", "labels": ["billing", "refunds"], "multi_label": True}, ["billing"]),
    (
        {
            "use_case": "classification",
            "labels": ["billing", "refunds"],
            "aliases": {"billing": ["vendor"]},
            "defer": ["due"],
            "costs": {"billing": {"refunds": 3}},
            "output": {"strict": True},
        },
        "billing",
    ),
    (
        {"use_case": "classification", "labels": ["total", "due", "x"], "ordinal": True, "output": {"format": "json"}},
        "x",
    ),
    (
        {"use_case": "extraction", "fields": FIELDS, "output": {"schema": {"type": "object"}, "allow": ["fence"]}},
        EXPECTED,
    ),
    ({"use_case": "extraction", "fields": FIELDS}, EXPECTED),
    ({"use_case": "generation", "checks": CHECKS}, None),
]
EVALUATORS = [
    (evaluator_for(LineageConfig.model_validate(COMMON | more), None, None, None, cases=[case]), case)
    for more, expected in LINEAGES
    for case in [
        TestCase(
            id="c",
            inputs={"input": "x"},
            expected=expected,
            must=MUST,
            must_not=("forbidden", CheckRule(regex_match="^9+$")),
        )
    ]
]


async def nobody(request, repetition):
    raise AssertionError("no judge may be asked")


def scored(evaluator, case, text, *, called=False):
    completion = Completion(
        text="" if called else text,
        finish=Finish.TOOL if called else Finish.STOP,
        usage=Usage(input=1, output=1),
        model="m",
        latency_s=0,
        tool_calls=[ToolCall(name="t", arguments=text)] if called else [],
    )
    return asyncio.run(evaluator.score(case, completion, ask=nobody, repetition=0))


@given(TEXTS, st.booleans())
@example(HALF, False)
@example(HALF.replace("\\u", "\\\\u"), True)
def test_every_output_is_scored(text, called):
    text = text.encode("utf-8", "replace").decode()  # as the provider's reading leaves it
    for evaluator, case in EVALUATORS:
        for score in scored(evaluator, case, text, called=called):
            assert not isinstance(score, EvaluatorFailure), score
            assert score.model_dump_json().encode()


@given(TEXTS)
@example(HALF)
def test_every_reply_of_a_judge_is_read(text):
    assert read_grades(text, ("kind",)).problem.encode() is not None


@pytest.mark.parametrize("read", [read_json, read_object])
def test_half_a_character_becomes_a_replacement(read):
    found = read(HALF)
    assert found.value == {"vendor": "\ufffd", "total": 1, "\ufffd": [{"a": "\ufffd"}]}
    assert read('{"a": "\\ud83d\\ude00 \\\\ud83d"}').value == {"a": "😀 \\ud83d"}


class Breaks:
    """A part with a bug."""

    metrics = (MetricSpec(name="accuracy"), MetricSpec(name="other"))
    version, asks = "1", False

    def __init__(self, error):
        self.error = error

    def problem(self, case):
        return None

    async def score(self, case, output, ask):
        raise self.error


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "lone"), RecursionError(), KeyError("x")]
)
def test_a_bug_in_a_scorer_is_a_missing_value_and_never_a_score(error):
    scores = scored(LineageEvaluator([Breaks(error)]), EVALUATORS[0][1], "x")
    assert [type(score) for score in scores] == [EvaluatorFailure] * 2
    assert type(error).__name__ in scores[0].message
