"""Untrusted text on trusted pages."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.render.encode import block, code, entities, excerpt, log_line, passage, prose, visible
from engine.render.markdown import MARKER
from tests.render.surfaces import hostile_texts, page, runner_commands


def everywhere(text: str) -> str:
    """``text`` in every place of a comment where untrusted text may stand."""
    return "\n\n".join(
        (
            f"## {prose(text)}",
            prose(text),
            f"{code(text)} and {code(text)}",
            f"1. {prose(text)}\n2. {code(text)}",
            f"| head | {prose(text)} |\n|---|--:|\n| {code(text)} | {prose(text)} |",
            f"<details><summary>{prose(text)}: {code(text)}</summary>\n\n{block(text)}\n\n</details>",
            f"<sub>{prose(text)}</sub>",
            f"> <b>said</b> {passage(text, 10_000)}<br><b>says</b> {passage(text, 10_000)}",
        )
    )


HARMLESS = page(everywhere("x"))
HARMLESS.structure = [tag for tag in HARMLESS.structure if tag != "br"]


def foreign(text: str) -> list[str]:
    """What ``text`` brings about that a harmless text does not."""
    made = page(everywhere(text))
    found = made.attributes + made.extras
    # A text of several lines has line breaks in a passage, and nowhere else.
    made.structure = [tag for tag in made.structure if tag != "br"]
    if made.structure != HARMLESS.structure:
        found.append(f"structure: {made.structure}")
    if MARKER in everywhere(text):
        found.append("marker")
    return found


@settings(max_examples=200, deadline=None)
@given(hostile_texts)
@example("</code></pre></details><!-- prompt-verdict --> @team ![x](http://a.b/c)\n\n# h")
@example("1) one\n\n===\n| a | b |\n|---|---|")
@example("www.evil.example a@b.example GH-12 0123abcd0123abcd :smile: $x$ #1 http://a.b")
def test_no_text_becomes_a_tag_a_link_an_image_a_mention_or_a_marker(text):
    assert foreign(text) == []


@settings(max_examples=150, deadline=None)
@given(hostile_texts, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=4).map(sorted))
def test_marks_of_words_bring_in_nothing_but_bold(text, marks):
    made = page(f"> <b>said</b> {passage(text, 10_000, marks)}")
    assert made.attributes + made.extras == []
    assert set(made.structure) <= {"blockquote", "/blockquote", "p", "/p", "b", "/b", "br"}
    assert made.structure.count("b") == made.structure.count("/b")


@settings(max_examples=200, deadline=None)
@given(hostile_texts)
def test_what_is_shown_in_code_is_what_was_said(text):
    shown = page(code(text, 10_000)).code_texts
    assert shown == ([visible(text)] if text else [])


@settings(max_examples=300, deadline=None)
@given(hostile_texts)
@example("\u200b::error::x")
@example("a ##[error]x")
@example("#\u00ad#\u00ad[error]x]")
@example(":\u200d:error::x")
def test_no_text_becomes_a_command_of_the_runner(text):
    line = log_line(text)
    assert "\n" not in line
    assert runner_commands(line) == []
    assert runner_commands(f"case {line}") == []


def test_the_scanner_finds_what_it_is_there_for():
    assert page("<img src=x>").attributes
    assert page("hello @team").extras == ["mention"]
    assert page("[x](http://a.b)").structure == ["p", "a", "/a", "/p"]
    assert page("see www.evil.example").extras == ["address"]
    assert runner_commands("  ::error file=x::boo")
    assert runner_commands("x ##[error]boo")
    assert runner_commands("#\u00ad#[error]boo")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\x1b[31m", "a⟨U+001B⟩[31m"),
        ("a\x00b\ud800", "a⟨U+0000⟩b⟨U+D800⟩"),
        ("a\nb\tc\r", "a⏎b⇥c⟨U+000D⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("no\u00a0break", "no⟨U+00A0⟩break"),
        ("hangul\u3164filler", "hangul⟨U+3164⟩filler"),
        ("👩‍💻 ⚖️ 👍🏽 🇩🇪", "👩‍💻 ⚖️ 👍🏽 🇩🇪"),
        ("a\u200db ‍👍", "a⟨U+200D⟩b ⟨U+200D⟩👍"),
        ("a\ufe0f", "a⟨U+FE0F⟩"),
        ("e\u0301 naïve 日本語 العربية", "e\u0301 naïve 日本語 العربية"),
        ("z" + "\u0301" * 6, "z" + "\u0301" * 4 + "⟨U+0301⟩" * 2),
    ],
)
def test_what_cannot_be_seen_is_written_out(text, shown):
    assert visible(text) == shown


def test_lines_may_be_kept():
    assert visible("a\nb\r\n", lines=True) == "a\nb⟨U+000D⟩\n"


@pytest.mark.parametrize(
    ("text", "limit", "kept", "cut"),
    [
        ("abc", 3, "abc", 0),
        ("abcd", 3, "abc", 1),
        ("ae\u0301x", 2, "a", 3),
        ("a👩‍💻b", 2, "a", 4),
        ("a👍🏽", 2, "a", 2),
        ("🇩🇪🇫🇷", 3, "🇩🇪", 2),
        ("a\r\nb", 2, "a", 3),
        ("a\u1112\u1161\u11ab", 3, "a", 3),
        ("e" + "\u0301" * 9, 4, "e\u0301\u0301\u0301", 6),
    ],
)
def test_an_excerpt_keeps_visible_characters_whole_and_counts_the_rest(text, limit, kept, cut):
    short = excerpt(text, limit)
    assert (short.text, short.cut) == (kept, cut)
    assert short.note == (f" … (+{cut} characters)" if cut else "")


def test_an_excerpt_of_a_megabyte_says_how_much_is_missing():
    assert code("x" * 1_000_000, 5) == "<code>xxxxx</code> … (+999,995 characters)"


def test_everything_but_letters_digits_and_single_blanks_is_an_entity():
    assert entities("a<b> c_d  e ") == "a&#60;b&#62; c&#95;d&#32;&#32;e&#32;"
    assert entities("é 日2") == "é 日2"


def test_an_empty_answer_is_said_to_be_empty():
    assert code("") == prose(" ") == "<i>empty</i>"


def test_a_block_is_one_line_of_source():
    assert block("a\n- b") == "<pre>a&#10;&#45; b</pre>"


def test_sentences_stay_readable():
    sentence = "Slice `known_failure` fell from 83.3 to 50 (−33, interval −58 … −10): it's 4-fold, at +20%."
    assert prose(sentence) == (
        "Slice <code>known&#95;failure</code> fell from 83.3 to 50 (−33, interval −58 … −10&#41;&#58; it's 4-fold, at +20%."
    )


def test_a_name_that_github_would_link_is_quoted():
    assert prose("by @team in #12") == "by <code>&#64;team</code> in <code>&#35;12</code>"
