"""Measures how far a judge's grades agree with a person's.

Agreement is Cohen's kappa with quadratic weights (Cohen 1968, Psychological Bulletin 70): 1 is perfect, 0 is chance.
Written with moments, which also work for the half grades of averaged calls: κ = 1 − Σ(j − p)² / (Σj² + Σp² − 2 Σj Σp /
n). Its standard error is the jackknife's. Kappa is blind to how a judge errs, so three other figures stand beside it:
Spearman's rank correlation and Kendall's tau-b, which ignore the level of the grades, and the bias, which is the level.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from schemas.calibration import (
    GRADES,
    MAX_BIAS,
    MIN_KAPPA,
    MIN_KAPPA_BOUND,
    MIN_PAIRS,
    MIN_WITHIN_ONE,
    Agreement,
    Apart,
    Condition,
    Interval,
)

FAR = 2
"""Grades between judge and person that are named as a disagreement."""
NAMED = 3
Z_ONE_SIDED = NormalDist().inv_cdf(0.95)
Z_TWO_SIDED = NormalDist().inv_cdf(0.975)

Pairs = Sequence[tuple[float, float]]


def agreement(
    judge: Sequence[float], people: Sequence[float], ids: Sequence[str] = (), *, compared: bool = False
) -> Agreement:
    """Returns the agreement of paired grades from 1 to 5. ``ids`` name the answers. ``compared``: the grades are those
    of ``preference_grade``.

    Raises ValueError for sequences of different lengths.
    """
    pairs = list(zip(judge, people, strict=True))
    if not pairs:
        return Agreement(pairs=0, compared=compared, unmet=(Condition.ANSWERS,))
    apart = [abs(one - other) for one, other in pairs]
    kappa, error = weighted_kappa(judge, people), _standard_error(pairs)
    certain = None if kappa is None or error is None else (kappa, error)
    bias, bias_interval = _bias(pairs)
    found = Agreement(
        pairs=len(pairs),
        compared=compared,
        exact=sum(distance <= 0.5 for distance in apart) / len(pairs),
        within_one=sum(distance <= 1 for distance in apart) / len(pairs),
        kappa=kappa,
        kappa_interval=certain and _around(*certain),
        kappa_bound=certain and certain[0] - Z_ONE_SIDED * certain[1],
        spearman=spearman(judge, people),
        kendall=kendall(judge, people),
        bias=bias,
        bias_interval=bias_interval,
        confusion=_confusion(pairs),
        apart=_furthest(pairs, ids) if ids else (),
        unmet=(),
    )
    return found.model_copy(update={"unmet": tuple(_unmet(found))})


def preference_grade(preference: float) -> float:
    """Returns a preference from 0 to 1 as a grade: 2 (worse), 3 (as good) or 4 (better).

    Kappa doesn't depend on the scale. On this one, opposite preferences are more than a grade apart, and a tie is
    within one of both.
    """
    return 2 + 2 * preference


def _unmet(found: Agreement) -> Iterator[Condition]:
    """Yields the conditions that keep the judge from gating. What is unknown is not met."""
    if found.pairs < MIN_PAIRS:
        yield Condition.ANSWERS
    if found.kappa is None or found.kappa < MIN_KAPPA:
        yield Condition.KAPPA
    if found.kappa_bound is None or found.kappa_bound < MIN_KAPPA_BOUND:
        yield Condition.KAPPA_BOUND
    if found.within_one is None or found.within_one < MIN_WITHIN_ONE:
        yield Condition.WITHIN_ONE
    if found.bias is not None and abs(found.bias) > MAX_BIAS + 1e-9:
        low, high = found.bias_interval or (-math.inf, math.inf)
        # A handful of wild grades may move the mean that far by chance. That is no bias, and kappa shows it.
        if not low <= 0 <= high:
            yield Condition.BIAS


def weighted_kappa(judge: Sequence[float], people: Sequence[float]) -> float | None:
    """Returns Cohen's kappa with quadratic weights, or ``None`` if there are no grades or all are equal."""
    pairs = list(zip(judge, people, strict=True))
    return _kappa(_moments(pairs)) if pairs else None


def spearman(judge: Sequence[float], people: Sequence[float]) -> float | None:
    """Returns Spearman's rank correlation, with mean ranks for ties; ``None`` if one side gives one grade only."""
    first, second = (_ranks(np.asarray(side, dtype=float)) for side in (judge, people))
    if not np.ptp(first) or not np.ptp(second):
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))


def kendall(judge: Sequence[float], people: Sequence[float]) -> float | None:
    """Returns Kendall's tau-b (Kendall 1945, Biometrika 33); ``None`` if one side gives one grade only."""
    # Grades repeat, so the distinct pairs with their counts are few, however many answers there are.
    distinct, counts = np.unique(np.array([judge, people], dtype=float), axis=1, return_counts=True)
    weights = np.outer(counts, counts)
    first, second = (np.sign(side[:, None] - side[None, :]) for side in distinct)
    untied = float((weights * first**2).sum()) * float((weights * second**2).sum())
    return float((weights * first * second).sum()) / math.sqrt(untied) if untied else None


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(mean_ranks[place], dtype=np.float64)


def _terms(judge: float, person: float) -> tuple[float, ...]:
    """Returns the contribution of one pair to n, Σj, Σp, Σj², Σp² and Σ(j − p)²."""
    return (1.0, judge, person, judge * judge, person * person, (judge - person) ** 2)


def _moments(pairs: Pairs) -> list[float]:
    return [sum(column) for column in zip(*(_terms(*pair) for pair in pairs), strict=True)]


def _kappa(moments: Sequence[float]) -> float | None:
    n, sum_j, sum_p, squares_j, squares_p, apart = moments
    by_chance = squares_j + squares_p - 2 * sum_j * sum_p / n
    return 1 - apart / by_chance if by_chance > 1e-9 else None


def _standard_error(pairs: Pairs) -> float | None:
    """Returns the standard error of kappa by leaving out one pair at a time; ``None`` if kappa hangs on one pair."""
    n = len(pairs)
    if n < 2:
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
    return math.sqrt((n - 1) / n * sum((value - mean) ** 2 for value in without))


def _around(kappa: float, error: float) -> Interval:
    return max(-1.0, kappa - Z_TWO_SIDED * error), min(1.0, kappa + Z_TWO_SIDED * error)


def _bias(pairs: Pairs) -> tuple[float, Interval | None]:
    """Returns the mean of judge − person with its normal interval, which needs two answers."""
    apart = [one - other for one, other in pairs]
    n, bias = len(apart), sum(apart) / len(apart)
    if n < 2:
        return bias, None
    error = math.sqrt(sum((one - bias) ** 2 for one in apart) / (n - 1) / n)
    return bias, (bias - Z_TWO_SIDED * error, bias + Z_TWO_SIDED * error)


def _confusion(pairs: Pairs) -> tuple[tuple[float, ...], ...]:
    table = [[0.0] * len(GRADES) for _ in GRADES]
    for judge, person in pairs:
        for column in (math.floor(judge), math.ceil(judge)):
            table[int(person) - GRADES[0]][column - GRADES[0]] += 0.5
    return tuple(map(tuple, table))


def _furthest(pairs: Pairs, ids: Sequence[str]) -> tuple[Apart, ...]:
    named = [Apart(id=name, judge=one, person=other) for name, (one, other) in zip(ids, pairs, strict=True)]
    far = [each for each in named if abs(each.judge - each.person) >= FAR]
    return tuple(sorted(far, key=lambda each: -abs(each.judge - each.person))[:NAMED])
