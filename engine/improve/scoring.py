"""Runs cases once with one version of a prompt."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

from engine.gate.cells import Batch, Observations
from engine.improve.ports import Ports
from engine.planning.plan import Plan
from engine.runner.budget import SpendingCap
from engine.runner.experiment import ArmPlan, Experiment, ExperimentResult
from engine.runner.run import run
from schemas.config import RunConfig
from schemas.outcomes import Arm
from schemas.prompts import Request
from schemas.testsets import TestCase


async def scored_once(
    plan: Plan,
    cases: Sequence[TestCase],
    requests: Sequence[Request | None],
    *,
    settings: RunConfig,
    ports: Ports,
    cap: SpendingCap,
) -> ExperimentResult[bool]:
    """Returns one outcome for each case, numbered by its place in ``cases``. ``plan`` says what else the run needs."""
    one = Experiment(
        lineage=plan.lineage,
        name=plan.model,
        cases=cases,
        arms={Arm.CANDIDATE: ArmPlan(plan.arms[Arm.CANDIDATE].endpoint, requests)},
        evaluator=plan.evaluator,
        protocol=lambda: _once(len(cases)),
        judges=plan.judges,
        settings=settings,
        max_steps=plan.max_steps,
    )
    (result,) = await run(
        [one],
        access=ports.access,
        store=ports.store,
        clock=ports.clock,
        settings=settings,
        within=cap,
        on_progress=ports.on_progress,
    )
    return result


def _once(size: int) -> Generator[Batch, Observations, bool]:
    """Asks for every case once."""
    zeros = np.zeros(size, dtype=np.int64)
    yield Batch(cases=np.arange(size), arms=np.ones(size, dtype=np.int8), repetitions=zeros, purpose="look")
    return True
