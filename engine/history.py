"""What earlier runs say about the baseline, for planning only: it never enters a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from pydantic import JsonValue

from engine.gate.design import History
from engine.plan import Plan
from schemas.outcomes import Arm, Completion, CompletionError, ErrorKind, Score, StoredCompletion
from schemas.ports import OutcomeStore
from schemas.prompts import Request

SHARED_REPETITIONS = 100
"""Repetitions below this may be used by a comparison again, so current ones are not history."""


async def history_of(plan: Plan, store: OutcomeStore, *, now: datetime, max_age: timedelta) -> History | None:
    """The snapshot of history that this content was first planned with, taken now when it is new; ``None``: none.

    The snapshot is kept in the store under the content digest, so that the same content gives the same plan, the same
    order and the same verdict. Raises StoreError.
    """
    kept = await store.plan(plan.digest)
    if kept is None:
        kept = await store.keep_plan(plan.digest, await _snapshot(plan, store, now=now, max_age=max_age))
    return _read(kept, len(plan.cases), len(plan.evaluator.metrics))


async def _snapshot(plan: Plan, store: OutcomeStore, *, now: datetime, max_age: timedelta) -> JsonValue:
    baseline = plan.arms.get(Arm.BASELINE)
    if baseline is None:
        return None
    wanted = {
        request.digest for request, same in zip(baseline.requests, plan.identical, strict=True) if request and not same
    }
    rows = await store.history(sorted(wanted))
    old = {digest: [row for row in of if not _current(row, now, max_age)] for digest, of in rows.items()}
    if not any(old.values()):
        return None
    cases: dict[str, JsonValue] = {}
    for index, request in enumerate(baseline.requests):
        runs = old.get(request.digest, []) if request else []
        if runs:
            scores = [await _scores(plan, index, row.completion, row.repetition) for row in runs]
            cases[str(index)] = [[None if np.isnan(value) else value for value in run] for run in scores]
    return {"scores": cases}


def _current(row: StoredCompletion, now: datetime, max_age: timedelta) -> bool:
    written = datetime.fromisoformat(row.created_at)
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return row.repetition < SHARED_REPETITIONS and now - written <= max_age


async def _scores(plan: Plan, case: int, completion: Completion, repetition: int) -> list[float]:
    if completion.finish.scores_zero:
        return [0.0] * len(plan.evaluator.metrics)
    found = await plan.evaluator.score(plan.cases[case], completion, ask=_no_judge, repetition=repetition)
    return [score.value if isinstance(score, Score) else float("nan") for score in found]


async def _no_judge(_request: Request, _repetition: int) -> Completion | CompletionError:
    return CompletionError(kind=ErrorKind.CANCELLED, message="history is scored without asking a judge", attempts=0)


def _read(kept: JsonValue, cases: int, metrics: int) -> History | None:
    found = kept.get("scores") if isinstance(kept, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    runs = np.zeros(cases, dtype=np.int64)
    means, variances = np.full((cases, metrics), np.nan), np.full((cases, metrics), np.nan)
    lowest = np.full(cases, np.nan)
    for key, value in found.items():
        table = _table(value, metrics)
        if table is None or not 0 <= int(key) < cases:
            continue
        index = int(key)
        runs[index] = len(table)
        for column in range(metrics):
            known = table[~np.isnan(table[:, column]), column]
            if len(known):
                means[index, column] = known.mean()
            if len(known) > 1:
                variances[index, column] = known.var(ddof=1)
        first = table[~np.isnan(table[:, 0]), 0]
        lowest[index] = first.min() if len(first) else np.nan
    return History(runs=runs, means=means, variances=variances, lowest=lowest)


def _table(value: JsonValue, metrics: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    return np.array(
        [[np.nan if cell is None else cell for cell in row] for row in value if isinstance(row, Sequence)],
        dtype=np.float64,
    ).reshape(-1, metrics)
