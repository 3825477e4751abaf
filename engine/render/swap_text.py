"""Says in sentences what a new model does differently."""

from __future__ import annotations

from engine.render import figures
from schemas.scorecard import AnswerProfile, ModelSwap

NOTEWORTHY = 0.05
"""Share of the answers from which a difference is mentioned."""
LONGER = 0.1
"""Share by which the median length must change to be mentioned."""
MOST = 3
"""Most formats and most labels that are mentioned."""


def swap_sentences(swap: ModelSwap) -> list[str]:
    """Returns a sentence for each difference of format, length, refusals and labels, or one that there is none."""
    before, after = swap.baseline, swap.candidate
    said = [*_formats(before, after), *_length(before, after), *_refusals(before, after), *_labels(before, after)]
    return said or ["Format, length, refusals and labels of the answers are as before."]


def _formats(before: AnswerProfile, after: AnswerProfile) -> list[str]:
    moved = _moves(before.formats, after.formats, after.answers)
    return [f"Format: {'; '.join(f'{name} {counts}' for name, counts in moved)}."] if moved else []


def _length(before: AnswerProfile, after: AnswerProfile) -> list[str]:
    if before.words is None or after.words is None or abs(after.words - before.words) <= LONGER * before.words:
        return []
    return [f"Length: median {figures.arrow(figures.count(before.words), figures.count(after.words))} words."]


def _refusals(before: AnswerProfile, after: AnswerProfile) -> list[str]:
    if before.refusals == after.refusals:
        return []
    return [f"Refusals: {_counts(before.refusals, after.refusals, after.answers)}."]


def _labels(before: AnswerProfile, after: AnswerProfile) -> list[str]:
    moved = _moves(before.labels, after.labels, after.answers)
    return [f"Labels: {'; '.join(f'`{name}` {counts}' for name, counts in moved)}."] if moved else []


def _moves(before: dict[str, int], after: dict[str, int], of: int) -> list[tuple[str, str]]:
    """Returns the names whose share of the answers changed, the largest change first, each with its counts."""
    moved = {name: abs(after.get(name, 0) - before.get(name, 0)) for name in dict.fromkeys([*before, *after])}
    names = [name for name, change in moved.items() if change >= max(1, NOTEWORTHY * of)]
    names.sort(key=lambda name: (-moved[name], name))
    return [(name, _counts(before.get(name, 0), after.get(name, 0), of)) for name in names[:MOST]]


def _counts(was: int, now: int, of: int) -> str:
    """Returns ``3 → 12 of 40``: both models answered the same cases."""
    return f"{was:,} → {now:,} of {of:,}"
