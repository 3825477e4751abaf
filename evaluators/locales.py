"""How numbers and dates are written in a language: decimal mark, order of day and month, names of months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["dmy", "mdy", "ymd"]

COMMA = """
af az be bg bs ca cs da de el es et eu fi fo fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl pt ro ru sk sl sq sr
sv tr uk uz vi
"""
"""Languages with a decimal comma."""
POINT = "am ar bn cy en fa fil ga gu he hi ja km kn ko ml mr ms my ne pa si sw ta te th ur zh zu"
_COMMA, _POINT = frozenset(COMMA.split()), frozenset(POINT.split())
_OTHER_MARK = frozenset({"de_ch", "de_li", "en_za", "es_mx", "es_us", "es_gt", "es_do", "es_pe", "it_ch"})
"""Regions whose decimal mark is not that of their language."""
_MONTH_FIRST = frozenset({"en", "en_us", "es_us", "fil"})
_YEAR_FIRST = frozenset({"af", "eu", "fa", "hu", "ja", "ko", "lt", "lv", "si", "sv", "zh", "en_ca", "en_za", "fr_ca"})

_MONTHS = {
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
}


@dataclass(frozen=True, slots=True)
class Locale:
    """The conventions of one language and region."""

    decimal: Literal[".", ","]
    order: Order
    months: tuple[str, ...] = ()
    """Names of the months, in lower case. Empty for English, and for languages whose names aren't read."""

    def month(self, name: str) -> int | None:
        """Returns the month, 1 to 12, of a name or an abbreviation of at least three letters."""
        found = [number for number, month in enumerate(self.months, 1) if month.startswith(name)]
        exact = [number for number, month in enumerate(self.months, 1) if month == name]
        if exact or (len(name) >= 3 and len(found) == 1):
            return (exact or found)[0]
        return None


def locale_of(name: str) -> Locale | None:
    """Returns the conventions of ``de``, ``de_CH`` or ``de-CH``; ``None`` for a language that isn't known."""
    tag = name.replace("-", "_").lower()
    language = tag.partition("_")[0]
    if language not in _COMMA and language not in _POINT:
        return None
    comma = (language in _COMMA) != (tag in _OTHER_MARK)
    region = tag if "_" in tag else ""
    if region in _YEAR_FIRST or (language in _YEAR_FIRST and region not in _MONTH_FIRST):
        order: Order = "ymd"
    else:
        order = "mdy" if tag in _MONTH_FIRST else "dmy"
    return Locale("," if comma else ".", order, tuple(_MONTHS.get(language, "").split()))
