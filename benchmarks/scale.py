"""Memory and time by the number of cases: the run streams, so both arms of 100,000 cases take little more than 1,000.

    python -m benchmarks.scale

Each size in a process of its own. The provider answers at once, in the process; cases and requests are made on demand;
every answer goes through budget, limiter, price, store (synced), evaluator and gate (``mode: fixed``).
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
from schemas.config import GateConfig
from schemas.outcomes import Completion, Finish, Usage
from schemas.prompts import Message, Parameters, Request
from schemas.testsets import TestCase

T = TypeVar("T")


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
        """Nothing is open."""


async def one_size(size: int, folder: Path) -> dict[str, float]:
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
    store, clock = open_store(str(folder / "outcomes.db")), SystemClock()
    access = Access(lambda _model: AtOnce(), clock)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    (result,) = await run([many], access=access, store=store, clock=clock)
    seconds = time.perf_counter() - started
    assert result.decision is not None
    assert len(result.outcomes) == 2 * size
    await store.aclose()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cases": size, "seconds": round(seconds, 2), "ms_per_case": round(1000 * seconds / size, 3),
        "peak_mb": round(peak_mb), "more_mb": round(peak_mb - before_mb),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--size", type=int, help="one size, in this very process")
    given = parser.parse_args()
    if given.size:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(asyncio.run(one_size(given.size, Path(name)))))
    else:
        for size in given.sizes.split(","):
            subprocess.run([sys.executable, "-m", "benchmarks.scale", "--size", size], check=True)
