"""Draws answers for people to grade: those that the prompt's versions give to the test cases, in random order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.planning.plan import Plan
from engine.runner.calls import Calls
from engine.runner.experiment import Endpoint
from evaluators.json_answers import encodable
from evaluators.text import answer_text
from schemas.errors import BudgetExceeded, ProviderError, UsageError
from schemas.outcomes import Arm, Completion, CompletionError, StoredCompletion
from schemas.ports import CallKey
from schemas.prompts import Request
from schemas.rubrics import SampleAnswer
from schemas.testsets import TestCase
from schemas.values import digest_of

DIGITS = 12
"""Hexadecimal digits of an answer's id, which tells nothing about its version."""


@dataclass(frozen=True)
class Draw:
    """One answer that may be graded: a case's request to one version of the prompt."""

    case: TestCase
    request: Request
    repetition: int
    endpoint: Endpoint

    @property
    def key(self) -> CallKey:
        """The key under which a check stores the same answer."""
        return self.request.digest, self.repetition

    def sample(self, completion: Completion) -> SampleAnswer | None:
        """Returns the answer as people and the judge see it; ``None`` if there is nothing to grade."""
        output = str(encodable(answer_text(completion)))
        if completion.finish.scores_zero or not output.strip():
            return None
        # The id is of the content: the same answer is graded once, whichever version gave it.
        name = digest_of([self.case.inputs, self.case.expected, output])[:DIGITS]
        return SampleAnswer(id=f"a-{name}", inputs=self.case.inputs, expected=self.case.expected, output=output)


@dataclass(frozen=True)
class Samples:
    """The answers to grade, in their order, and how many could not be had."""

    answers: tuple[SampleAnswer, ...]
    failed: int = 0
    stopped: BudgetExceeded | ProviderError | None = None
    """Why no more calls were made."""


def drawn(plans: Sequence[Plan], seed: int, *, together: bool = False) -> list[Draw]:
    """Returns the answers of all versions in random order, each request once. The same ``seed`` gives the same order.

    ``together``: the versions' answers to one case follow each other, so that they can be compared. Raises UsageError
    for an agent.
    """
    if any(plan.max_steps is not None for plan in plans):
        what = "an agent's answer is the end of a conversation, which can't be sampled"
        raise UsageError(what, hint="write graded answers to the file of judge.labels yourself")
    found: dict[CallKey, Draw] = {}
    for plan in plans:
        arm = plan.arms[Arm.CANDIDATE]
        for index, (case, request) in enumerate(zip(plan.cases, arm.requests, strict=True)):
            if request is not None:
                draw = Draw(case, request, arm.stored_as(index, 0), arm.endpoint)
                found.setdefault(draw.key, draw)
    cases = {draw.key: draw.case.id if together else "" for draw in found.values()}
    return sorted(found.values(), key=lambda draw: (digest_of([seed, cases[draw.key]]), digest_of([seed, *draw.key])))


async def chosen(
    draws: Sequence[Draw], calls: Calls, number: int, graded: frozenset[str]
) -> tuple[list[Draw], Mapping[CallKey, SampleAnswer]]:
    """Returns the first ``number`` draws whose answers have none of the ids ``graded``, and the stored answers."""
    rows = await calls.stored([draw.key for draw in draws])
    known = {draw.key: draw.sample(rows[draw.key].completion) for draw in draws if draw.key in rows}
    taken: dict[object, Draw] = {}
    for draw in draws:
        sample = known.get(draw.key)
        if draw.key in known and (sample is None or sample.id in graded):
            continue
        taken.setdefault(sample.id if sample else draw.key, draw)
    return list(taken.values())[:number], {key: sample for key, sample in known.items() if sample is not None}


async def sampled(
    draws: Sequence[Draw],
    stored: Mapping[CallKey, SampleAnswer],
    calls: Calls,
    on_answered: Callable[[], None] = lambda: None,
) -> Samples:
    """Returns the answers of ``draws``; makes the calls of those that are not ``stored``, and reports each.

    If the budget or the provider ends, the answers that there are can be graded all the same.
    """

    async def answered(draw: Draw) -> StoredCompletion | CompletionError:
        answer, _ = await calls.answer(draw.request, draw.repetition, draw.endpoint)
        on_answered()
        return answer

    missing = [draw for draw in draws if draw.key not in stored]
    asked = await asyncio.gather(*map(answered, missing), return_exceptions=True)
    found: dict[CallKey, SampleAnswer] = dict(stored)
    stopped, failed = None, 0
    for draw, result in zip(missing, asked, strict=True):
        if isinstance(result, BudgetExceeded | ProviderError):
            stopped = stopped or result
        elif isinstance(result, BaseException):
            raise result
        elif isinstance(result, CompletionError) or (sample := draw.sample(result.completion)) is None:
            failed += 1
        else:
            found[draw.key] = sample
    answers = {found[draw.key].id: found[draw.key] for draw in draws if draw.key in found}
    return Samples(tuple(answers.values()), failed, stopped)
