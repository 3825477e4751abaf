"""Collects what the bot's pages show of each case beyond the scorecard: whole inputs and answers, grades, reasons."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from engine.runner.outcome_log import by_case
from evaluators.text import output_text
from evaluators.trajectory import in_lines
from schemas.case_texts import CaseTexts, Grade, GradedAnswer
from schemas.outcomes import Arm, CompletionError, EvaluatorFailure, Outcome, Score

if TYPE_CHECKING:
    from engine.planning.plan import Plan
    from schemas.testsets import TestCase

TEXT = 20_000
"""Most characters of one input and of one answer."""
REASON = 2_000
MOST_INPUTS, MOST_ANSWERS, MOST_GRADES = 20, 5, 40
"""Most inputs of a case, answers of an arm, and grades of an answer."""


def case_texts(plan: Plan, outcomes: Iterable[Outcome]) -> Iterator[CaseTexts]:
    """Yields the texts of each case that ran, in the test set's order. ``outcomes`` are ordered by case."""
    for case, ran in zip(plan.cases, by_case(outcomes, len(plan.cases)), strict=True):
        if ran:
            yield _texts(case, ran)


def _texts(case: TestCase, outcomes: list[Outcome]) -> CaseTexts:
    ordered = sorted(outcomes, key=lambda one: one.cell.repetition)
    kept = [one for arm in Arm for one in [each for each in ordered if each.cell.arm is arm][:MOST_ANSWERS]]
    return CaseTexts(
        id=case.id,
        inputs=tuple((name, _plain(value)) for name, value in list(case.inputs.items())[:MOST_INPUTS]),
        answers=tuple(_answer(one) for one in kept),
        omitted=len(outcomes) - len(kept),
    )


def _plain(value: object) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), TEXT)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _answer(outcome: Outcome) -> GradedAnswer:
    grades = tuple(_grade(score) for score in outcome.scores[:MOST_GRADES])
    if isinstance(outcome.result, CompletionError):
        return GradedAnswer(arm=outcome.cell.arm, text="", trouble=f"no answer: {outcome.result.kind}", grades=grades)
    finish = outcome.result.finish
    trouble = finish.value if finish.scores_zero else ""
    conversation = outcome.result.trajectory
    text = _cut(output_text(outcome.result) if conversation is None else in_lines(conversation.steps), TEXT)
    return GradedAnswer(arm=outcome.cell.arm, text=text, trouble=trouble, grades=grades)


def _grade(score: Score | EvaluatorFailure) -> Grade:
    if isinstance(score, EvaluatorFailure):
        return Grade(metric=score.metric, value=None, reason=_cut(score.message, REASON))
    answer = None if score.answer is None else _cut(score.answer, REASON)
    return Grade(metric=score.metric, value=score.value, answer=answer, reason=_cut(score.reason, REASON))
