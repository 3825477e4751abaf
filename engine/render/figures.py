"""Formats numbers for people: points with intervals, dollars, shares, counts. A missing number is a dash, never 0."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from schemas.effects import Effect
from schemas.verdicts import Interval

NONE = "–"
"""Shown in place of a missing number."""


def _typographic(text: str) -> str:
    return text.replace("-", "−")


def points(fraction: float | None) -> str:
    """Returns a score of 0 … 1 as points: ``84.5``."""
    return NONE if fraction is None else _typographic(f"{_round(fraction * 100, 1)}")


def limit(fraction: float | None) -> str:
    """Returns a configured margin or floor in points: ``5``, ``12.5``."""
    return points(fraction).removesuffix(".0")


def in_points(fraction: float) -> str:
    """Returns a margin with its unit: ``1 point``, ``4.5 points``."""
    shown = limit(fraction)
    return f"{shown} point{'' if shown == '1' else 's'}"


def change(fraction: float | None) -> str:
    """Returns a difference of scores as signed points: ``+4.0``, ``−33.3``, ``±0.0``."""
    if fraction is None:
        return NONE
    value = _round(fraction * 100, 1)
    return "±0.0" if not value else _typographic(f"{value:+}")


def _round(value: float | Decimal, digits: int) -> Decimal:
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return rounded or abs(rounded)


def interval(bounds: Interval | None) -> str:
    """Returns the interval of a change in points: ``+0.9 … +7.1``, or ``≤ −2.0`` if one side has no bound."""
    low, high = (None, None) if bounds is None else (bounds.low, bounds.high)
    if low is None or high is None:
        if high is not None:
            return f"≤ {change(high)}"
        return "no interval" if low is None else f"≥ {change(low)}"
    return f"{change(low)} … {change(high)}"


def usd(amount: Decimal | None) -> str:
    """Returns dollars: with cents from a dollar, with two significant digits below, so that small amounts don't look
    like 0."""
    if amount is None:
        return NONE
    if abs(amount) < Decimal("1e-6"):
        return "$0.00"
    digits = 2 if abs(amount) >= 1 else max(2, 1 - amount.adjusted())
    return f"{'−' if amount < 0 else ''}${_round(abs(amount), digits):,}"


def share(fraction: float | None) -> str:
    """Returns a signed share: ``+89%``, ``−2%``; one decimal below ten percent."""
    if fraction is None:
        return NONE
    value = _percent(fraction)
    return "±0%" if not value else _typographic(f"{value:+,f}%")


def percent(fraction: float | None) -> str:
    """Returns a share without a plus: ``4.5%``, ``20%``."""
    return NONE if fraction is None else _typographic(f"{_percent(fraction):,f}%")


def _percent(fraction: float) -> Decimal:
    return _round(fraction * 100, 1 if abs(fraction) < 0.0995 else 0).normalize()


def cases(effect: Effect) -> str:
    """Returns the number of cases of an effect: ``40``, or ``130 of 208`` if not all of them ran."""
    compared = effect.cases if effect.compared is None else effect.compared
    return f"{effect.cases:,}" if compared == effect.cases else f"{compared:,} of {effect.cases:,}"


def count(number: float) -> str:
    """Returns a count with separated thousands. Halves of several labels keep one decimal."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def signed(number: float) -> str:
    """Returns a signed count: ``+5``, ``−2``."""
    return _typographic(f"+{count(number)}" if number > 0 else count(number))


def tokens(number: float) -> str:
    """Returns a signed count of tokens: ``+412``; one decimal below ten."""
    value = _round(number, 1 if abs(number) < 9.95 else 0).normalize()
    return "±0" if not value else _typographic(f"{value:+,f}")


def plural(number: int, one: str, many: str | None = None) -> str:
    """Returns a count with its noun: ``1 case``, ``5 cases``, ``2 classes``."""
    ending = "es" if one.endswith("s") else "s"
    return f"{number:,} {one if number == 1 else many or one + ending}"


def seconds(amount: float | None) -> str:
    """Returns a duration: ``610 ms``, ``4.2 s``, ``48 s``, ``3 min 20 s``."""
    if amount is None:
        return NONE
    if amount < 0.9995:
        return f"{amount * 1000:.0f} ms"
    if amount < 10:
        return f"{amount:.1f} s"
    whole = round(amount)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"


def arrow(before: str, after: str) -> str:
    """Returns ``before → after``."""
    return f"{before} → {after}"


_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Returns one bar for each value, scaled to their range. Equal values get bars of half the height."""
    low, high = min(values), max(values)
    if low == high:
        return _LEVELS[3] * len(values)
    return "".join(_LEVELS[round((value - low) / (high - low) * (len(_LEVELS) - 1))] for value in values)
