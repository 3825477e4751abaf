"""Compares a judge's grades with people's. A judge decides only if it is known to agree with them.

Agreement is Cohen's kappa with quadratic weights (Cohen 1968, Psychological Bulletin 70): 1 is perfect, 0 is chance.
Written with moments, which also work for the half grades of averaged calls: κ = 1 − Σ(j − p)² / (Σj² + Σp² − 2 Σj Σp /
n). A judge is calibrated if three conditions hold on every dimension, with at least 30 answers. κ is at least 0.6
("substantial", Landis & Koch 1977). The one-sided 95% lower bound of κ (jackknife) is at least 0.4. And 90% of the
grades are within one of the person's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

from evaluators.generation import BEST, WORST, RubricJudge
from schemas.outcomes import EvaluatorFailure, Score
from schemas.ports import Ask
from schemas.rubrics import LabelledAnswer
from schemas.testsets import TestCase
from schemas.values import Value

MIN_PAIRS = 30
MIN_KAPPA = 0.6
MIN_KAPPA_BOUND = 0.4
MIN_WITHIN_ONE = 0.9
MAX_MISSING = 0.02
Z_95 = 1.6448536269514722


class Agreement(Value):
    """Agreement of a judge and people on one dimension. ``None``: there is too little data."""

    pairs: int
    exact: float | None
    """Share of grades equal to the person's, or half a grade away if the two calls differ."""
    within_one: float | None
    kappa: float | None
    """``None`` also if judge and people give everything the same grade, which may be chance."""
    kappa_bound: float | None
    """One-sided 95% lower bound."""

    @property
    def sufficient(self) -> bool:
        """Whether the judge may gate on this dimension."""
        return (
            self.pairs >= MIN_PAIRS
            and self.kappa is not None
            and self.kappa >= MIN_KAPPA
            and self.kappa_bound is not None
            and self.kappa_bound >= MIN_KAPPA_BOUND
            and self.within_one is not None
            and self.within_one >= MIN_WITHIN_ONE
        )


class Calibration(Value):
    """The agreement of a judge with people, by dimension."""

    dimensions: dict[str, Agreement]
    missing: int = 0
    """Number of answers without grades by the judge."""
    problem: str = ""
    """Why the first of them has no grades."""

    @property
    def calibrated(self) -> bool:
        """Whether the judge's metrics may gate: it agrees on every dimension and rarely fails to grade."""
        most = max((agreement.pairs for agreement in self.dimensions.values()), default=0)
        # One failure is allowed in any sample: a single lost call says nothing about the judge.
        graded = self.missing <= max(1, MAX_MISSING * (most + self.missing))
        return bool(self.dimensions) and graded and all(one.sufficient for one in self.dimensions.values())

    @property
    def agreement(self) -> float | None:
        """Share of all grades on which the judge agrees with people (``Agreement.exact``), for display."""
        graded = [(one.exact, one.pairs) for one in self.dimensions.values() if one.exact is not None]
        pairs = sum(count for _, count in graded)
        return sum(exact * count for exact, count in graded) / pairs if pairs else None


def agreement(judge: Sequence[float], people: Sequence[float]) -> Agreement:
    """Returns the agreement of paired grades from 1 to 5. Raises ValueError for sequences of different lengths."""
    pairs = list(zip(judge, people, strict=True))
    if not pairs:
        return Agreement(pairs=0, exact=None, within_one=None, kappa=None, kappa_bound=None)
    apart = [abs(one - other) for one, other in pairs]
    kappa = weighted_kappa(judge, people)
    return Agreement(
        pairs=len(pairs),
        exact=sum(distance <= 0.5 for distance in apart) / len(pairs),
        within_one=sum(distance <= 1 for distance in apart) / len(pairs),
        kappa=kappa,
        kappa_bound=_lower_bound(kappa, pairs),
    )


def weighted_kappa(judge: Sequence[float], people: Sequence[float]) -> float | None:
    """Returns Cohen's kappa with quadratic weights, or ``None`` if there are no grades or all are equal."""
    pairs = list(zip(judge, people, strict=True))
    return _kappa(_moments(pairs)) if pairs else None


def _terms(judge: float, person: float) -> tuple[float, ...]:
    """Returns the contribution of one pair to n, Σj, Σp, Σj², Σp² and Σ(j − p)²."""
    return (1.0, judge, person, judge * judge, person * person, (judge - person) ** 2)


def _moments(pairs: Sequence[tuple[float, float]]) -> list[float]:
    return [sum(column) for column in zip(*(_terms(*pair) for pair in pairs), strict=True)]


def _kappa(moments: Sequence[float]) -> float | None:
    n, sum_j, sum_p, squares_j, squares_p, apart = moments
    by_chance = squares_j + squares_p - 2 * sum_j * sum_p / n
    return 1 - apart / by_chance if by_chance > 1e-9 else None


def _lower_bound(kappa: float | None, pairs: Sequence[tuple[float, float]]) -> float | None:
    """Returns κ − 1.645 · standard error, with the standard error by leaving out one pair at a time."""
    n = len(pairs)
    if kappa is None or n < 2:
        return None
    whole = _moments(pairs)
    without = []
    for pair in pairs:
        # From sums of moments, so leaving out one pair takes a few operations and not a pass over all.
        left = _kappa([total - part for total, part in zip(whole, _terms(*pair), strict=True)])
        if left is None:
            return None
        without.append(left)
    mean = sum(without) / n
    variance = (n - 1) / n * sum((value - mean) ** 2 for value in without)
    return kappa - Z_95 * math.sqrt(variance)


async def calibrate(judge: RubricJudge, answers: Sequence[LabelledAnswer], ask: Ask) -> Calibration:
    """Lets ``judge`` grade the sample answers as in a run, and compares with the people's grades.

    All answers are graded at once; ``ask`` limits the calls in flight. Its exceptions come in an ExceptionGroup.
    """
    cases = [TestCase(id=answer.id, inputs=answer.inputs, expected=answer.expected) for answer in answers]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(judge.score(case, answer.output, ask))
            for case, answer in zip(cases, answers, strict=True)
        ]
    given: dict[str, list[tuple[float, float]]] = {}
    missing, problem = 0, ""
    for answer, scores in zip(answers, (task.result() for task in tasks), strict=True):
        failed = next((score for score in scores if isinstance(score, EvaluatorFailure)), None)
        missing += failed is not None
        problem = problem or (failed.message if failed else "")
        for score in scores:
            if isinstance(score, Score) and score.metric in answer.grades:
                # Scores go back to the scale on which people graded.
                grade = WORST + score.value * (BEST - WORST)
                given.setdefault(score.metric, []).append((grade, answer.grades[score.metric]))
    return Calibration(dimensions=_by_dimension(judge, given), missing=missing, problem=problem)


def _by_dimension(judge: RubricJudge, given: Mapping[str, Sequence[tuple[float, float]]]) -> dict[str, Agreement]:
    names = [spec.name for spec in judge.metrics if spec.kind == "dimension"]
    return {name: agreement([j for j, _ in given.get(name, ())], [p for _, p in given.get(name, ())]) for name in names}
