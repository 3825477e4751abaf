"""Measures memory and time by the number of cases. Runs stream, so 100,000 cases need little more memory than 1,000.

    python -m benchmarks.scale

Each size runs in its own process. The provider answers at once, in the process; cases and requests are made on demand.
Every answer goes through budget, limiter, price, store (synced), evaluator and gate (``mode: fixed``).

It counts CPU time, which other work on the machine affects little. A short run before each measurement excludes the
imports. ``marginal`` is the cost of each case beyond the previous size.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, overload

from adapters.clock import SystemClock
from adapters.store import open_store
from benchmarks.soak_kill import LABELS, experiment
from engine.gate.design import design
from engine.gate.protocol import protocol
from engine.runner.access import Access
from engine.runner.experiment import ArmPlan
from engine.runner.run import run
from schemas.gate_config import GateConfig
from schemas.outcomes import Completion, Finish, Usage
from schemas.prompts import Message, Parameters, Request
from schemas.testsets import TestCase

T = TypeVar("T")
WARM_UP = 40


class Lazy(Sequence[T]):
    """Makes its items when they are asked for."""

    def __init__(self, size: int, make: Callable[[int], T]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            return [self._make(one) for one in range(*at.indices(self._size))]
        if at >= self._size:
            raise IndexError(at)
        return self._make(at)


class AtOnce:
    """Answers with the last word."""

    async def complete(self, request: Request, *, repetition: int, timeout_s: float) -> Completion:  # noqa: ARG002
        await asyncio.sleep(0)
        text = request.messages[-1].content.rpartition(" ")[2]
        return Completion(
            text=text,
            finish=Finish.STOP,
            usage=Usage(input=90, output=2),
            model="fake",
            fingerprint="f",
            latency_s=0.05,
        )

    async def aclose(self) -> None:
        """Does nothing."""


async def one_size(size: int, folder: Path) -> dict[str, float]:
    """Measures the memory and time of ``size`` cases, beyond those of a few."""
    await measured(WARM_UP, folder / "warm.db")
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, cpu = time.perf_counter(), time.process_time()
    await measured(size, folder / "outcomes.db")
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cases": size, "seconds": round(seconds, 2), "cpu_s": round(cpu_s, 3),
        "cpu_ms_per_case": round(1000 * cpu_s / size, 3), "peak_mb": round(peak_mb),
        "more_mb": round(peak_mb - before_mb),
    }  # fmt: skip


async def measured(size: int, database: Path) -> None:
    """Runs an experiment of ``size`` cases on an empty store."""
    few = experiment(4, "http://127.0.0.1")

    def request(arm: str) -> Callable[[int], Request]:
        def make(at: int) -> Request:
            ticket = f"Ticket {at}: a customer writes about an order of last week {LABELS[(at + (at % 11 == 0)) % 4]}"
            messages = (Message(role="system", content=f"Sort tickets ({arm})."), Message(role="user", content=ticket))
            return Request(
                provider="openai", origin="x", model="fake", messages=messages, parameters=Parameters(max_tokens=8)
            )

        return make

    planned = design(
        Lazy(size, lambda at: f"c{at}"), Lazy(size, lambda _: ("typical",)), clusters=[None] * size,
        protected=[False] * size, metrics=few.evaluator.metrics, identical=[False] * size,
        gate=GateConfig(mode="fixed"), digest="scale",
    )  # fmt: skip
    arms = {arm: ArmPlan(plan.endpoint, Lazy(size, request(arm.value))) for arm, plan in few.arms.items()}
    cases = Lazy(size, lambda at: TestCase(id=f"c{at}", inputs={}, expected=LABELS[at % 4], slices=("typical",)))
    many = dataclasses.replace(few, cases=cases, arms=arms, protocol=lambda: protocol(planned))
    store, clock = open_store(str(database)), SystemClock()
    access = Access(lambda _model: AtOnce(), clock)
    (result,) = await run([many], access=access, store=store, clock=clock)
    assert result.decision is not None
    assert len(result.outcomes) == 2 * size
    await store.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--size", type=int, help="one size, in this very process")
    given = parser.parse_args()
    if given.size:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(asyncio.run(one_size(given.size, Path(name)))))
    else:
        before = {"cases": 0, "cpu_s": 0.0}
        for size in given.sizes.split(","):
            command = [sys.executable, "-m", "benchmarks.scale", "--size", size]
            one = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            marginal_ms = 1000 * (one["cpu_s"] - before["cpu_s"]) / (one["cases"] - before["cases"])
            print(json.dumps({**one, "marginal_cpu_ms": round(marginal_ms, 3)}), flush=True)
            before = one
