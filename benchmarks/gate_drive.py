"""Plays simulated pull requests against a gate, and counts verdicts and requested cells."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.gate_models import STORED_RUNS, World
from engine.gate.cells import Batch, Observations
from engine.gate.decision import Decision
from engine.gate.design import Design, History, design
from engine.gate.protocol import protocol
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec
from schemas.verdicts import VerdictStatus

FRESH = 100
"""Repetitions from here on are never answered by a store."""


OUTCOMES = {VerdictStatus.NEEDS_REVIEW: "needs review", VerdictStatus.INCONCLUSIVE: "too few cases"}


@dataclass
class Tally:
    """The result of one pull request."""

    outcome: str
    """``blocked``, ``needs review``, ``approved``, ``too few cases`` or ``error``."""
    calls: float
    """Calls of both arms, by case and arm."""
    candidate_calls: float
    """Calls by case if the planned runs of the baseline are in the store."""


def history_of(world: World) -> History:
    runs = np.stack([world.draw(world.old) for _ in range(STORED_RUNS)])
    return History(means=runs.mean(axis=0), variances=runs.var(axis=0, ddof=1))


def plan(world: World, gate: GateConfig, flips: int, name: str, *, history: bool = False) -> Design:
    n = len(world.slices)
    return design(
        [f"c{i}" for i in range(n)],
        [[name for name in s.split(",") if name] for s in world.slices],
        clusters=world.clusters,
        protected=[False] * n,
        metrics=[MetricSpec(name=f"m{k}") for k in range(world.metrics)],
        identical=[False] * n,
        gate=gate,
        digest=hashlib.sha256(name.encode()).hexdigest(),
        history=history_of(world) if history else None,
        flips=flips,
    )


def answer(world: World, batch: Batch) -> Observations:
    candidate = batch.arms == 1
    today = candidate | (batch.repetitions >= FRESH) | (batch.purpose == "replication")
    k = len(batch)
    length = (
        120 * np.exp(world.rng.normal(0, 0.35 if world.cost else 0.2, k)) * np.where(candidate, 1 + world.cost, 1.0)
    )
    usd = (400 * 1e-6 + length * 5e-6) if world.cost == 0 else length * 5e-6
    return Observations(
        scores=world.scores(batch.cases, (today if world.drift else candidate).astype(int), batch.repetitions),
        missing=np.zeros(k, dtype=bool),
        forbidden=np.zeros(k, dtype=bool),
        input_tokens=np.full(k, 400.0),
        output_tokens=length,
        cost_usd=usd,
        latency_s=np.ones(k),
        made_at=np.zeros(k),
    )


def play(world: World, planned: Design) -> tuple[Decision, Tally]:
    """Runs one conversation with our gate."""
    conversation = protocol(planned)
    calls = stored = 0
    try:
        batch = next(conversation)
        while True:
            calls += len(batch)
            known = (batch.arms == 0) & (batch.repetitions < planned.repetitions[batch.cases])
            stored += int(known.sum())
            batch = conversation.send(answer(world, batch))
    except StopIteration as stop:
        decision: Decision = stop.value
    n = len(world.slices)
    return decision, Tally(OUTCOMES.get(decision.status, decision.status.value), calls / n / 2, (calls - stored) / n)


def ours(gate: GateConfig, flips: int) -> Callable[[World, str], Tally]:
    def rule(world: World, name: str) -> Tally:
        return play(world, plan(world, gate, flips, name))[1]

    return rule
