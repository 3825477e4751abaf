"""The sentences of the gate's reasons: what a product manager would say, made from the data."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.scorecard import Effect, Interval


def points(value: float, *, signed: bool = False) -> str:
    """A fraction in points (0-100), to one decimal where it says something: 0.05 → «5», −0.333 → «−33.3»."""
    shown = f"{abs(value) * 100:.1f}".removesuffix(".0")
    sign = "" if shown == "0" else "−" if value < 0 else "+" if signed else ""
    return f"{sign}{shown}"


def count(number: int, noun: str) -> str:
    """«1 case», «4 cases»."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def subject(name: str | None, metric: str | None = None) -> str:
    """What a hypothesis is about: «the overall score», «slice `edge`», «`date` in slice `edge`»."""
    if name is None:
        return f"`{metric}`" if metric else "the overall score"
    place = f"class `{name.removeprefix('class ')}`" if name.startswith("class ") else f"slice `{name}`"
    return f"`{metric}` in {place}" if metric else place


def interval(bounds: Interval | None) -> str:
    """«−58 … −10»; an open side is left open."""
    if bounds is None or (bounds.low is None and bounds.high is None):
        return "unknown"
    low = "?" if bounds.low is None else points(bounds.low, signed=True)
    high = "?" if bounds.high is None else points(bounds.high, signed=True)
    return f"{low} … {high}"


def drop(effect: Effect, metric: str | None) -> str:
    """Blocked: a mean fell beyond chance."""
    levels = _levels(effect)
    return (
        f"{subject(effect.slice, metric)} fell{levels} ({points(effect.change or 0.0, signed=True)}, "
        f"interval {interval(effect.interval)}): {effect.worse} of {count(effect.cases, 'case')} got worse, "
        f"{effect.better} better"
    )


def estimated_drop(effect: Effect, metric: str | None) -> str:
    """Suspicious: the estimate is beyond the margin, but chance is not ruled out."""
    return (
        f"{subject(effect.slice, metric)} seems to have fallen by {points(-(effect.change or 0.0))} points, "
        f"which is not within its margin of {points(effect.margin or 0.0)}; "
        f"{count(effect.cases, 'case')} can't tell that from chance"
    )


def underpowered(effect: Effect, metric: str | None) -> str:
    """Inconclusive: the margin can't be certified."""
    more = f"; {effect.more_cases:,} more would" if effect.more_cases else ""
    return (
        f"{count(effect.cases, 'case')} can't tell a {points(effect.margin or 0.0)}-point drop of "
        f"{subject(effect.slice, metric)} from chance{more}"
    )


def no_drop(effect: Effect, metric: str | None) -> str:
    """Approved: what was ruled out."""
    return f"no drop of {subject(effect.slice, metric)} over {points(effect.margin or 0.0)} points"


def missing_cells(missing: Sequence[int], asked: Sequence[int]) -> str:
    """Error: too many calls gave nothing. By arm: baseline, candidate."""
    return (
        f"{missing[0]:,} of {asked[0]:,} baseline calls and {missing[1]:,} of {asked[1]:,} candidate calls "
        "gave no answer; nothing was decided"
    )


def cost_rise(increase: float, limit: float) -> str:
    """Blocked: the cost rose beyond its limit."""
    return f"cost rose by {increase:.0%} per case (limit {limit:.0%})"


def cost_uncertain(increase: float | None, limit: float) -> str:
    """Inconclusive: the bounds of the cost enclose the limit."""
    change = "" if increase is None else f" (estimated {increase:+.0%})".replace("-", "−")
    return f"the cost per case{change} can't be told from its limit of {limit:+.0%}"


def no_cases(name: str | None) -> str:
    """Nothing to judge."""
    if name is None:
        return "the test set has no cases: nothing was measured"
    return f"{subject(name)} is named in the gate's configuration but has no cases"


def identical() -> str:
    """Approved: both arms send the same requests."""
    return "both versions send exactly the same requests, so nothing can have changed"


def _levels(effect: Effect) -> str:
    if effect.baseline is None or effect.candidate is None:
        return ""
    return f" from {points(effect.baseline)} to {points(effect.candidate)}"
