"""Chooses the two answers of a case that tell its change best."""

from __future__ import annotations

from itertools import product

from schemas.effects import Answer, CaseEffect

MOST = 25
"""Most distinct answers of an arm that are considered. They come in order of frequency."""


def answer_pair(case: CaseEffect) -> tuple[Answer | None, Answer | None]:
    """Returns the answers of baseline and candidate that differ most; ``None`` for an arm without answers."""
    return most_different(case.baseline, case.candidate, case.change)


def most_different(
    baseline: tuple[Answer, ...], candidate: tuple[Answer, ...], change: float | None
) -> tuple[Answer | None, Answer | None]:
    """Returns the pair whose scores differ most in the direction of ``change``, of equal ones the most frequent.

    Without a direction, the largest difference of either sign counts.
    """
    if not baseline or not candidate:
        return next(iter(baseline), None), next(iter(candidate), None)

    def telling(pair: tuple[Answer, Answer]) -> tuple[float, bool, int]:
        before, after = pair
        moved = (after.score or 0.0) - (before.score or 0.0)
        along = moved if change and change > 0 else -moved if change else abs(moved)
        return along, before.text != after.text, before.count + after.count

    return max(product(baseline[:MOST], candidate[:MOST]), key=telling)
