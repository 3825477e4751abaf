"""How texts are compared and shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.text import contains, fold, normalised, shown, without_fence, without_reasoning


@pytest.mark.parametrize(
    ("text", "part", "there"),
    [
        ("Visit EVIL.example now", "evil.example", True),
        ("ev\u200bil", "evil", True),
        ("ｅｖｉｌ", "EVIL", True),
        ("straße", "STRASSE", True),
        ("account-access", "account_access", True),
        ("two\n words", "two words", True),
        ("e v i l", "evil", False),
    ],
)
def test_a_forbidden_text_is_found_however_it_is_written(text, part, there):
    assert contains(text, part) is there


def test_only_what_follows_a_reasoning_block_is_read():
    assert without_reasoning("<think>a</think> b") == " b"
    assert without_reasoning("<think>a</think>\n").strip() == ""
    assert without_reasoning(" <think>a") == ""
    assert without_reasoning("a <think> b") == "a <think> b"
    assert without_reasoning("no block") == "no block"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("```\na\n```", "a"),
        ("```json\na\n```\n", "a"),
        (" a ", "a"),
        ("```a```", "```a```"),
        ("```\na\n```\nb\n```\nc\n```", "```\na\n```\nb\n```\nc\n```"),
    ],
)
def test_one_fence_around_everything_is_taken_off(text, inside):
    assert without_fence(text) == inside


def test_punctuation_around_a_text_does_not_count_unless_it_is_all():
    assert normalised("«Hello,  World!»") == "hello, world"
    assert normalised("...") == "..."


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_folding_twice_is_folding_once_and_what_is_shown_is_short(text):
    assert fold(fold(text)) == fold(text)
    assert len(shown(text, 20)) <= 20
    assert "\n" not in shown(text, 20)
