"""The gate's conversation, from the first cell to the verdict."""

import numpy as np
import pytest

from engine.gate.cells import Observations
from engine.gate.design import design
from engine.gate.protocol import protocol
from schemas.config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.scorecard import VerdictStatus


def decide(plan, answer):
    """Runs the protocol with ``answer(case, arm, repetition) -> score or None``."""
    conversation = protocol(plan)
    batches = []
    try:
        batch = next(conversation)
        while True:
            batches.append(batch)
            given = [answer(*cell) for cell in zip(batch.cases, batch.arms, batch.repetitions, strict=True)]
            missing = np.array([g is None for g in given])
            scores = np.array([np.nan if g is None else g for g in given], dtype=float)[:, None]
            k = len(given)
            batch = conversation.send(
                Observations(
                    scores, missing, np.full(k, 100.0), np.full(k, 10.0), np.full(k, 0.001), np.full(k, 1.0), ~missing
                )
            )
    except StopIteration as stop:
        return stop.value, batches


def plan_of(n, *, slices=None, gate=None, digest="d" * 64, **more):
    return design(
        [f"c{i}" for i in range(n)], slices or [()] * n, clusters=[None] * n, protected=[False] * n, metrics=(MetricSpec(name="exact"),),
        identical=more.pop("identical", [False] * n), gate=gate or GateConfig(), digest=digest, flips=999, **more,
    )  # fmt: skip


@pytest.mark.parametrize("n", [30, 200])
def test_an_unchanged_prompt_is_approved(n):
    decision, _ = decide(plan_of(n), lambda case, arm, repetition: 1.0)
    assert decision.status is VerdictStatus.APPROVED


@pytest.mark.parametrize("n", [30, 200])
def test_a_broken_prompt_is_blocked(n):
    decision, _ = decide(plan_of(n), lambda case, arm, repetition: float(arm == 0))
    assert decision.status is VerdictStatus.BLOCKED


def test_missing_cells_are_an_error():
    decision, _ = decide(plan_of(50), lambda case, arm, repetition: None if case % 2 and arm else 1.0)
    assert decision.status is VerdictStatus.ERROR


def test_no_cases_are_an_error():
    assert decide(plan_of(0), None)[0].status is VerdictStatus.ERROR


def test_identical_requests_are_approved_without_a_call():
    decision, batches = decide(plan_of(5, identical=[True] * 5), None)
    assert (decision.status, batches) == (VerdictStatus.APPROVED, [])
