"""What the runner's tests work with: a clock that is turned by hand, a provider that is scripted, an evaluator, a gate."""

import asyncio
import heapq
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from engine.gate.cells import Batch
from engine.runner.access import Access
from engine.runner.experiment import ArmPlan, Endpoint, Experiment
from engine.runner.run import run
from schemas.config import ModelConfig, RunConfig
from schemas.outcomes import Arm, Completion, Finish, MetricSpec, Score, Usage
from schemas.pricing import Price
from schemas.prompts import Message, Parameters, Request
from schemas.testsets import TestCase

PRICE = Price(input=Decimal(1), output=Decimal(5))
MODEL = ModelConfig(provider="offline", model="m", price=PRICE)
START = datetime(2026, 11, 21, tzinfo=UTC)


class HandClock:
    """Time passes only when everybody sleeps."""

    def __init__(self):
        self.now_s = 0.0
        self.offset = timedelta(0)
        self.horizon_s = 1000.0
        self._sleepers = []
        self._count = 0
        self._turner = None

    def monotonic(self):
        return self.now_s

    def utc(self):
        return START + self.offset + timedelta(seconds=self.now_s)

    async def sleep(self, seconds):
        self._count += 1
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + seconds, self._count, wake))
        if self._turner is None or self._turner.done():
            self._turner = asyncio.get_running_loop().create_task(self._turn())
        await wake

    async def _turn(self):
        while self._sleepers:
            await asyncio.sleep(0.001)
            at, count, wake = heapq.heappop(self._sleepers)
            if wake.done():
                continue
            if at > self.horizon_s:  # nobody waits for that in a test, unless it says so
                heapq.heappush(self._sleepers, (at, count, wake))
                return
            if not wake.done():
                self.now_s = max(self.now_s, at)
                wake.set_result(None)


def completion(text="yes", *, finish=Finish.STOP, usage=None, **more):
    return Completion(
        text=text, finish=finish, usage=usage or Usage(input=50, output=10), model="m-1", latency_s=0.5, **more
    )


class Scripted:
    """Answers with ``reply(request, repetition, nth try)``; counts."""

    def __init__(self, reply=lambda request, repetition, nth: completion(), *, takes_s=0.0, clock=None):
        self.reply = reply
        self.takes_s = takes_s
        self.clock = clock
        self.tries = Counter()
        self.under_way = self.busiest = 0
        self.closed = False

    @property
    def calls(self):
        return sum(self.tries.values())

    async def complete(self, request, *, repetition, timeout_s):
        key = (request.digest, repetition)
        self.tries[key] += 1
        nth = self.tries[key]
        self.under_way += 1
        self.busiest = max(self.busiest, self.under_way)
        try:
            if self.takes_s:
                await (self.clock.sleep(self.takes_s) if self.clock else asyncio.sleep(self.takes_s))
            else:
                await asyncio.sleep(0)
            return self.reply(request, repetition, nth)
        finally:
            self.under_way -= 1

    async def aclose(self):
        self.closed = True


class SaysYes:
    """1 for “yes”, else 0."""

    metrics = (MetricSpec(name="accuracy"),)

    async def score(self, case, completion, *, ask, repetition):
        return (Score(metric="accuracy", value=float(completion.text == "yes")),)


SHORT = Parameters(max_tokens=10)


def asked(prompt, case, parameters=SHORT):
    return Request(
        provider="offline",
        origin="offline:",
        model="m",
        messages=(Message(role="system", content=prompt), Message(role="user", content=f"case {case}")),
        parameters=parameters,
    )


def everything(size, repetitions=1, purpose="look"):
    """A gate with one batch of all cells; decides the mean score of each arm, missing cells left out."""

    def protocol():
        cases = np.repeat(np.arange(size), 2 * repetitions)
        arms = np.tile(np.array([0, 1], dtype=np.int8), size * repetitions)
        reps = np.tile(np.repeat(np.arange(repetitions), 2), size)
        seen = yield Batch(cases=cases, arms=arms, repetitions=reps, purpose=purpose)
        return seen, [float(seen.scores[(arms == arm) & ~seen.missing].sum()) / size for arm in (0, 1)]

    return protocol


def experiment(size=10, *, repetitions=1, evaluator=None, protocol=None, judges=(), lineage="triage", request=asked):
    return Experiment(
        lineage=lineage,
        name="model",
        cases=[TestCase(id=f"c{at}", inputs={"text": str(at)}) for at in range(size)],
        arms={
            Arm.BASELINE: ArmPlan(Endpoint(MODEL, PRICE), [request("before", at) for at in range(size)]),
            Arm.CANDIDATE: ArmPlan(Endpoint(MODEL, PRICE), [request("after", at) for at in range(size)]),
        },
        evaluator=evaluator or SaysYes(),
        protocol=protocol or everything(size, repetitions),
        judges=judges,
    )


async def run_one(one, provider, store, *, clock=None, **more):
    clock = clock or HandClock()
    access = Access(lambda model: provider, clock)
    (result,) = await run(
        [one], access=access, store=store, clock=clock, settings=more.pop("settings", RunConfig()), **more
    )
    return result
