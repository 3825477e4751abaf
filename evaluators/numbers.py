"""Reads numbers and dates as people and models write them. Ambiguous text has no value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from pydantic import JsonValue

from evaluators.text import fold

MAX_CHARACTERS = 64

_CURRENCY = r"[$€£¥₹₩₽₺¢]|us\$|usd|eur|gbp|jpy|cny|inr|chf|cad|aud|sek|nok|dkk|pln"
_NUMBER = re.compile(
    rf"(?P<before>{_CURRENCY})?\s*(?P<sign>[-+−])?\s*(?P<inner>{_CURRENCY})?\s*"
    rf"(?P<digits>\d[\d., '’]*|\.\d+)(?P<exponent>e[-+]?\d{{1,3}})?\s*(?P<percent>%)?\s*(?P<after>{_CURRENCY})?"
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


def read_number(value: JsonValue) -> Quantity | None:
    """Reads a JSON number, or a text such as “1,234.50”, “1.234,50 €”, “$1 234”, “12%”. ``None`` for all else.

    “1,234” and “1 234” group thousands. “1.234” is a decimal, as in JSON. “1,5” is one and a half.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        # By `repr`, which gives 0.1 and not the long binary fraction behind it.
        return Quantity(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    return _number_in(value) if isinstance(value, str) and len(value) <= MAX_CHARACTERS else None


def _number_in(text: str) -> Quantity | None:
    match = _NUMBER.fullmatch(fold(text).strip())
    if match is None:
        return None
    currencies = [match[name] for name in ("before", "inner", "after") if match[name]]
    digits = _plain_digits(match["digits"].rstrip().replace("’", "'"))
    # "$5 EUR" and "5% $" have no single meaning.
    if digits is None or len(currencies) > 1 or (match["percent"] and currencies):
        return None
    number = Decimal(f"{'-' if match['sign'] in ('-', '−') else ''}{digits}{match['exponent'] or ''}")
    currency = _SYMBOLS.get(currencies[0], currencies[0]) if currencies else None
    return Quantity(number, percent=bool(match["percent"]), currency=currency)


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


def same_number(expected: Quantity, given: Quantity, tolerance: float) -> bool:
    """Returns whether two numbers differ by at most ``tolerance``.

    If only one side has a percent sign, “85%” is 85 or 0.85, depending on whether the bare number is above 1. Different
    currencies are never equal. Binary floats may differ in their last digits.
    """
    if expected.currency and given.currency and expected.currency != given.currency:
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
    return abs(one - other) <= max(Decimal(repr(tolerance)), rounding)


@dataclass(frozen=True, slots=True)
class DateReading:
    """A calendar day, or why a text isn't one."""

    day: date | None
    problem: str = ""


_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[Tt ][\d:., APMapmZz+-]*)?", re.ASCII)
_FOUR_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)")
_ONE_DEFAULT, _OTHER_DEFAULT = datetime(1999, 1, 1), datetime(1996, 2, 2)  # noqa: DTZ001 - calendar days have no zone


def read_date(value: JsonValue) -> DateReading:
    """Reads the day that a text names: ISO 8601, year first, or a month by its name.

    A numeric day and month are read only if unambiguous (“25/12/2024”, but not “03/04/2024”). The year has four digits;
    times of day are not read.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_CHARACTERS:
        return DateReading(None, "not a date")
    text = value.strip()
    if (match := _YEAR_FIRST.fullmatch(text)) is not None:
        text = f"{match[1]}-{int(match[3]):02d}-{int(match[4]):02d}"
    try:
        return DateReading(datetime.fromisoformat(text).date())
    except ValueError:
        pass
    if not _FOUR_DIGITS.search(text):
        return DateReading(None, "not a date with a four-digit year")
    return _by_dateutil(text)


def _by_dateutil(text: str) -> DateReading:
    """Reads a complete, unambiguous date: any default day, and either order of day and month, must give the same."""
    from dateutil import parser  # takes 35 ms to import, which most lineages don't need

    try:
        # Three readings of the same text: parts that the text lacks, or orders that it leaves open, make them differ.
        month_first = parser.parse(text, default=_ONE_DEFAULT, ignoretz=True).date()
        filled_otherwise = parser.parse(text, default=_OTHER_DEFAULT, ignoretz=True).date()
        day_first = parser.parse(text, default=_ONE_DEFAULT, ignoretz=True, dayfirst=True).date()
    except (ValueError, OverflowError):
        return DateReading(None, "not a date")
    if month_first != filled_otherwise:
        return DateReading(None, "not a complete date")
    if month_first != day_first:
        return DateReading(None, f"ambiguous: {month_first.isoformat()} or {day_first.isoformat()}")
    return DateReading(month_first)
