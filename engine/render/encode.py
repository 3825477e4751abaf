"""Encodes untrusted text for the surface on which it is shown.

Everything from a model, a prompt, a test set or a file name passes through here before it is shown. In Markdown,
escaping known special characters is not enough: GitHub adds mentions, issue and commit references, autolinks and emoji.
So everything but letters and digits becomes a numeric entity, inside ``<code>`` or ``<pre>``, where GitHub recognizes
none of these.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters of visible categories that render as nothing (Default_Ignorable_Code_Point, the empty braille cell)."""
_JOINER, _EMOJI_LOOK = "\u200d", "\ufe0f"
_MOST_MARKS = 4
"""Most combining marks on one letter: more than any language uses, too few to cover neighboring lines."""


def _is_pictograph(character: str) -> bool:
    return character >= "\u2190" and unicodedata.category(character) in {"So", "Sk", "Sm"}


def _is_selector(character: str) -> bool:
    return (
        "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
        or "\u180b" <= character <= "\u180f"
    )


def _escape(character: str) -> str:
    return {"\n": "⏎", "\t": "⇥"}.get(character, f"⟨U+{ord(character):04X}⟩")


def visible(text: str, *, lines: bool = False) -> str:
    """Returns ``text`` with invisible, reordering and stacked characters written out as ``⟨U+202E⟩``.

    A line feed becomes ``⏎`` unless ``lines``; a tab becomes ``⇥``. Emoji sequences stay. The result can always be
    encoded as UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for index, character in enumerate(text):
        if character.isascii():
            marks = 0
            seen = character.isprintable() or (lines and character == "\n")
        else:
            marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
            before, after = text[max(0, index - 1) : index], text[index + 1 : index + 2]
            seen = marks <= _MOST_MARKS and _is_seen(character, before, after)
        shown.append(character if seen else _escape(character))
    return "".join(shown)


def _is_seen(character: str, before: str, after: str) -> bool:
    """Returns whether a character beyond ASCII shows; ``before`` and ``after`` are its neighbors, or empty."""
    if character == _JOINER:
        return _is_pictograph(after) and (before == _EMOJI_LOOK or _is_pictograph(before))
    if character == _EMOJI_LOOK:
        return _is_pictograph(before)
    invisible = unicodedata.category(character) in _INVISIBLE
    return not (invisible or character in _BLANK_LETTERS or _is_selector(character))


@dataclass(frozen=True)
class Excerpt:
    """The beginning of a text, and the number of characters (code points) that were cut."""

    text: str
    cut: int

    @property
    def note(self) -> str:
        """Returns `` … (+1,234 characters)``, or nothing if the text is complete."""
        return f" … (+{self.cut:,} characters)" if self.cut else ""


def _continues(text: str, index: int) -> bool:
    """Returns whether ``text[index]`` and ``text[index - 1]`` form one visible character (UAX #29, simplified)."""
    before, here = text[index - 1], text[index]
    if unicodedata.category(here)[0] == "M" or _JOINER in (here, before) or (before, here) == ("\r", "\n"):
        return True
    if "\U0001f3fb" <= here <= "\U0001f3ff":  # skin tones
        return True
    if "\u1160" <= here <= "\u11ff":  # Hangul vowels and finals
        return True
    if "\U0001f1e6" <= here <= "\U0001f1ff":  # flags are pairs
        flags = 0
        while flags < index and "\U0001f1e6" <= text[index - 1 - flags] <= "\U0001f1ff":
            flags += 1
        return flags % 2 == 1
    return False


def excerpt(text: str, limit: int) -> Excerpt:
    """Returns at most the first ``limit`` characters of ``text``. No visible character is split, unless it alone is
    longer."""
    if len(text) <= limit:
        return Excerpt(text, 0)
    end = limit
    while end > 0 and _continues(text, end):
        end -= 1
    end = end or limit
    return Excerpt(text[:end], len(text) - end)


def entities(text: str, *, lines: bool = False) -> str:
    """Returns ``text`` with all but letters, digits and single blanks as numeric entities: no Markdown, no HTML."""
    shown = visible(text, lines=lines)
    encoded = "".join(c if c.isalnum() else f"&#{ord(c)};" for c in shown.replace(" ", "\x00"))
    # A blank between two visible characters is harmless. At an end or beside another one it would be collapsed.
    return re.sub(r"(?<=[^\x00])\x00(?=[^\x00])", " ", encoded.replace("&#0;", "\x00")).replace("\x00", "&#32;")


_EMPTY = "<i>empty</i>"


def code(text: str, limit: int = 120) -> str:
    """Returns ``text`` for one line of Markdown or a table cell: at most ``limit`` characters in ``<code>``."""
    short = excerpt(text, limit)
    if not short.text:
        return _EMPTY
    return f"<code>{entities(short.text)}</code>{short.note}"


def block(text: str, limit: int = 2_000) -> str:
    """Returns ``text`` as a ``<pre>``, at most ``limit`` characters, on a single line of Markdown source."""
    short = excerpt(text, limit)
    return f"<pre>{entities(short.text, lines=True)}</pre>{short.note}"


_NAMED = re.compile(r"`([^`]*)`")
_LINKED_BY_GITHUB = re.compile(
    r"[@#]|:.|\$(?!\d)|\$.*\$|://|\bwww\b|\bGH-?\d|(?<!\w)[0-9a-f]{7,64}(?!\w)|\w\.\w+/", re.IGNORECASE
)


def _word(word: str) -> str:
    """Returns one word of a sentence, in ``<code>`` if GitHub would link it: a mention, reference, address or emoji
    name."""
    if _LINKED_BY_GITHUB.search(word):
        return code(word, 200)
    return word if word.isalnum() else "".join(map(_sign, word, f" {word}", f"{word[1:]} "))


def _sign(character: str, before: str, after: str) -> str:
    """Returns the character, if it is a letter, a digit or harmless punctuation at this place, else its entity."""
    plain = character.isalnum() or character in ",;%(−–…→'’“”«»·±≤≥" or _is_plain(character, before, after)
    return character if plain else f"&#{ord(character)};"


def _is_plain(character: str, before: str, after: str) -> bool:
    """Returns whether punctuation that Markdown knows means nothing between these two neighbors."""
    match character:
        case ".":
            return not (before.isdigit() and after == " ")
        case "-":
            return before.isalnum() and after.isalnum()
        case ":":
            return before.isalnum() and after == " "
        case ")":
            return not before.isdigit()
        case "+":
            return after.isdigit() or after == "$"
    return False


def prose(sentence: str, limit: int = 600) -> str:
    """Returns a sentence of ours that may quote untrusted names, for one line of Markdown. Backticks become
    ``<code>``."""
    short = excerpt(sentence, limit)
    shown = " ".join(word for word in visible(short.text).split(" ") if word)
    parts = _NAMED.split(shown)
    out = [
        code(part, limit) if odd else " ".join(_word(word) for word in part.split(" "))
        for part, odd in zip(parts, (i % 2 for i in range(len(parts))), strict=True)
        if part or not odd
    ]
    encoded = "".join(out)
    return encoded + short.note if encoded.strip() else _EMPTY


def passage(text: str, limit: int, marks: Sequence[tuple[int, int]] = ()) -> str:
    """Returns a text of several lines for one line of Markdown: ``<br>`` between its lines, ``marks`` in ``<b>``.

    ``marks`` are ranges of characters. Words that GitHub would link are in ``<code>``. Blanks are shown as a browser
    shows them, and empty lines are left out. At most ``limit`` characters are kept.
    """
    short = excerpt(text, limit)
    if not short.text.strip():
        return _EMPTY
    lines, at = [], 0
    for line in short.text.split("\n"):
        if line.strip():
            lines.append(_marked_line(line.removesuffix("\r"), at, marks))
        at += len(line) + 1
    return "<br>".join(lines) + short.note


def _marked_line(line: str, start: int, marks: Sequence[tuple[int, int]]) -> str:
    """Returns one line, which begins at ``start`` of the text that ``marks`` are about."""
    out, at = [], 0
    for first, last in marks:
        begin, end = max(first - start, at), min(last - start, len(line))
        if begin < end:
            out += [_words(line[at:begin]), f"<b>{_words(line[begin:end])}</b>"]
            at = end
    return "".join([*out, _words(line[at:])])


def _words(part: str) -> str:
    return " ".join(_word(word) for word in visible(part).split(" "))


_RUNNER_SIGN = re.compile(r":(?=[^ -~]*:)|#(?=[^ -~]*#[^ -~]*\[)")


def without_commands(text: str) -> str:
    """Returns ``text`` without commands for an Actions runner, neither ``::…::`` nor ``##[…]``.

    The runner compares by culture, which ignores some characters. So a blank separates the signs even if something
    non-ASCII is between them.
    """
    return _RUNNER_SIGN.sub(lambda found: f"{found.group()} ", text)


_LOG_SIGN = re.compile(r"#(?=[^ -~]*#[^ -~]*\[)")
_LINE_END = re.compile("[\x85\u2028\u2029]")
_LINE_START = re.compile(r"(?m)(^|[\v\f\x1c-\x1e\x85\u2028\u2029])([^!-9;-~]*):(?=[^ -~]*:)")


def json_for_logs(text: str) -> str:
    """Returns equivalent JSON without commands for an Actions runner that logs it."""
    quoted = _LINE_END.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    return _LOG_SIGN.sub(r"\\u0023", quoted)


def html_for_logs(text: str) -> str:
    """Returns an equivalent page without commands for an Actions runner that logs it."""
    return _LINE_START.sub(r"\1\2&#58;", _LOG_SIGN.sub("&#35;", text))


def log_line(text: str, limit: int = 2_000) -> str:
    """Returns ``text`` as one line for an Actions log, without commands, and with invisible characters written out."""
    short = excerpt(text, limit)
    return without_commands(visible(short.text)) + short.note
