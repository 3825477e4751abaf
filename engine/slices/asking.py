"""Asks a model about the cases that rules and neighbors leave open, and about labeled cases to measure it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.runner.calls import Calls
from engine.runner.experiment import Endpoint
from engine.runner.retry import HOPELESS
from engine.slices.question import NONE, examples_of, held_out, read_slice, slice_names, slice_request
from engine.slices.suggestions import FreeSources, Source, model_source
from evaluators.judging import ask_judge
from schemas.errors import BudgetExceeded, ProviderError
from schemas.outcomes import Completion, CompletionError, ErrorKind
from schemas.prompts import Request
from schemas.testsets import TestCase

MOST_MEASURED = 30
"""Labeled cases that are asked about to measure the model."""


@dataclass(frozen=True)
class Questions:
    """What to ask a model: one request for each case."""

    cases: tuple[TestCase, ...]
    """Cases without a slice, then labeled ones that are no examples."""
    requests: tuple[Request, ...]
    names: tuple[str, ...]
    measured: tuple[TestCase, ...]
    """The labeled ones."""


@dataclass(frozen=True)
class Asked:
    """What a model said."""

    source: Source
    unread: tuple[str, ...]
    """Ids of cases without a readable answer."""
    stopped: BudgetExceeded | ProviderError | None
    """Why not all of the questions were asked."""


def questions(free: FreeSources, endpoint: Endpoint) -> Questions:
    """Returns the questions about the open cases. None are needed if no case is open."""
    examples, names = examples_of(free.labeled), slice_names(free.labeled)
    shown = {case.id for case in examples}
    rest = [case for case in free.open_labeled if case.id not in shown]
    measured = held_out(rest, MOST_MEASURED) if free.open else ()
    cases = (*free.open, *measured)
    requests = tuple(slice_request(endpoint.model, case, names, examples) for case in cases)
    return Questions(cases, requests, names, measured)


async def asked(
    wanted: Questions, calls: Calls, endpoint: Endpoint, on_answered: Callable[[], None] = lambda: None
) -> Asked:
    """Asks all questions. After an error that every call would meet, the answers so far count."""
    stops: list[BudgetExceeded | ProviderError] = []

    async def ask(request: Request, repetition: int) -> Completion | CompletionError:
        try:
            answer, _ = await calls.grade(request, repetition, endpoint)
        except (BudgetExceeded, ProviderError) as stop:
            stops.append(stop)
            calls.end(stop)
            return CompletionError(kind=ErrorKind.CANCELLED, message=stop.what, attempts=0)
        if not isinstance(answer, CompletionError):
            return answer.completion
        if answer.kind in HOPELESS:
            stops.append(ProviderError(f"{endpoint.model.model}: {answer.message}", hint="check its key and its name"))
            calls.end(stops[-1])
        return answer

    async def one(case: TestCase, request: Request) -> tuple[str, tuple[str, str] | None]:
        reading = await ask_judge(request, ask, lambda text: read_slice(text, wanted.names), call=0)
        on_answered()
        return case.id, reading.value

    found = dict(await asyncio.gather(*map(one, wanted.cases, wanted.requests)))
    replies = {name: reply for name, reply in found.items() if reply is not None}
    unread = tuple(name for name in found if name not in replies)
    return Asked(model_source(replies, wanted.measured, NONE), unread, stops[0] if stops else None)
