"""The form of an answer: what changes it, and what doesn't."""

import pytest

from evaluators.answer_form import MAX_PARTS, FormReader

LABELS = FormReader(("billing", "refunds", "technical_support"))
TEXTS = FormReader()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("billing", "Billing."),
        ("billing", "  REFUNDS!\n"),
        ("technical_support", "Technical_Support"),
        ("billing, refunds", "refunds,billing"),
        ("Category: billing", "category: refunds"),
        ('{"label": "billing", "score": 1}', '{"score": 0.5, "label": "refunds"}'),
        ("I'd say it is about billing, mostly.", "This one is clearly for the refunds team: money back."),
        ("<label>billing</label>", "<label>refunds</label>"),
    ],
)
def test_other_labels_case_blanks_and_a_period_are_the_same_form(output, one, other):
    assert LABELS.form_of(output(one)) == LABELS.form_of(output(other))


@pytest.mark.parametrize(
    "drifted",
    [
        "I'd say this is billing.",
        "**billing**",
        "`billing`",
        '"billing"',
        "technical support",
        "Category: billing",
        "billing, refunds",
        '{"label": "billing"}',
        '["billing"]',
        "```\nbilling\n```",
        "<label>billing</label>",
        "<think>hm</think>\nbilling",
        "b\u200billing",
        "billing\u2060",
        "bil\u00adling",
        "b\ufe0filling",
        "ｂｉｌｌｉｎｇ",
        "𝐛𝐢𝐥𝐥𝐢𝐧𝐠",
        "n/a",
    ],
)
def test_what_a_program_would_trip_over_is_another_form_than_the_bare_label(output, drifted):
    assert LABELS.form_of(output(drifted)) != LABELS.form_of(output("billing"))


def test_lists_of_labels_differ_by_what_separates_them_and_names_by_the_name(output):
    forms = [LABELS.form_of(output(f"billing{mark} refunds")) for mark in (",", ";", "\n")]
    forms += [LABELS.form_of(output(f"{name}: billing")) for name in ("Category", "Label")]
    assert len(set(forms)) == 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": null}', '{"b": null, "a": 2.5}', True),
        ('{"items": [{"p": 1}]}', '{"items": [{"p": 1}, {"p": 7}]}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 1}', '{"a": 1, "note": "x"}', False),
        ('{"a": {"b": 1}}', '{"a": [{"b": 1}]}', False),
        ('{"a": 1}', '[{"a": 1}]', False),
        ('{"a": 1}', 'Here you are: {"a": 1}', False),
        ('{"a": 1}', '{"a": 1}\n{"a": 2}', False),
        ('{"a": 1}', '```json\n{"a": 1}\n```', False),
        ('{"a": 1}', '{"a": 1', False),
        ('{"a": 1}', '{data: {"a": 1}}', False),
        ("Paris", "Rome!", True),
        ("Paris", "The capital of France is Paris.", False),
        ("Dear Ann, thank you very much.", "Hello Bo! We got your letter\n\nand thank you.", True),
        ("All the best to you and yours ❤️ 👍🏽", "All the best to you and your family", True),
        ("می‌خواهم کمک کنم لطفا بیایید", "سلام به شما دوست عزیز من", True),
        (
            "See the file, then run it as you please.",
            "See:\n```sh\nls -la /tmp\n```\nand then run it as you please.",
            False,
        ),
    ],
)
def test_json_by_its_shape_and_text_by_its_kind(output, one, other, same):
    assert (TEXTS.form_of(output(one)) == TEXTS.form_of(output(other))) is same


def test_a_tool_call_is_a_form_of_its_own(output):
    called = LABELS.form_of(output("", tools=('{"label": "billing"}',)))
    assert called.kind == "a call of `t`"
    assert called.keys == {"label"}
    assert LABELS.form_of(output("Wait.", tools=('{"label": "refunds"}',))) != called


def test_huge_json_is_bounded(output):
    form = TEXTS.form_of(output("{" + ",".join(f'"k{n}": {n}' for n in range(5_000)) + "}"))
    assert len(form.types) <= MAX_PARTS
