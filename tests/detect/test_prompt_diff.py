"""``engine.detection.prompt_diff``: what changed, as a model would see it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.detection.prompt_diff import WORD_PAIRS, changed_lines, compare, diff_prompts, shown_lines
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Role


def prompt(*contents, path="prompts/a.md", model=None, **parameters):
    roles = [Role.SYSTEM, Role.USER, Role.ASSISTANT]
    return PromptFile(
        path=path,
        format="plain",
        dialect=Dialect.JINJA,
        messages=tuple(Message(role=role, content=content) for role, content in zip(roles, contents, strict=False)),
        model=model,
        parameters=Parameters(**parameters),
    )


def drawn(diff):
    """Hunks as text: a sign, both line numbers, the line with its marks in brackets."""
    signs = {"same": " ", "added": "+", "removed": "-"}
    for hunk in diff.hunks:
        yield "@@"
        for line in hunk.lines:
            shown = line.text
            for start, stop in reversed(line.marks):
                shown = f"{shown[:start]}[{shown[start:stop]}]{shown[stop:]}"
            yield f"{signs[line.kind]}{line.before or '·'} {line.after or '·'} {shown}"


def test_words_are_marked_and_three_lines_stand_around_a_change():
    before = prompt("You are kind.\nGive one label.\na\nb\nc\nd", "Ticket: {{ ticket }}\n\nAnswer:")
    after = prompt("You are kind.\nGive just one label.\na\nb\nc\nd", "Ticket: {{ ticket }}\n\nBe brief.\nAnswer:")
    diff = diff_prompts(before, after)
    assert list(drawn(diff)) == [
        "@@",
        " 1 1 system:",
        " 2 2 You are kind.",
        "-3 · Give[] one label.",
        "+· 3 Give [just] one label.",
        " 4 4 a",
        " 5 5 b",
        " 6 6 c",
        "@@",
        " 8 8 user:",
        " 9 9 Ticket: {{ ticket }}",
        " 10 10 ",
        "+· 11 Be brief.",
        " 11 12 Answer:",
    ]
    assert (diff.added, diff.removed, diff.omitted) == (2, 1, 0)


def test_lines_with_little_in_common_carry_no_marks():
    diff = diff_prompts(prompt("Sort the mail by its sender"), prompt("Never reveal anything about {{ user }}"))
    assert [line.marks for hunk in diff.hunks for line in hunk.lines if line.kind != "same"] == [(), ()]


def test_changes_that_are_near_share_a_hunk():
    diff = diff_prompts(prompt("a\n1\n2\n3\n4\n5\n6\nb"), prompt("A\n1\n2\n3\n4\n5\n6\nB"))
    assert len(diff.hunks) == 1
    assert [line.text for line in diff.hunks[0].lines].count("3") == 1
    assert len(diff_prompts(prompt("a\n1\n2\n3\n4\n5\n6\n7\nb"), prompt("A\n1\n2\n3\n4\n5\n6\n7\nB")).hunks) == 2


def test_a_new_and_a_deleted_prompt_are_all_added_and_all_removed():
    only = prompt("one\ntwo", path="p.md")
    new, gone = diff_prompts(None, only), diff_prompts(only, None)
    assert (new.path_before, new.path_after, new.added, new.removed) == (None, "p.md", 3, 0)
    assert (gone.path_before, gone.path_after, gone.added, gone.removed) == ("p.md", None, 0, 3)
    assert diff_prompts(None, None).hunks == ()


def test_settings_are_listed_apart_from_the_text():
    before = prompt("x", model="openai/gpt-4o", temperature=0.0, stop=("END",))
    after = prompt("x", model="openai/gpt-5", max_tokens=100)
    diff = diff_prompts(before, after)
    assert diff.hunks == ()
    assert {name: (old, new) for name, old, new in diff.settings} == {
        "model": ("openai/gpt-4o", "openai/gpt-5"),
        "temperature": ("0.0", "not set"),
        "max_tokens": ("not set", "100"),
        "stop": ('["END"]', "not set"),
    }


def test_equal_prompts_differ_in_nothing():
    diff = diff_prompts(prompt("x\ny"), prompt("x\ny"))
    assert (diff.hunks, diff.settings, diff.added, diff.removed) == ((), (), 0, 0)


texts = st.lists(st.sampled_from(["a", "b", "c d", "", "e"]), max_size=30).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_a_diff_turns_the_one_prompt_into_the_other(old, new):
    before, after = prompt(old), prompt(new)
    diff = diff_prompts(before, after)
    lines = [line for hunk in diff.hunks for line in hunk.lines]
    rebuilt, at = [], 0
    for line in lines:
        if line.before is not None:
            rebuilt += shown_lines(before)[at : line.before - 1]
            at = line.before
        if line.kind != "removed":
            assert line.after == len(rebuilt) + 1
            rebuilt.append(line.text)
    assert [*rebuilt, *shown_lines(before)[at:]] == shown_lines(after)
    assert diff.added == sum(line.kind == "added" for line in lines)
    assert diff.removed == sum(line.kind == "removed" for line in lines)


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_swapping_the_versions_swaps_added_and_removed(old, new):
    there, back = diff_prompts(prompt(old), prompt(new)), diff_prompts(prompt(new), prompt(old))
    assert (there.added, there.removed) == (back.removed, back.added)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a\n" * 500_000, "a\n" * 400_000 + "b\n" * 100_000),
        ("a b " * 250_000, "b a " * 250_000),
        ("\n".join(map(str, range(9_000))), "\n".join(map(str, range(9_000, 0, -1)))),
        ("ab\nba\n" * 150_000, "ba\nba\nab\n" * 110_000),
    ],
    ids=["one line repeated", "one long line", "reversed", "two lines shuffled"],
)
def test_prompts_of_a_mebibyte_take_less_than_a_second(old, new):
    started = time.process_time()
    diff = diff_prompts(prompt(old), prompt(new))
    assert time.process_time() - started < 1
    lines = [line for hunk in diff.hunks for line in hunk.lines]
    assert len(lines) <= 2_000
    assert diff.omitted == diff.added + diff.removed - sum(line.kind != "same" for line in lines)


def test_what_is_too_much_to_align_is_one_stretch():
    assert compare("xaby", "xbay", WORD_PAIRS) != [(1, 3, 1, 3)]
    assert compare("xaby", "xbay", 3) == [(1, 3, 1, 3)]


def test_changed_lines_are_those_of_the_new_text():
    assert changed_lines("a\nb\nc\nd", "a\nB\nC\nd\ne") == ((2, 3), (5, 5))
    assert changed_lines("a\nb\nc", "a\nc") == ((2, 2),)
    assert changed_lines("a\nb", "a") == ((1, 1),)
    assert changed_lines("a", "a") == ()
