"""Precision, recall and F1 by class, and the confusion matrix, of both arms.

Every case has the same weight: an answer counts 1 / repetitions. Only cases with answers in both arms count, so both
arms are compared on the same cases. Where a division is impossible, the value is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.classification import METRIC, Classification
from schemas.effects import ClassEffect, Confusion
from schemas.outcomes import Arm, Outcome, Score
from schemas.testsets import TestCase

NO_LABEL = "no label"

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CaseAnswers:
    """``Score.answer`` of every scored repetition of one case. ``None``: no label was recognized."""

    expected: frozenset[str]
    """The result of ``Classification.expected_labels``."""
    baseline: tuple[str | None, ...]
    candidate: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class _Class:
    precision: float | None
    recall: float | None
    f1: float | None


def classification_report(
    cases: Sequence[TestCase],
    outcomes: Sequence[Outcome],
    labels: Sequence[str],
    *,
    compared: Container[int],
    several: bool = False,
) -> tuple[tuple[ClassEffect, ...], Confusion | None]:
    """Returns the report on a lineage's outcomes, like ``report_by_class``.

    ``cases`` are those that the cells refer to. ``compared`` holds the indices of the cases that the scores use.
    """
    part = Classification(labels, several=several)
    said: dict[tuple[int, Arm], list[str | None]] = {}
    for outcome in outcomes:
        for score in outcome.scores:
            if isinstance(score, Score) and score.metric == METRIC:
                said.setdefault((outcome.cell.case, outcome.cell.arm), []).append(score.answer)
    answers = [
        CaseAnswers(
            expected=part.expected_labels(case.expected),
            baseline=tuple(said.get((position, Arm.BASELINE), ())),
            candidate=tuple(said.get((position, Arm.CANDIDATE), ())),
        )
        for position, case in enumerate(cases)
        if case.expected is not None and position in compared
    ]
    return report_by_class(labels, answers, several=several)


def report_by_class(
    labels: Sequence[str], cases: Sequence[CaseAnswers], *, several: bool = False
) -> tuple[tuple[ClassEffect, ...], Confusion | None]:
    """Returns one ClassEffect for each label, in order, and the confusion matrix. Empty if no case has answers in both
    arms.

    With ``several`` labels per case, each class is counted against the rest, and the matrix is ``None``.
    """
    paired = [case for case in cases if (several or case.expected) and case.baseline and case.candidate]
    if not paired:
        return (), None
    expected = np.array([[label in case.expected for label in labels] for case in paired], dtype=float)
    expected = expected.reshape(len(paired), len(labels))
    arms = [
        _given(labels, [getattr(case, arm) for case in paired], several=several) for arm in ("baseline", "candidate")
    ]
    by_class = [_classes(expected, given[:, :-1]) for given in arms]
    effects = tuple(
        ClassEffect(
            label=label,
            cases=int(expected[:, position].sum()),
            baseline_precision=baseline.precision,
            baseline_recall=baseline.recall,
            baseline_f1=baseline.f1,
            candidate_precision=candidate.precision,
            candidate_recall=candidate.recall,
            candidate_f1=candidate.f1,
        )
        for position, (label, baseline, candidate) in enumerate(zip(labels, *by_class, strict=True))
    )
    if several:
        return effects, None
    baseline_counts, candidate_counts = (_rows(expected.T @ given) for given in arms)
    columns = (*labels, NO_LABEL)
    return effects, Confusion(
        labels=tuple(labels), columns=columns, baseline=baseline_counts, candidate=candidate_counts
    )


def _given(labels: Sequence[str], answers: Sequence[tuple[str | None, ...]], *, several: bool) -> Counts:
    """Returns cases × (labels and "no label"): the share of a case's answers that name the label."""
    column = {label: position for position, label in enumerate(labels)}
    shares = np.zeros((len(answers), len(labels) + 1))
    for row, case in enumerate(answers):
        for answer in case:
            named = [answer] if answer is None or not several else [name for name in answer.split(", ") if name]
            for name in named:
                shares[row, column.get(name, -1) if name is not None else -1] += 1 / len(case)
    return shares


def _classes(expected: Counts, given: Counts) -> list[_Class]:
    right = (expected * given).sum(axis=0)
    wanted = expected.sum(axis=0)
    said = given.sum(axis=0)
    return [
        _Class(_ratio(hit, named), _ratio(hit, true), _ratio(2 * hit, true + named))
        for hit, true, named in zip(right.tolist(), wanted.tolist(), said.tolist(), strict=True)
    ]


def _ratio(part: float, whole: float) -> float | None:
    return min(1.0, part / whole) if whole > 0 else None


def _rows(counts: Counts) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(count, 9) for count in row) for row in counts.tolist())
