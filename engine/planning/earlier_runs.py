"""History of the baseline from earlier runs. It is used for planning only and never enters a difference."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue, TypeAdapter, ValidationError

from engine.planning.plan import Plan
from engine.runner.calls import SKEW
from engine.runner.experiment import DRAW
from schemas.experiments import CaseHistory
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, Score, StoredCompletion
from schemas.ports import OutcomeStore
from schemas.prompts import Request

SHARED_REPETITIONS = 100
"""Repetitions below this may be part of the current comparison, so recent ones are not history."""
_ROWS = TypeAdapter(tuple[CaseHistory, ...] | None)


async def history_of(
    plan: Plan, store: OutcomeStore, *, now: datetime, max_age: timedelta
) -> tuple[CaseHistory, ...] | None:
    """Returns the history by case with which this content was first planned, or ``None`` without any.

    The snapshot is stored under the content digest, so that the same content gives the same plan, order and verdict. An
    unreadable snapshot counts as none. Raises StoreError.
    """
    kept = await store.plan(plan.digest)
    if kept is None:
        taken = {"history": await _snapshot(plan, store, now=now, max_age=max_age)}
        # Another process may have stored its snapshot first. Both then plan with that one.
        kept = await store.keep_plan(plan.digest, taken)
    try:
        return _ROWS.validate_python(kept.get("history") if isinstance(kept, dict) else None)
    except ValidationError:
        return None


async def _snapshot(plan: Plan, store: OutcomeStore, *, now: datetime, max_age: timedelta) -> JsonValue:
    baseline = plan.arms.get(Arm.BASELINE)
    # A stored answer of an agent is one step. Its score is that of the whole conversation.
    if baseline is None or plan.max_steps is not None:
        return None
    requests = [
        None if request is None or same else request.digest
        for request, same in zip(baseline.requests, plan.identical, strict=True)
    ]
    rows = await store.history(sorted({digest for digest in requests if digest}))
    old = {digest: [row for row in of if not _current(row, now, max_age)] for digest, of in rows.items()}
    if not any(old.values()):
        return None
    histories = [
        await _case(plan, index, old.get(digest, []) if digest else []) for index, digest in enumerate(requests)
    ]
    return [history.model_dump(mode="json") for history in histories]


def _current(row: StoredCompletion, now: datetime, max_age: timedelta) -> bool:
    age = now - datetime.fromisoformat(row.created_at)
    # Answers that this comparison itself may reuse would count twice: as history and as data.
    return row.repetition % DRAW < SHARED_REPETITIONS and -SKEW <= age <= max_age


async def _case(plan: Plan, index: int, rows: Sequence[StoredCompletion]) -> CaseHistory:
    if not rows:
        return CaseHistory(runs=0)
    runs = [await _scores(plan, index, row.completion, row.repetition) for row in rows]
    by_metric = [[value for value in column if value is not None] for column in zip(*runs, strict=True)]
    return CaseHistory(
        runs=len(runs),
        means=tuple(statistics.fmean(known) if known else None for known in by_metric),
        variances=tuple(statistics.variance(known) if len(known) > 1 else None for known in by_metric),
    )


async def _scores(plan: Plan, case: int, completion: Completion, repetition: int) -> list[float | None]:
    # Scored as in a run, so that history and data are comparable.
    if completion.finish.scores_zero:
        return [0.0] * len(plan.evaluator.metrics)
    found = await plan.evaluator.score(plan.cases[case], completion, ask=_no_judge, repetition=repetition)
    return [score.value if isinstance(score, Score) else None for score in found]


async def _no_judge(_request: Request, _repetition: int) -> Completion | CompletionError:
    return CompletionError(kind=ErrorKind.CANCELLED, message="history is scored without asking a judge", attempts=0)
