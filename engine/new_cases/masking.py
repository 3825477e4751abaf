"""Replaces personal data in a new case with fictional values of the same kind.

E-mail addresses, phone numbers, IBANs and card numbers have a form that can be recognized; the last two also have a
checksum. Names, addresses and other numbers have none: a person has to remove them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pydantic import JsonValue

from engine.render.figures import plural

UNSEEN = "Names, postal addresses and other numbers are not recognized: remove them yourself"
_GAPS = " \u00a0\u2009\u202f"
"""Spaces between digits. Texts that are copied from pages and documents have such that don't break."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}\d{{2}}(?:[{_GAPS}]?[A-Za-z0-9]){{11,30}}")
_CARD = re.compile(rf"(?<![\w.,+-])[2-6](?:[{_GAPS}-]?\d){{12,18}}")  # issuers of cards start with 2 to 6
_PHONE = re.compile(
    r"(?<![\w.,/#+-])(?:(?<!:)|(?=\+))(?!\d{1,2}[/-]\d{1,2}[/-]\d{2,4}(?!\d))(?:"
    r"\+\d{1,3}[ .()/-]{0,2}(?:\d[ .()/-]{0,2}){5,12}\d"  # +49 171 234567
    r"|00[1-9]\d{0,2}[ /-](?:\d[ .()/-]{0,2}){5,12}\d"  # 0049 171 234567
    r"|\(0\d{1,5}\)[ /-]?(?:\d[ /-]?){4,9}\d"  # (030) 123456
    r"|0\d{1,5}[ /-](?:\d[ /-]?){4,9}\d"  # 0171 2345678, 020 7946 0958
    r"|(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}"  # (202) 555-0147
    r")(?![\w-]|[.,:/]\d)".replace("[ ", f"[{_GAPS}")
)


class Masker:
    """Masks the texts of one case: the same value always gets the same replacement."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._order: Counter[str] = Counter()

    @property
    def found(self) -> str:
        """What was masked, such as ``2 e-mail addresses, 1 IBAN``. Empty if nothing was."""
        counts = Counter(kind for kind, _ in self._known)
        return ", ".join(
            plural(number, kind, "e-mail addresses" if "e-mail" in kind else None) for kind, number in counts.items()
        )

    def value(self, value: JsonValue) -> JsonValue:
        """Returns the value with all its texts and card numbers masked, those in lists and maps too. Keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int(self.text(str(value)))
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        return value

    def text(self, text: str) -> str:
        """Returns the text without personal data of a known form."""
        for kind in _KINDS:
            text = kind.pattern.sub(partial(self._replaced, kind), text)
        return text

    def _replaced(self, kind: _Kind, match: re.Match[str]) -> str:
        end = kind.end(match[0])
        value, rest = match[0][:end], match[0][end:]
        if not value or kind.fictional.search(value):
            return match[0]
        key = (kind.name, "".join(value.casefold().split()))
        if key not in self._known:
            self._order[kind.name] += 1
            self._known[key] = kind.made(self._order[kind.name])
        return self._known[key] + rest


def _longest(text: str, holds: Callable[[str], bool]) -> int:
    """Returns the length of the longest part from the start that ends where a word does and for which ``holds``."""
    ends = [*(index for index in range(len(text) - 1, 0, -1) if text[index] in f"{_GAPS}-"), 0]
    return next((end for end in (len(text), *ends) if holds(text[:end])), 0)


def _is_iban(text: str) -> bool:
    """Returns whether the checksum holds (ISO 13616)."""
    plain = "".join(text.split())
    return 15 <= len(plain) <= 34 and int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _fictional_iban(number: int) -> str:
    """Returns a valid IBAN of a bank that doesn't exist."""
    account = f"TEST{number:014}"
    digits = "".join(str(int(sign, 36)) for sign in f"{account}GB00")
    return f"GB{98 - int(digits) % 97:02}{account}"


def _is_card(text: str) -> bool:
    digits = [int(sign) for sign in text if sign.isdecimal()]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _luhn(digits) == 0


def _luhn(digits: list[int]) -> int:
    """Returns the checksum of Luhn's formula, 0 for a valid number (ISO/IEC 7812-1)."""
    doubled = [digit * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(digit - 9 * (digit > 9) for digit in doubled) % 10


def _fictional_card(number: int) -> str:
    """Returns a number that passes the checksum and that no bank issues."""
    body = [int(sign) for sign in f"4000000000{number % 100_000:05}"]
    return "".join(map(str, body)) + str(-_luhn([*body, 0]) % 10)


class _Kind(NamedTuple):
    """One kind of personal data."""

    name: str
    pattern: re.Pattern[str]
    end: Callable[[str], int]
    """Returns where the value ends in a match; 0 if it is none."""
    fictional: re.Pattern[str]
    """Finds values that need no mask."""
    made: Callable[[int], str]
    """Returns the replacement of the n-th value."""


_KINDS = (
    _Kind(
        "e-mail address",
        _EMAIL,
        len,
        re.compile(r"(?i)@(?:.*\.)?example\.(?:com|net|org)$"),
        "person{}@example.com".format,
    ),
    _Kind("IBAN", _IBAN, partial(_longest, holds=_is_iban), re.compile("^GB..TEST0"), _fictional_iban),
    _Kind("card number", _CARD, partial(_longest, holds=_is_card), re.compile("^4000000000"), _fictional_card),
    # 555-0100 to 555-0199 are reserved for fiction.
    _Kind("phone number", _PHONE, len, re.compile(r"555[ .-]?01\d\d$"), lambda n: f"+1 202 555 01{(n - 1) % 100:02}"),
)
