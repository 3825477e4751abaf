"""Reads numbers as people and models write them. Ambiguous text has no value."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from pydantic import JsonValue

from evaluators.locales import Locale
from evaluators.text import fold

MAX_CHARACTERS = 64

_CURRENCY = r"[$€£¥₹₩₽₺¢]|us\$|usd|eur|gbp|jpy|cny|inr|chf|cad|aud|sek|nok|dkk|pln"
_UNIT = r"[^\W\d_]{1,16}(?:/[^\W\d_]{1,8})?[23]?|°[cf]?"
_NUMBER = re.compile(
    rf"(?P<before>{_CURRENCY})?\s*(?P<sign>[-+−])?\s*(?P<inner>{_CURRENCY})?\s*(?P<leading>%)?\s*"
    rf"(?P<digits>\d[\d., '’]*|\.\d+)(?P<exponent>e[-+]?\d{{1,3}})?\s*"
    rf"(?:(?P<percent>%)|(?P<after>{_CURRENCY})|(?P<unit>{_UNIT}))?"
)
_GROUPED = {
    ",": re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"),
    ".": re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?"),
    " ": re.compile(r"[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d+)?"),
    "'": re.compile(r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?"),
}
_SYMBOLS = {"$": "usd", "us$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr"}


class Quantity(NamedTuple):
    """A number with its unit."""

    value: Decimal
    percent: bool = False
    currency: str | None = None
    unit: str | None = None


def read_number(value: JsonValue, locale: Locale | None = None, unit: str | None = None) -> Quantity | None:
    """Reads a JSON number, or a text such as “1,234.50”, “1.234,50 €”, “$1 234”, “12%”, “12 kg” or “(1,234)”, which is
    negative. ``None`` for all else.

    Without a locale, “1,234” and “1 234” group thousands, “1.234” is a decimal, as in JSON, and “1,5” is one and a
    half. ``unit`` is that of a number without one.
    """
    plain = None if unit is None else fold(unit)
    if isinstance(value, int | float) and not isinstance(value, bool):
        # By `repr`, which gives 0.1 and not the long binary fraction behind it.
        return Quantity(Decimal(repr(value)) if isinstance(value, float) else Decimal(value), unit=plain)
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        return None
    text = value if locale is None else western_digits(value)
    found = _number_in(text, None if locale is None else locale.decimal)
    return found._replace(unit=plain) if found and not (found.unit or found.percent or found.currency) else found


def is_unit(text: str) -> bool:
    """Returns whether ``text`` can be the unit of a number, as “kg” can. Currencies and percent signs are none."""
    folded = fold(text)
    return re.fullmatch(_UNIT, folded) is not None and re.fullmatch(_CURRENCY, folded) is None


def western_digits(text: str) -> str:
    """Returns ``text`` with decimal digits of all scripts as 0 to 9, and Arabic marks as a point and a comma."""
    digits = (str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
    return "".join(digits).translate(_ARABIC_MARKS)


_ARABIC_MARKS = str.maketrans({"\u066a": "%", "\u066b": ".", "\u066c": ","})


def _number_in(text: str, decimal: str | None) -> Quantity | None:
    folded = fold(text).strip()
    # Accountants write negative numbers in parentheses.
    negative = folded.startswith("(") and folded.endswith(")")
    match = _NUMBER.fullmatch(folded[1:-1].strip() if negative else folded)
    if match is None or (negative and match["sign"]):
        return None
    currencies = [match[name] for name in ("before", "inner", "after") if match[name]]
    digits = _digits(match["digits"].rstrip().replace("’", "'"), decimal)
    percent = bool(match["percent"] or match["leading"])
    # "$5 EUR", "5% $" and "5% kg" have no single meaning.
    if digits is None or len(currencies) + percent + bool(match["unit"]) > 1:
        return None
    number = Decimal(f"{digits}{match['exponent'] or ''}")
    number = -number if negative or match["sign"] in ("-", "−") else number
    currency = _SYMBOLS.get(currencies[0], currencies[0]) if currencies else None
    return Quantity(number, percent=percent, currency=currency, unit=match["unit"])


def _digits(written: str, decimal: str | None) -> str | None:
    return _plain_digits(written) if decimal is None else _localized(written, decimal)


def _localized(digits: str, decimal: str) -> str | None:
    """Returns ``digits`` with a decimal point and without groups, if the groups are those of a known decimal mark."""
    whole, mark, fraction = digits.partition(decimal)
    if not digits.isascii() or (mark and not fraction.isdigit()):
        return None
    groups = {sign for sign in whole if not sign.isdigit()}
    if groups:
        first, *others = whole.split(groups.pop())
        # Thousands, or the lakhs and crores of India: groups of two before the last one.
        sizes = [len(part) for part in others]
        regular = sizes == [3] * len(sizes) or sizes == [2] * (len(sizes) - 1) + [3]
        if groups or not regular or not 1 <= len(first) <= 3 or first.startswith("0"):
            return None
        whole = first + "".join(others)
    return f"{whole or '0'}.{fraction}" if fraction else whole


def _plain_digits(digits: str) -> str | None:
    """Returns ``digits`` with a decimal point and without groups."""
    marks = {mark for mark in digits if not mark.isdigit()}
    # `\d` also matches digits of other scripts, which `Decimal` would read silently.
    if not digits.isascii():
        return None
    if not marks or (marks == {"."} and digits.count(".") == 1):
        return digits if not digits.endswith(".") else None
    # Three digits after a single comma could be a group of thousands, so only other lengths are decimals.
    if marks == {","} and re.fullmatch(r"\d+,(?:\d{1,2}|\d{4,})|0,\d+", digits):
        return digits.replace(",", ".")
    for group, pattern in _GROUPED.items():
        if group in marks and pattern.fullmatch(digits):
            return digits.replace(group, "").replace(",", ".")
    return None


def same_number(expected: Quantity, given: Quantity, tolerance: float, relative: float = 0.0) -> bool:
    """Returns whether two numbers differ by at most ``tolerance``, or by the share ``relative`` of the expected one.

    If only one side has a percent sign, “85%” is 85 or 0.85, depending on whether the bare number is above 1. Different
    currencies or units are never equal, and a unit is not equal to none. Binary floats may differ in their last digits.
    """
    if expected.currency and given.currency and expected.currency != given.currency:
        return False
    if expected.unit != given.unit:
        return False
    one, other = expected.value, given.value
    if expected.percent != given.percent:
        bare = other if expected.percent else one
        # A bare 0.85 next to 85% is a fraction. A bare 85 already is a percentage.
        if abs(bare) <= 1:
            one, other = (one / 100, other) if expected.percent else (one, other / 100)
    # Integers are compared exactly. Decimals may have passed through binary floats.
    whole = one == one.to_integral_value() and other == other.to_integral_value()
    rounding = Decimal(0) if whole else max(abs(one), abs(other)) * Decimal("1e-12")
    allowed = max(Decimal(repr(tolerance)), Decimal(repr(relative)) * abs(one), rounding)
    return abs(one - other) <= allowed
