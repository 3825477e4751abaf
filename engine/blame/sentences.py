"""Says in words what a search found."""

from __future__ import annotations

from collections.abc import Sequence

from engine.blame.search import Found
from engine.readers.bounded import shown
from schemas.blame import Culprit, Elsewhere, Unit, UnitKind

QUOTED = 60
"""Most characters of a unit's text in a sentence."""


def name_of(unit: Unit) -> str:
    """Returns a unit as people name it: its lines, or else its text."""
    if unit.lines is not None and unit.kind not in (UnitKind.PARAMETER, UnitKind.MODEL):
        first, last = unit.lines
        lines = f"line {first}" if first == last else f"lines {first}–{last}"
        removed = "the text removed at " if not unit.after.strip() else ""
        return f"{removed}{lines} of `{shown(unit.file or '')}`"
    if unit.kind is UnitKind.MODEL:
        return f"the model ({shown(unit.before)} → {shown(unit.after)})"
    if unit.kind is UnitKind.PARAMETER:
        return f"{shown(unit.name)} ({shown(unit.before, QUOTED)} → {shown(unit.after, QUOTED)})"
    if unit.kind is UnitKind.TEMPLATE:
        return "the template language and its text"
    what = "messages" if unit.kind is UnitKind.MESSAGES else "text"
    if unit.after.strip():
        return f"the {what} “{shown(' '.join(unit.after.split()), QUOTED)}”"
    return f"the removed {what} “{shown(' '.join(unit.before.split()), QUOTED)}”"


def named(units: Sequence[Unit], found: Found, elsewhere: Elsewhere | None) -> str:
    """Returns the sentence about the culprits."""
    if found.either:
        names = " or ".join(_together(units, culprit) for culprit in found.culprits)
        fewest = min(found.culprits, key=lambda culprit: culprit.back)
        text = f"They break the cases only together: reverting {names} brings back {_count(fewest)}"
    else:
        text = "; ".join(_one(units, culprit, later=bool(n)) for n, culprit in enumerate(found.culprits))
    return f"{text[0].upper()}{text[1:]}{_kept(elsewhere)}."


def _one(units: Sequence[Unit], culprit: Culprit, *, later: bool) -> str:
    count = f"{culprit.back} of the other {_cases(culprit.of)}" if later else _count(culprit)
    text = f"reverting {_together(units, culprit)} brings back {count}"
    if not culprit.alone:
        return text
    alone = " and ".join(str(back) for back in culprit.alone)
    return f"no single change is guilty: {text} (each alone: {alone})"


def _together(units: Sequence[Unit], culprit: Culprit) -> str:
    names = [name_of(units[unit]) for unit in culprit.units]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} together"


def _count(culprit: Culprit) -> str:
    return f"{culprit.back} of {_cases(culprit.of)}"


def _cases(count: int) -> str:
    return "1 broken case" if count == 1 else f"{count} broken cases"


def _kept(elsewhere: Elsewhere | None) -> str:
    if elsewhere is None:
        return ""
    points = 100 * (elsewhere.reverted - elsewhere.baseline)
    against = f"the other cases score {100 * elsewhere.reverted:.1f} ({points:+.1f} against the baseline)"
    if not elsewhere.keeps:
        return f", but {against}; with the change they score {100 * elsewhere.candidate:.1f}"
    gain = elsewhere.candidate > elsewhere.baseline and points > 0
    return f" and keeps the gain elsewhere: {against}" if gain else f", and {against}"
