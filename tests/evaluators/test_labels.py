"""Which label an answer names."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.labels import LabelReader

TRIAGE = ("billing", "refunds", "technical_support", "account_access")
READER = LabelReader(TRIAGE)


@pytest.mark.parametrize(
    "answer",
    [
        "billing",
        "  Billing.\n",
        "BILLING",
        "**billing**",
        "`billing`",
        "“billing”",
        "“Billing.”",
        "ｂｉｌｌｉｎｇ",
        "bil\u200bling",
        "- billing",
        "label: billing",
        "Category: billing.",
        "**Category:** `billing`",
        "The category is billing because they ask about refunds of an invoice.",
        "Label: billing (not refunds)",
        "Label: billing — the customer wants refunds",
        "Ticket category → Billing",
        "Answer:\nbilling",
        "This ticket is about billing.",
        '{"label": "billing"}',
        '{"category": "Billing", "type": "ticket", "confidence": 0.9}',
        '{"reason": "not refunds, not technical_support", "label": "billing"}',
        '```json\n{"label": "billing"}\n```',
        "```\nbilling\n```",
        'Here you go:\n{"label": "billing", "why": "refunds come later"}',
        '"billing"',
        '["billing"]',
        '{"ticket": "billing", "n": 3}',
        "<label>billing</label>",
        "<thinking>refunds? account access?</thinking>\nbilling",
        "<think>It could be refunds.</think><answer>billing</answer>",
        "It may be refunds or billing. They were charged twice.\n\nFinal answer: billing",
        "Category: refunds\nOn reflection that is wrong.\nFinal category: billing",
        "They mention refunds, but the invoice is the point.\nbilling",
        "billing\n\nThe customer also mentions refunds.",
        "Type of problem: billing or refunds?\nCategory: billing",
        "Options:\n- refunds\n- billing\n\nbilling",
    ],
)
def test_an_answer_that_names_one_label_is_that_label(answer):
    assert READER.read_one(answer).labels == ("billing",)


@pytest.mark.parametrize(
    "answer",
    ["technical support", "Technical-Support", "TECHNICAL_SUPPORT", "technical   support!", "technical‐support"],
)
def test_underscores_hyphens_and_blanks_are_equal(answer):
    assert READER.read_one(answer).labels == ("technical_support",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no label in the answer"),
        ("I can't help with that.", "no label in the answer"),
        ("unbilling", "no label in the answer"),
        ("refund", "no label in the answer"),
        ("billing or refunds", "names several (billing, refunds)"),
        ("Label: billing, refunds", "names several"),
        ("Label: billing\nLabel: refunds", "names several"),
        ("billing\nsomething\nrefunds", "names several"),
        ("- billing\n- refunds", "names several"),
        ('{"label": ["billing", "refunds"]}', "names several"),
        ('{"a": "billing", "b": "refunds"}', "names several"),
        ('{"label": "shipping"}', "“shipping”, which is not in the set"),
        ('{"label": "billing or refunds"}', "“billing or refunds”, which is not in the set"),
        ('{"label": null}', "no label in the answer"),
        ("Category: shipping", "“shipping”, which is not in the set"),
        ("Answer: unknown\n(It could be billing, though.)", "“unknown”, which is not in the set"),
        ("This is not billing.", "only rules out"),
        ("It isn't about billing", "only rules out"),
        ("Anything rather than billing", "only rules out"),
        ("The category is not billing", "not in the set"),
        ("<label>billing</label><label>refunds</label>", "names several"),
        ('{"label": "billing", "label": "refunds"}', "names several"),
    ],
)
def test_what_names_none_or_several_is_no_label(answer, why):
    reading = READER.read_one(answer)
    assert reading.labels is None
    assert why in reading.problem


@pytest.mark.parametrize(
    ("labels", "answer", "label"),
    [
        (("c", "c++", "c#"), "c#.", "c#"),
        (("c", "c++", "c#"), "**C++**", "c++"),
        (("c", "c++", "c#"), "C", "c"),
        (("access", "account access"), "account access", "account access"),
        (("1", "10"), "10", "10"),
        (("1", "10"), "Score: 1", "1"),
        (("A", "B"), "Answer: (B)", "B"),
        (("A", "B"), "A customer wants money", None),
        (("yes", "no"), "No.", "no"),
        (("true", "false"), '{"label": true}', "true"),
        (("1", "2"), '{"label": 2}', "2"),
        (("退款", "账单"), "这是退款。", "退款"),
        (("größe", "preis"), "GRÖSSE", "größe"),
        (("type a", "type b"), "Type: type b", "type b"),
        (("not_spam", "spam"), "not spam", "not_spam"),
    ],
)
def test_labels_of_all_kinds(labels, answer, label):
    assert LabelReader(labels).read_one(answer).labels == (None if label is None else (label,))


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("billing, refunds", {"billing", "refunds"}),
        ('["billing", "refunds"]', {"billing", "refunds"}),
        ('{"labels": ["billing"]}', {"billing"}),
        ('{"labels": "billing, refunds"}', {"billing", "refunds"}),
        ("Labels: billing and account access", {"billing", "account_access"}),
        ("- billing\n- refunds", {"billing", "refunds"}),
        ("Labels:\nbilling", {"billing"}),
        ("It needs billing; then technical support.", {"billing", "technical_support"}),
        ("They were charged.\nbilling; refunds", {"billing", "refunds"}),
        ("[]", set()),
        ("none", set()),
        ("None of the above.", set()),
        ('{"labels": []}', set()),
        ("I don't know", None),
        ("not billing", None),
        ("[ ] billing", None),
        ("❌ billing", None),
        ("~~billing~~ refunds", {"refunds"}),
        ('{"not_labels": ["billing"]}', None),
        ('{"labels": ["billing"], "rejected": ["refunds"]}', {"billing"}),
        ('{"labels": ""}', set()),
        ("", None),
        ("```\n```", None),
    ],
)
def test_several_labels_are_a_set(answer, labels):
    reading = READER.read_several(answer)
    assert (None if reading.labels is None else set(reading.labels)) == labels


@pytest.mark.parametrize(
    "answer", ['["billing", "shipping"]', "Labels: billing, shipping", '{"labels": ["billing", "shipping"]}']
)
def test_a_listed_stranger_is_kept_as_one(answer):
    reading = READER.read_several(answer)
    assert (reading.labels, reading.strangers) == (("billing",), ("shipping",))


TALK = st.lists(
    st.sampled_from(
        [
            "billing",
            "refunds",
            "Label:",
            "final answer:",
            "{",
            "}",
            '"label"',
            ":",
            "[",
            "]",
            "```",
            "\n",
            " ",
            "not",
            "<label>",
            "</label>",
            "- ",
            "x",
            ",",
        ]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), TALK))
def test_no_text_raises_and_only_known_labels_come_out(text):
    one, several = READER.read_one(text), READER.read_several(text)
    assert one.labels is None or (len(one.labels) == 1 and one.labels[0] in TRIAGE)
    assert one.labels is not None or one.problem
    assert several.labels is None or set(several.labels) <= set(TRIAGE)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(TRIAGE),
    st.sampled_from(["{}", "Category: {}", "**{}**", "It is {}.", "<label>{}</label>", '{{"label": "{}"}}']),
    st.booleans(),
)
def test_every_usual_way_of_saying_a_label_is_understood(label, way, loud):
    said = way.format(label.replace("_", " "))
    assert READER.read_one(said.upper() if loud else said).labels == (label,)


def test_a_label_that_is_json_text_survives_quoting():
    reader = LabelReader(['say "hi"', "say bye"])
    assert reader.read_one(json.dumps({"label": 'say "hi"'})).labels == ('say "hi"',)


@pytest.mark.parametrize(
    "answer",
    [
        "no billing here",
        "hardly billing",
        "barely refunds",
        "billing is incorrect",
        "The label refunds is incorrect here.",
        "The label billing does not apply",
        "billing doesn't apply",
        "billing would be wrong",
        "not applicable: billing",
        "n/a: refunds",
        "false: billing",
        "refunds: no",
        "billing=false",
        "billing_issue",
        "refunds-team",
        "non-billing",
        'The user asked me to answer "billing", which I will not do.',
        "pas billing",
        "nicht billing",
        "kein billing",
        "billing trifft nicht zu",
        "no es billing",
        "ohne refunds",
        "不是billing",
        "billing?",
        "Is this refunds？",
        "Category: billing does not fit",
    ],
)
def test_a_label_that_is_ruled_out_or_asked_about_is_none(answer):
    assert READER.read_one(answer).labels is None


@pytest.mark.parametrize(
    "answer",
    [
        "It is billing, no doubt",
        "I am sure: billing",
        "No problem, this is billing.",
        "Ticket no. 7 is about billing",
        "This is not urgent. Label: billing",
        "Answer: billing, not refunds",
        "Answer: billing. It isn't refunds.",
        "Category: billing. The card was charged twice.",
        "label: billing, explanation: They mention refunds as well.",
        "billing - the customer does not like it",
        "billing: the invoice is wrong",
        "The charge is wrong, so billing.",
        "I would put this under billing.",
        "Let's file it under billing: the invoice is wrong.",
    ],
)
def test_words_of_denial_about_something_else_do_not_hide_the_label(answer):
    assert READER.read_one(answer).labels == ("billing",)
