"""Brings the two answers together that a judge compares: those of both arms to one case, of the same repetition."""

from __future__ import annotations

from schemas.outcomes import Arm, Outcome


class Pairs:
    """Holds the outcomes of a batch until those of the other arm are there."""

    def __init__(self) -> None:
        self._baselines: dict[tuple[int, int], Outcome] = {}
        self._candidates: dict[tuple[int, int], tuple[int, Outcome]] = {}

    def add(self, at: int, outcome: Outcome) -> list[tuple[int, Outcome, Outcome]]:
        """Adds an outcome. Returns the pair that it completes, if any: the candidate's place in the batch, the
        baseline's outcome and the candidate's."""
        key = (outcome.cell.case, outcome.cell.repetition)
        if outcome.cell.arm is Arm.BASELINE:
            self._baselines[key] = outcome
        else:
            self._candidates[key] = (at, outcome)
        if key not in self._baselines or key not in self._candidates:
            return []
        place, candidate = self._candidates.pop(key)
        return [(place, self._baselines.pop(key), candidate)]

    def left(self) -> list[tuple[int, Outcome]]:
        """Ends the batch. Returns the candidate's outcomes without a baseline's, with their places."""
        waiting = list(self._candidates.values())
        self._candidates.clear()
        self._baselines.clear()
        return waiting
