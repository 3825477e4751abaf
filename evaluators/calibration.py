"""Compares a judge's grades with people's. A judge decides only if it is known to agree with them.

The conditions are those of ``schemas.calibration.Condition``, on every dimension; ``evaluators.agreement`` measures
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from evaluators.agreement import agreement
from evaluators.generation import BEST, WORST, RubricJudge
from schemas.calibration import Agreement, Calibration
from schemas.outcomes import EvaluatorFailure, Score
from schemas.ports import Ask
from schemas.rubrics import LabelledAnswer
from schemas.testsets import TestCase

Given = Mapping[str, Sequence[tuple[float, float, str]]]
"""By dimension: the judge's grade, the person's, and the id of the answer."""


def labelled_case(answer: LabelledAnswer) -> TestCase:
    """Returns the case that a judge sees with a sample answer."""
    return TestCase(id=answer.id, inputs=answer.inputs, expected=answer.expected)


async def calibrate(
    judge: RubricJudge, answers: Sequence[LabelledAnswer], ask: Ask, on_graded: Callable[[], None] | None = None
) -> Calibration:
    """Lets ``judge`` grade the sample answers as in a run, and compares with the people's grades.

    All answers are graded at once; ``ask`` limits the calls in flight. Its exceptions come in an ExceptionGroup.
    ``on_graded`` is called after each answer.
    """

    async def graded(answer: LabelledAnswer) -> tuple[Score | EvaluatorFailure, ...]:
        scores = await judge.score(labelled_case(answer), answer.output, ask)
        if on_graded is not None:
            on_graded()
        return scores

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(graded(answer)) for answer in answers]
    given: dict[str, list[tuple[float, float, str]]] = {}
    missing, problem = 0, ""
    for answer, scores in zip(answers, (task.result() for task in tasks), strict=True):
        failed = next((score for score in scores if isinstance(score, EvaluatorFailure)), None)
        missing += failed is not None
        problem = problem or (": ".join(filter(None, (failed.message, failed.hint))) if failed else "")
        for score in scores:
            if isinstance(score, Score) and score.metric in answer.grades:
                # Scores go back to the scale on which people graded.
                grade = WORST + score.value * (BEST - WORST)
                given.setdefault(score.metric, []).append((grade, answer.grades[score.metric], answer.id))
    return Calibration(dimensions=_by_dimension(judge, given), missing=missing, problem=problem)


def _by_dimension(judge: RubricJudge, given: Given) -> dict[str, Agreement]:
    names = [spec.name for spec in judge.metrics if spec.kind == "dimension"]
    columns = {name: list(zip(*given[name], strict=True)) if name in given else [(), (), ()] for name in names}
    return {name: agreement(*of) for name, of in columns.items()}
