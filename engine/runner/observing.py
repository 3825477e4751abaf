"""Turns outcomes into the arrays that the gate observes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.gate.cells import Observations
from schemas.outcomes import CompletionError, Outcome, Score


def unanswered(size: int, metrics: int) -> Observations:
    """Returns the observations of a batch before any answer. A crash between two steps can't turn into a score."""
    return Observations(
        scores=np.full((size, metrics), np.nan),
        missing=np.ones(size, dtype=np.bool_),
        forbidden=np.zeros(size, dtype=np.bool_),
        input_tokens=np.full(size, np.nan),
        output_tokens=np.full(size, np.nan),
        cost_usd=np.full(size, np.nan),
        latency_s=np.full(size, np.nan),
        made_at=np.full(size, np.nan),
    )


def fill(seen: Observations, at: int, outcome: Outcome, metrics: Sequence[str], *, free: bool) -> None:
    """Writes an outcome into row ``at``; a failed call changes nothing. ``free``: the model costs nothing."""
    if isinstance(outcome.result, CompletionError):
        return
    values = {score.metric: score.value for score in outcome.scores if isinstance(score, Score)}
    seen.scores[at] = [values.get(name, np.nan) for name in metrics]
    seen.missing[at] = False
    seen.forbidden[at] = outcome.forbidden
    # Usage stays unknown for answers without it: 0 tokens would look like a saving.
    if (usage := outcome.result.usage) is not None:
        seen.input_tokens[at], seen.output_tokens[at] = usage.input, usage.output
    # Without usage, the cost is only an upper bound, which must not enter the comparison. A free model costs nothing
    # in any case.
    if usage is not None or free:
        seen.cost_usd[at] = float(outcome.neutral_cost_usd)
    seen.latency_s[at] = outcome.result.latency_s
    seen.made_at[at] = np.nan if outcome.made_at is None else outcome.made_at
