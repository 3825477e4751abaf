"""Precision, recall and F1 by class, and the confusion matrix, of both arms.

Every case has the same weight: an answer counts 1 / repetitions. Only cases with answers in both arms count, so both
arms are compared on the same cases. Where a division is impossible, the value is ``None``, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.class_figures import Confidences, class_figures, f1_interval, wilson
from evaluators.classification import METRIC, Classification
from evaluators.label_forms import stated_confidence
from evaluators.label_rules import LabelRules
from evaluators.text import answer_text
from schemas.effects import ClassEffect, ClassFigure, Confusion
from schemas.outcomes import Arm, Completion, Outcome, Score
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
    precision_interval: tuple[float, float] | None
    recall_interval: tuple[float, float] | None
    f1_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ClassificationReport:
    """What happened class by class, and over all classes. All empty if no case has answers in both arms."""

    classes: tuple[ClassEffect, ...] = ()
    confusion: Confusion | None = None
    """``None`` for several labels per case."""
    figures: tuple[ClassFigure, ...] = ()


def classification_report(
    cases: Sequence[TestCase], outcomes: Sequence[Outcome], rules: LabelRules, *, compared: Container[int]
) -> ClassificationReport:
    """Returns the report on a lineage's outcomes.

    ``cases`` are those that the cells refer to. ``compared`` holds the indices of the cases that the scores use.
    """
    part = Classification(rules)
    said: dict[tuple[int, Arm], list[str | None]] = {}
    sure: dict[Arm, list[tuple[float, float]]] = {arm: [] for arm in Arm}
    for outcome in outcomes:
        position, arm = outcome.cell.case, outcome.cell.arm
        for score in outcome.scores:
            if isinstance(score, Score) and score.metric == METRIC:
                said.setdefault((position, arm), []).append(score.answer)
                answered = score.answer is not None and position in compared
                if not answered or not isinstance(outcome.result, Completion):
                    continue
                stated = stated_confidence(answer_text(outcome.result))
                if stated is not None:
                    sure[arm].append((stated, score.value))
    answers = [
        CaseAnswers(
            expected=part.expected_labels(case.expected),
            baseline=tuple(said.get((position, Arm.BASELINE), ())),
            candidate=tuple(said.get((position, Arm.CANDIDATE), ())),
        )
        for position, case in enumerate(cases)
        if case.expected is not None and position in compared
    ]
    return report_by_class(rules, answers, confidences=(sure[Arm.BASELINE], sure[Arm.CANDIDATE]))


def report_by_class(
    rules: LabelRules, cases: Sequence[CaseAnswers], *, confidences: tuple[Confidences, Confidences] = ((), ())
) -> ClassificationReport:
    """Returns one ClassEffect for each label and deferral, in order, the confusion matrix, and the figures.

    With several labels per case, each class is counted against the rest, and there is no matrix.
    """
    labels, several = rules.names, rules.several
    paired = [case for case in cases if _comparable(case, several=several)]
    if not paired:
        return ClassificationReport()
    expected = np.array([[label in case.expected for label in labels] for case in paired], dtype=float)
    expected = expected.reshape(len(paired), len(labels))
    arms = [
        _given(labels, said, several=several)
        for said in ([case.baseline for case in paired], [case.candidate for case in paired])
    ]
    effects = _effects(labels, expected, arms)
    counts = [sums for given in arms for sums in _counts(expected, given[:, :-1])]
    confusion = None
    if not several:
        baseline_counts, candidate_counts = (_rows(expected.T @ given) for given in arms)
        confusion = Confusion(
            labels=labels, columns=(*labels, NO_LABEL), baseline=baseline_counts, candidate=candidate_counts
        )
    figures = class_figures(rules, effects, tuple(counts), confusion, confidences)
    return ClassificationReport(effects, confusion, figures)


def _comparable(case: CaseAnswers, *, several: bool) -> bool:
    return bool((several or case.expected) and case.baseline and case.candidate)


def _effects(labels: Sequence[str], expected: Counts, arms: Sequence[Counts]) -> tuple[ClassEffect, ...]:
    by_class = [_classes(expected, given[:, :-1]) for given in arms]
    return tuple(
        ClassEffect(
            label=label,
            cases=int(expected[:, position].sum()),
            baseline_precision=baseline.precision,
            baseline_recall=baseline.recall,
            baseline_f1=baseline.f1,
            candidate_precision=candidate.precision,
            candidate_recall=candidate.recall,
            candidate_f1=candidate.f1,
            candidate_precision_interval=candidate.precision_interval,
            candidate_recall_interval=candidate.recall_interval,
            candidate_f1_interval=candidate.f1_interval,
        )
        for position, (label, baseline, candidate) in enumerate(zip(labels, *by_class, strict=True))
    )


def _given(labels: Sequence[str], answers: Sequence[tuple[str | None, ...]], *, several: bool) -> Counts:
    """Returns cases × (labels and "no label"): the share of a case's answers that name the label."""
    column = {label: position for position, label in enumerate(labels)}
    # The longest first: a label may begin with another one and a comma.
    names = re.compile("|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True)))
    shares = np.zeros((len(answers), len(labels) + 1))
    for row, case in enumerate(answers):
        for answer in case:
            named = [answer] if answer is None or not several else names.findall(answer)
            for name in named:
                shares[row, column.get(name, -1) if name is not None else -1] += 1 / len(case)
    return shares


def _classes(expected: Counts, given: Counts) -> list[_Class]:
    right, wanted, said = _counts(expected, given)
    return [
        _Class(
            _ratio(hit, named),
            _ratio(hit, true),
            _ratio(2 * hit, true + named),
            wilson(hit, named),
            wilson(hit, true),
            f1_interval(hit, true + named - hit),
        )
        for hit, true, named in zip(right.tolist(), wanted.tolist(), said.tolist(), strict=True)
    ]


def _counts(expected: Counts, given: Counts) -> tuple[Counts, Counts, Counts]:
    """Returns the right, the expected and the given labels by class."""
    return (expected * given).sum(axis=0), expected.sum(axis=0), given.sum(axis=0)


def _ratio(part: float, whole: float) -> float | None:
    return min(1.0, part / whole) if whole > 0 else None


def _rows(counts: Counts) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(count, 9) for count in row) for row in counts.tolist())
