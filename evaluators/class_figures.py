"""Figures over all classes: macro and micro F1, kappa, cost, deferrals and calibration of stated confidence.

Every case has the same weight, and an answer without a label counts: it agrees with nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evaluators.label_rules import LabelRules
from schemas.effects import ClassEffect, ClassFigure, Confusion

Z = 1.959963984540054
"""The normal quantile of a two-sided 95% interval."""
BINS = 10
"""Bins of equal width for the calibration error."""
Confidences = Sequence[tuple[float, float]]
"""Stated confidences, each with the score of its answer."""


def wilson(hits: float, total: float) -> tuple[float, float] | None:
    """Returns the 95% interval of a share of ``total`` cases (Wilson 1927); ``None`` without cases."""
    if total <= 0:
        return None
    share, spread = min(1.0, hits / total), Z * Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def f1_interval(hits: float, union: float) -> tuple[float, float] | None:
    """Returns the 95% interval of an F1. ``union`` counts the cases that have the class, or got it.

    F1 is 2J / (1 + J), where J is the share of the union that is right, so the interval of J carries over.
    """
    found = wilson(hits, union)
    return None if found is None else (2 * found[0] / (1 + found[0]), 2 * found[1] / (1 + found[1]))


def class_figures(
    rules: LabelRules,
    classes: Sequence[ClassEffect],
    counts: tuple[npt.NDArray[np.float64], ...],
    confusion: Confusion | None,
    confidences: tuple[Confidences, Confidences],
) -> tuple[ClassFigure, ...]:
    """Returns the figures that are defined in either arm.

    ``counts`` are the sums over cases of right, expected, given (baseline) and of right, expected, given (candidate)
    labels, by class.
    """
    found = list(_f1(classes, counts))
    if confusion is not None:
        was, now = np.array(confusion.baseline), np.array(confusion.candidate)
        steps = len(rules.labels) if rules.ordinal else 0
        name = "weighted kappa" if rules.ordinal else "kappa"
        found.append((name, kappa(was, quadratic=steps), kappa(now, quadratic=steps)))
        if rules.costs:
            found.append(("mean cost", _mean_cost(rules, was), _mean_cost(rules, now)))
        if rules.defer:
            found.append(("deferred", _deferred(rules, was), _deferred(rules, now)))
    found.append(("calibration error", calibration_error(confidences[0]), calibration_error(confidences[1])))
    return tuple(
        ClassFigure(name=name, baseline=before, candidate=after)
        for name, before, after in found
        if before is not None or after is not None
    )


def _f1(
    classes: Sequence[ClassEffect], counts: tuple[npt.NDArray[np.float64], ...]
) -> Iterator[tuple[str, float | None, float | None]]:
    arms = [[one.baseline_f1 for one in classes], [one.candidate_f1 for one in classes]]
    # A class that is neither expected nor said has no F1, and is left out.
    macro = [_mean([value for value in arm if value is not None]) for arm in arms]
    micro = [_ratio(2 * counts[at].sum(), counts[at + 1].sum() + counts[at + 2].sum()) for at in (0, 3)]
    yield "macro F1", macro[0], macro[1]
    yield "micro F1", micro[0], micro[1]


def kappa(table: npt.NDArray[np.float64], *, quadratic: int = 0) -> float | None:
    """Returns Cohen's kappa of a confusion matrix whose last column is "no label"; ``None`` if chance alone agrees.

    ``quadratic`` is the number of ordinal labels: a mistake then weighs the square of its distance (Cohen 1968). A
    deferral or no label weighs as much as the farthest label.
    """
    rows, columns = table.shape
    square = np.zeros((columns, columns))
    square[:rows] = table
    total = square.sum()
    if not total:
        return None
    steps = np.arange(columns)
    weights = 1.0 - np.eye(columns)
    if quadratic > 1:
        ordered = (steps[:, None] < quadratic) & (steps[None, :] < quadratic)
        weights = np.where(ordered, ((steps[:, None] - steps[None, :]) / (quadratic - 1)) ** 2, weights)
    expected = np.outer(square.sum(axis=1), square.sum(axis=0)) / total
    chance = float((weights * expected).sum())
    return 1 - float((weights * square).sum()) / chance if chance > 0 else None


def calibration_error(confidences: Confidences) -> float | None:
    """Returns the expected calibration error (Naeini et al. 2015): the mean distance of confidence and score by bin."""
    if not confidences:
        return None
    stated, scores = np.array(confidences, dtype=float).T
    bins = np.minimum((stated * BINS).astype(int), BINS - 1)
    gaps = [abs(float((stated[bins == place] - scores[bins == place]).sum())) for place in set(bins.tolist())]
    return min(1.0, sum(gaps) / len(confidences))


def _mean_cost(rules: LabelRules, table: npt.NDArray[np.float64]) -> float | None:
    names = (*rules.names, None)
    costs = np.array([[rules.cost(expected, given) for given in names] for expected in rules.names])
    return _ratio(float((costs * table).sum()), float(table.sum()))


def _deferred(rules: LabelRules, table: npt.NDArray[np.float64]) -> float | None:
    return _ratio(float(table[:, len(rules.labels) : -1].sum()), float(table.sum()))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
