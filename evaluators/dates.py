"""Reads calendar days as people and models write them. Ambiguous text names no day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import JsonValue

from evaluators.locales import Locale
from evaluators.numbers import MAX_CHARACTERS, western_digits
from evaluators.text import fold


@dataclass(frozen=True, slots=True)
class DateReading:
    """A calendar day, or why a text isn't one."""

    day: date | None
    problem: str = ""


_YEAR_FIRST = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})"
    r"(?:(?:[Tt]|\s+)\d{1,2}(?:(?::\d{2}){1,2}(?:[.,]\d{1,9})?|(?=\s*[APap]))(?:\s*[APap]\.?[Mm]\.?)?"
    r"(?:\s*(?:[Zz]|UTC|GMT|[+-]\d{2}:?(?:\d{2})?))?)?",
    re.ASCII,
)
"""With or without a time of day. A second date makes it a range, which names no day."""
_YEAR_MARKED = re.compile(r"(\d{4})\s*[-/.年년]\s*(\d{1,2})\s*[-/.月월]\s*(\d{1,2})\s*[.日일]?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4})(?:\s*г\.)?", re.ASCII)
_NAMED = re.compile(
    r"(?:[^\W\d_]{2,15}[.,]{0,2}\s+)?(?:den\s+)?(\d{1,2})(?:er|\.|º)?\s+(?:de\s+)?([^\W\d_]{3,12})\.?,?\s+(?:de\s+)?(\d{4})"
)
_FOUR_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)")
_ONE_DEFAULT, _OTHER_DEFAULT = datetime(1999, 1, 1), datetime(1996, 2, 2)  # noqa: DTZ001 - calendar days have no zone


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How dates may be written, besides ISO 8601."""

    locale: Locale | None = None
    formats: tuple[str, ...] = ()
    """Patterns of ``strptime``. If there are any, nothing else is read."""
    day_first: bool | None = None


PLAIN = DateStyle()


def read_date(value: JsonValue, style: DateStyle = PLAIN) -> DateReading:
    """Reads the day that a text names: ISO 8601, year first, or a month by its name.

    A numeric day and month are read only if unambiguous (“25/12/2024”, but not “03/04/2024”), or in the order of the
    style. The year has four digits, unless a format says otherwise; times of day are not read.
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
    if style.formats:
        return _by_formats(text, style.formats)
    if style.locale is not None or style.day_first is not None:
        found = _by_style(fold(western_digits(text)), style)
        if found is not None:
            return found
    if not _FOUR_DIGITS.search(text):
        return DateReading(None, "not a date with a four-digit year")
    return _by_dateutil(text)


def _by_formats(text: str, formats: Sequence[str]) -> DateReading:
    for wanted in formats:
        try:
            return DateReading(datetime.strptime(text, wanted).date())  # noqa: DTZ007 - calendar days have no zone
        except ValueError:
            continue
    return DateReading(None, f"not a date like {formats[0]}")


def _by_style(text: str, style: DateStyle) -> DateReading | None:
    """Returns the day that a folded text names by the order and the months of the style; ``None`` if it leaves open."""
    order = style.locale.order if style.locale is not None else "dmy"
    if style.day_first is not None:
        order = "dmy" if style.day_first else "mdy"
    if (match := _YEAR_MARKED.fullmatch(text)) is not None:
        return _day(match[1], match[2], match[3])
    # Where the year usually comes first, the order of day and month before a year is open.
    if (match := _YEAR_LAST.fullmatch(text)) is not None and order != "ymd":
        return _day(match[4], match[3], match[1]) if order == "dmy" else _day(match[4], match[1], match[3])
    if style.locale is not None and (match := _NAMED.fullmatch(text)) is not None:
        month = style.locale.month(match[2])
        return None if month is None else _day(match[3], str(month), match[1])
    return None


def _day(year: str, month: str, day: str) -> DateReading:
    try:
        return DateReading(date(int(year), int(month), int(day)))
    except ValueError:
        return DateReading(None, "not a day of the calendar")


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
