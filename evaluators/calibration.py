"""Compares a judge's grades with people's. A judge decides only if it is known to agree with them.

The conditions are those of ``schemas.calibration.Condition``, on every dimension; ``evaluators.agreement`` measures
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence

from evaluators.agreement import agreement, preference_grade
from evaluators.generation import BEST, WORST, RubricJudge
from evaluators.pairwise import LOSS, TIE, WIN, PairwiseJudge
from schemas.calibration import Calibration
from schemas.outcomes import EvaluatorFailure, Score, Scores
from schemas.ports import Ask
from schemas.rubrics import LabeledAnswer
from schemas.testsets import TestCase
from schemas.values import digest_of

Given = dict[str, list[tuple[float, float, str]]]
"""By dimension: the judge's grade, the person's, and the id of the answer or of the pair."""


def labeled_case(answer: LabeledAnswer) -> TestCase:
    """Returns the case that a judge sees with a sample answer."""
    return TestCase(id=answer.id, inputs=answer.inputs, expected=answer.expected)


async def calibrate(
    judge: RubricJudge, answers: Sequence[LabeledAnswer], ask: Ask, on_graded: Callable[[], None] | None = None
) -> Calibration:
    """Lets ``judge`` grade the sample answers as in a run, and compares with the people's grades.

    All answers are graded at once; ``ask`` limits the calls in flight. Its exceptions come in an ExceptionGroup.
    ``on_graded`` is called after each answer.
    """

    async def graded(answer: LabeledAnswer) -> Scores:
        scores = await judge.score(labeled_case(answer), answer.output, ask)
        if on_graded is not None:
            on_graded()
        return scores

    scores = await _all(graded(answer) for answer in answers)
    given: Given = {}
    for answer, of in zip(answers, scores, strict=True):
        for score in of:
            if isinstance(score, Score) and score.metric in answer.grades:
                # Scores go back to the scale on which people graded.
                grade = WORST + score.value * (BEST - WORST)
                given.setdefault(score.metric, []).append((grade, answer.grades[score.metric], answer.id))
    return _calibration(judge, given, scores, compared=False)


async def calibrate_pairs(
    judge: PairwiseJudge,
    pairs: Sequence[tuple[LabeledAnswer, LabeledAnswer]],
    ask: Ask,
    on_graded: Callable[[], None] | None = None,
) -> Calibration:
    """Lets ``judge`` compare the answers of each pair as in a run, and compares with people's preferences.

    Everything else is as in ``calibrate``.
    """

    async def compared(one: LabeledAnswer, other: LabeledAnswer) -> Scores:
        scores = await judge.compare(labeled_case(one), one.output, other.output, ask)
        if on_graded is not None:
            on_graded()
        return scores

    scores = await _all(compared(*pair) for pair in pairs)
    given: Given = {}
    for (one, other), of in zip(pairs, scores, strict=True):
        for score in of:
            if isinstance(score, Score) and score.metric in one.grades and score.metric in other.grades:
                before, after = one.grades[score.metric], other.grades[score.metric]
                people = WIN if after > before else LOSS if after < before else TIE
                grades = preference_grade(score.value), preference_grade(people)
                given.setdefault(score.metric, []).append((*grades, f"{other.id} beside {one.id}"))
    return _calibration(judge, given, scores, compared=True)


def pairs_of(answers: Sequence[LabeledAnswer]) -> list[tuple[LabeledAnswer, LabeledAnswer]]:
    """Returns pairs of different answers to the same task, each answer in at most one pair.

    Pairs that share an answer would depend on each other. The order follows from the answers' content, so it tells
    nothing about their grades or versions.
    """
    by_task: dict[str, list[LabeledAnswer]] = {}
    for answer in sorted(answers, key=lambda one: digest_of([one.id, one.output])):
        by_task.setdefault(digest_of([answer.inputs, answer.expected]), []).append(answer)
    found = []
    for group in by_task.values():
        while len(group) > 1:
            one = group.pop(0)
            other = next((each for each in group if each.output != one.output), None)
            if other is not None:
                group.remove(other)
                found.append((one, other))
    return found


async def _all(waiting: Iterable[Coroutine[object, object, Scores]]) -> list[Scores]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in waiting]
    return [task.result() for task in tasks]


def _calibration(
    judge: RubricJudge | PairwiseJudge, given: Given, scores: Sequence[Scores], *, compared: bool
) -> Calibration:
    failures = [next((one for one in of if isinstance(one, EvaluatorFailure)), None) for of in scores]
    failed = [failure for failure in failures if failure is not None]
    problem = ": ".join(filter(None, (failed[0].message, failed[0].hint))) if failed else ""
    names = [spec.name for spec in judge.metrics[1:]]
    columns = {name: list(zip(*given[name], strict=True)) if name in given else [(), (), ()] for name in names}
    found = {name: agreement(*of, compared=compared) for name, of in columns.items()}
    return Calibration(dimensions=found, missing=len(failed), problem=problem)
