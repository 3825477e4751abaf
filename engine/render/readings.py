"""What the layouts share: which cases are shown where, how an effect reads in words, what moved between classes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import JsonValue

from engine.render import figures
from engine.render.signs import READING_WORDS
from schemas.config import SlicePolicy
from schemas.scorecard import CaseEffect, Confusion, Effect, LineageCard


@dataclass(frozen=True)
class CaseGroups:
    """The cases of a lineage by how they read, the largest change first."""

    worse: tuple[CaseEffect, ...]
    better: tuple[CaseEffect, ...]
    flaky: tuple[CaseEffect, ...]
    missing: tuple[CaseEffect, ...]
    same: tuple[CaseEffect, ...]


def case_groups(card: LineageCard) -> CaseGroups:
    """Protected cases first, then by the size of the change, then in the test set's order."""
    by_reading: dict[str, list[CaseEffect]] = {}
    for case in card.cases:
        by_reading.setdefault(case.reading, []).append(case)

    def group(reading: str) -> tuple[CaseEffect, ...]:
        return tuple(sorted(by_reading.get(reading, []), key=lambda c: (not c.protected, -abs(c.change or 0.0))))

    return CaseGroups(group("regressed"), group("improved"), group("flaky"), group("missing"), group("same"))


def unusual_answers(card: LineageCard, groups: CaseGroups) -> list[str]:
    """A sentence for each kind of case that is neither better, worse nor the same, and for each unusual finish."""
    said = []
    if groups.flaky:
        said.append(f"{figures.plural(len(groups.flaky), 'case')} moved without being confirmed (flaky).")
    if groups.missing:
        said.append(f"{figures.plural(len(groups.missing), 'case')} could not be measured in both arms.")
    for name, (before, after) in sorted(card.finishes.items()):
        if before or after:
            said.append(f"{name.capitalize()} answers: {before:,} → {after:,}.")
    return said


def effect_reading(effect: Effect) -> str:
    """An effect in words: ``no drop over 5 points``, ``can't tell: 90 more cases would``, ``worse · contract``."""
    words = READING_WORDS[effect.reading]
    if effect.reading == "same" and effect.margin is not None:
        words = f"no drop over {figures.points(effect.margin).removesuffix('.0')} points"
    elif effect.reading == "cant_tell" and effect.more_cases is not None:
        words = f"{words}: {figures.plural(effect.more_cases, 'more case')} would"
    return words if effect.policy is SlicePolicy.POPULATION else f"{words} · {effect.policy.value}"


def expected_text(expected: JsonValue) -> str:
    """What a case expects, as text: a label as it is, anything else as compact JSON."""
    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)


@dataclass(frozen=True)
class LabelMove:
    """One cell of the confusion matrix that changed."""

    expected: str
    said: str
    before: str
    after: str
    size: float


def label_moves(confusion: Confusion) -> list[LabelMove]:
    """The cells that changed, the largest change first."""
    moves = [
        LabelMove(label, column, figures.count(before), figures.count(after), abs(after - before))
        for label, was, now in zip(confusion.labels, confusion.baseline, confusion.candidate, strict=True)
        for column, before, after in zip(confusion.columns, was, now, strict=True)
        if before != after
    ]
    return sorted(moves, key=lambda move: (-move.size, move.expected, move.said))
