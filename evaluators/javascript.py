"""Texts, equality and regular expressions as JavaScript has them, for assertions that were written for it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn

from pydantic import JsonValue

from evaluators.json_answers import encodable
from evaluators.patterns import compile_pattern
from evaluators.text import shown
from schemas.errors import ConfigError

MAX_PATTERN = 2_000
_SPACES = r"\t-\r\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}"
_SPACE = re.compile("[\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+")
_ANY = r"(?s:.)"
_DOT = r"[^\n\r\x{2028}\x{2029}]"
_KIND = re.compile(r"\\[dDwWsS]")
_KINDS = (_SPACES, r"\d", r"\D", r"\w", r"\W")
_REPEAT = re.compile(r"\{\d+(?:,\d*)?\}")
_NAMED = re.compile(r"\?<([A-Za-z_]\w*)>", re.ASCII)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_FIRST_UNMAPPED = 0xF0000
"""Code units of surrogate pairs are moved into this private plane, where RE2 can match them one by one."""


def text_of(value: JsonValue) -> str:
    """Returns what ``String(value)`` gives."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(float(value))
        case list():
            return ",".join("" if item is None else text_of(item) for item in value)
        case dict():
            return "[object Object]"
    return value


def _number(value: float) -> str:
    if not value:
        return "0"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f")
    return re.sub(r"e([+-])0*", r"e\1", repr(value))


def words(text: str) -> list[str]:
    """Returns the parts of ``text`` between what JavaScript takes for blanks."""
    return [word for word in _SPACE.split(text) if word]


def parsed(text: str) -> JsonValue:
    """Returns the value of a JSON text as ``JSON.parse`` reads it. Raises ValueError, also for too many levels."""
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return encodable(value) if "\\u" in text else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int | float:
    # Every number is a double; one without a fraction stays an int, which a schema takes for an integer.
    value = float(digits)
    return int(value) if math.isfinite(value) and not (value == 0 and digits.startswith("-")) else value


def equal(one: JsonValue, other: JsonValue) -> bool:
    """Returns whether two JSON values are deeply and strictly equal; the order of keys doesn't count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if _is_number(one) and _is_number(other):
        first, second = float(one), float(other)  # type: ignore[arg-type] # both are numbers
        return first == second and math.copysign(1, first) == math.copysign(1, second)
    return type(one) is type(other) and one == other


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def units(text: str) -> str:
    """Returns ``text`` with a character for each UTF-16 code unit, as JavaScript counts and matches them."""
    if text.isascii() or max(text) < "\U00010000":
        return text
    return "".join(
        chr(_FIRST_UNMAPPED + unit) if 0xD800 <= unit <= 0xDFFF else chr(unit)
        for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    )


def pattern(written: str, where: str) -> Callable[[str], bool]:
    """Returns a function that says whether ``new RegExp(written)`` finds a match in a text.

    Raises ConfigError, located at ``where``, for an expression that RE2 can't match in the same way: look-around,
    back references, and what is no valid expression.
    """
    if len(written) > MAX_PATTERN:
        raise ConfigError(f"the expression is longer than {MAX_PATTERN:,} characters", where=where)
    matches = compile_pattern(_Translation(written, where).whole(), where)
    return lambda text: matches(units(text))


class _Translation:
    """An expression while it is written again in RE2's syntax."""

    def __init__(self, written: str, where: str) -> None:
        self._written = written
        self._where = where
        self._text = units(written)
        self._at = 0

    def whole(self) -> str:
        parts = []
        while self._at < len(self._text):
            parts.append(self._part())
        return "".join(parts)

    def _refuse(self, what: str) -> ConfigError:
        said = f"the expression “{shown(self._written, 60)}” {what}, which RE2 can't match as JavaScript does"
        return ConfigError(said, where=self._where, hint="write it without")

    def _take(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _takes(self, start: str) -> bool:
        found = self._text.startswith(start, self._at)
        self._at += len(start) * found
        return found

    def _part(self) -> str:
        character = self._take()
        if character in "^$" and self._text[self._at : self._at + 1] in ("*", "+", "?"):
            raise self._refuse("repeats an anchor")
        readers = {"\\": self._escape, "[": self._set, "(": self._group, "{": self._repeat}
        if character in readers:
            return readers[character]()
        return {".": _DOT, "]": r"\]", "}": r"\}"}.get(character, character)

    def _repeat(self) -> str:
        """Returns the rest of a number of repetitions. Any other brace stands for itself."""
        if repeat := _REPEAT.match(self._text, self._at - 1):
            self._at = repeat.end()
            return repeat[0]
        return r"\{"

    def _group(self) -> str:
        if self._takes("?:"):
            return "(?:"
        if named := _NAMED.match(self._text, self._at):
            self._at = named.end()
            return "("
        if self._takes("?"):
            raise self._refuse("looks around, or has flags")
        return "("

    def _escape(self) -> str:
        """Returns what an escape outside of a set means."""
        following = self._text[self._at : self._at + 1]
        if following in ("d", "D", "w", "W", "b", "B") and following:
            return f"\\{self._take()}"
        if following in ("s", "S") and following:
            return f"[{'^' if self._take() == 'S' else ''}{_SPACES}]"
        if following.isdecimal() and following != "0":
            raise self._refuse("refers to a group")
        return _literal(self._character())

    def _character(self) -> str:
        """Returns the character that the escape at this place stands for."""
        if self._at >= len(self._text):
            raise self._refuse("ends with a backslash")
        character = self._take()
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character == "k":
            raise self._refuse("refers to a group")
        if character == "c":
            raise self._refuse("has a control character")
        if character == "0":
            if self._text[self._at : self._at + 1].isdecimal():
                raise self._refuse("has an octal number")
            return "\0"
        digits = {"x": 2, "u": 4}.get(character, 0)
        number = self._text[self._at : self._at + digits]
        if digits and re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", number):
            self._at += digits
            unit = int(number, 16)
            return chr(_FIRST_UNMAPPED + unit) if 0xD800 <= unit <= 0xDFFF else chr(unit)
        return character

    def _set(self) -> str:
        """Returns a set in brackets. ``[]`` matches nothing and ``[^]`` everything."""
        negated = self._takes("^")
        members: list[str] = []
        kinds: set[str] = set()
        while True:
            if self._at >= len(self._text):
                raise self._refuse("has an open bracket")
            character = self._take()
            if character == "]":
                break
            beside = (members[-1:] or [""])[0] in _KINDS or bool(_KIND.match(self._text, self._at))
            members.append(r"\-" if character == "-" and beside else self._member(character, kinds))
        if {"s", "S"} <= kinds or not members:
            return r"[^\x{0}-\x{10FFFF}]" if negated == bool(members) else _ANY
        if "S" in kinds:
            raise self._refuse("has \\S in brackets")
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _member(self, character: str, kinds: set[str]) -> str:
        if character != "\\":
            return "-" if character == "-" else _literal(character)
        following = self._text[self._at : self._at + 1]
        if following in ("d", "D", "w", "W", "s", "S") and following:
            kinds.add(self._take())
            return _SPACES if following == "s" else f"\\{following}"
        if following == "b":
            self._take()
            return r"\x08"
        if following.isdecimal() and following != "0":
            raise self._refuse("has an octal number")
        return _literal(self._character())


def _literal(character: str) -> str:
    if character.isalnum() and character.isascii():
        return character
    return f"\\x{{{ord(character):x}}}"
