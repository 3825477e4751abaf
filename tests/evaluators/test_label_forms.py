"""Labels that an answer flags, the confidence it states, and how much work reading takes."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.label_forms import stated_confidence
from evaluators.label_index import LabelIndex
from evaluators.labels import LabelReader

TRIAGE = ("billing", "refunds", "technical_support")
READER = LabelReader(TRIAGE)


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("billing: false\nrefunds: true", {"refunds"}),
        ("- [ ] billing\n- [x] refunds", {"refunds"}),
        ("☐ billing\n☑ refunds", {"refunds"}),
        ('{"billing": false, "refunds": true}', {"refunds"}),
        ('{"labels": {"billing": false, "refunds": true}}', {"refunds"}),
        ('{"billing": true, "refunds": true}', {"billing", "refunds"}),
        ("- [x] billing\n- [x] refunds", {"billing", "refunds"}),
        ('{"billing": false, "refunds": false}', set()),
        ("billing: no\nrefunds: no", set()),
    ],
)
def test_flags_choose_labels(answer, labels):
    assert set(READER.read_several(answer).labels) == labels
    one = READER.read_one(answer).labels
    assert one == (tuple(labels) if len(labels) == 1 else None)


@pytest.mark.parametrize(
    "answer",
    [
        '{"billing": true, "shipping": false, "other": "x"}',
        '{"billing": 0.8, "refunds": 0.2}',
        "- [x] billing\n- [ ] billing",
        "billing: true\nbilling: false",
    ],
)
def test_flags_without_one_meaning_choose_nothing(answer):
    assert READER.read_one(answer).labels is None
    assert not READER.read_several(answer).labels


@pytest.mark.parametrize("answer", ["technicalSupport", "TechnicalSupport", '{"label": "technicalSupport"}'])
def test_camel_case_is_a_spelling(answer):
    assert READER.read_one(answer).labels == ("technical_support",)
    assert LabelReader(("accountAccess", "x")).read_one("account access").labels == ("accountAccess",)


@pytest.mark.parametrize(
    ("answer", "confidence"),
    [
        ('{"label": "billing", "confidence": 0.8}', 0.8),
        ('{"label": "billing", "Confidence": "85%"}', 0.85),
        ('{"label": "billing", "probability": 90}', 0.9),
        ('{"label": "billing", "confidence": "high"}', None),
        ('{"label": "billing", "confidence": true}', None),
        ('{"label": "billing", "confidence": -1}', None),
        ('{"label": "billing", "confidence": 1e300}', None),
        ("billing, confidence 0.8", None),
    ],
)
def test_a_stated_confidence_is_read(answer, confidence):
    assert stated_confidence(answer) == confidence


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("ab c+類型", min_size=1, max_size=4).map(str.strip).filter(bool), min_size=1, max_size=6),
    st.text("ab c+類型.", max_size=30),
)
def test_the_index_finds_what_a_search_for_every_key_finds(keys, text):
    def fits(key, start):
        end, spaceless = start + len(key), set("類型")
        if not text.startswith(key, start):
            return False
        left = start == 0 or key[0] in spaceless or not text[start - 1].isalnum()
        right = end == len(text) or key[-1] in spaceless or not text[end].isalnum()
        return left and right

    expected, place = [], 0
    while place < len(text):
        found = max((key for key in keys if fits(key, place)), key=len, default="")
        expected += [(found, place)] if found else []
        place += len(found) or 1
    assert [(found.key, found.start) for found in LabelIndex(keys).find(text)] == expected


def work(labels, text):
    """The number of function calls that reading takes."""
    reader, calls = LabelReader(labels), 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        reader.read_one(text)
        reader.read_several(text)
    finally:
        sys.setprofile(None)
    return calls


PROSE = "The customer wrote about an invoice, label7 and some other things that took place in May. "


@pytest.mark.parametrize(
    "unit",
    [PROSE, "類型の話をする。", "{ [ ", "label: none of it\n", "- [x] label3\n", "not label3, ", "a_", "<a>", "topic "],
)
def test_the_work_of_reading_grows_with_the_text_and_not_with_the_labels(unit):
    half = unit * (8_000 // len(unit))
    text = half + half
    name = "topic {}" if unit == "topic " else "label{}"
    few, many = ([name.format(n) for n in range(labels)] for labels in (10, 300))
    assert work(many, text) <= 1.1 * work(few, text) + 50
    assert work(many, text) <= 2.2 * work(many, half) + 50
    assert work(many, text) < (25_000 if unit is PROSE else 200_000)
