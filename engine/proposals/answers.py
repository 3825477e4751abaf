"""Answers of which it is known whether they are good: graded by people, or stored and scored by the lineage's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.planning.plan import Plan
from engine.runner.experiment import DRAW
from evaluators.calibration import labeled_case
from evaluators.text import answer_text
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, Score, StoredCompletion
from schemas.ports import OutcomeStore
from schemas.prompts import Request
from schemas.rubrics import LabeledAnswer
from schemas.testsets import TestCase

BAD, GOOD = 2, 4
"""An answer fails if a person gave one of its dimensions at most ``BAD``. It passes if all have at least ``GOOD``."""
FAILS = 0.5
"""A stored answer with a lower overall score fails."""
MOST_OF_CASE = 5
"""Stored answers of one case that are read."""


@dataclass(frozen=True)
class JudgedAnswer:
    """An answer, and whether it is bad."""

    case: TestCase
    text: str
    fails: bool
    by_person: bool = False


def labeled(answers: Iterable[LabeledAnswer]) -> list[JudgedAnswer]:
    """Returns the answers that people graded clearly good or bad."""
    found = []
    for one in answers:
        lowest = min(one.grades.values())
        if lowest <= BAD or lowest >= GOOD:
            found.append(JudgedAnswer(labeled_case(one), one.output, lowest <= BAD, by_person=True))
    return found


async def stored(plan: Plan, store: OutcomeStore) -> list[JudgedAnswer]:
    """Returns the stored answers to the prompt as it is, scored as a run scores them. Makes no call.

    Answers without a score are left out: a judge's grade may not be stored. So are answers that ended early, which no
    check says anything about.
    """
    arm = plan.arms[Arm.CANDIDATE]
    digests = [request.digest for request in arm.requests if request is not None]
    history = await store.history(list(dict.fromkeys(digests)))

    async def ask(request: Request, repetition: int) -> Completion | CompletionError:
        rows = await store.get([(request.digest, repetition)])
        if row := rows.get((request.digest, repetition)):
            return row.completion
        return CompletionError(kind=ErrorKind.CANCELLED, message="no stored grade", attempts=0)

    found = []
    for index, (case, request) in enumerate(zip(plan.cases, arm.requests, strict=True)):
        for row in _newest(history.get(request.digest, ()) if request else (), arm.stored_as(index, 0)):
            overall, *_ = await plan.evaluator.score(case, row.completion, ask=ask, repetition=0)
            text = answer_text(row.completion)
            if isinstance(overall, Score) and not row.completion.finish.scores_zero and text.strip():
                found.append(JudgedAnswer(case, text, overall.value < FAILS))
    return found


def _newest(rows: Sequence[StoredCompletion], first: int) -> list[StoredCompletion]:
    """Returns the newest row of each repetition of one draw, which starts at the repetition ``first``."""
    newest: Mapping[int, StoredCompletion] = {row.repetition: row for row in rows if 0 <= row.repetition - first < DRAW}
    return [newest[repetition] for repetition in sorted(newest)][:MOST_OF_CASE]
