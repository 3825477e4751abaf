"""How well a rate limit is used: the provider permits so many requests a second and answers 429 beyond.

    python -m benchmarks.throttled

For each limit: every call is answered in the end, the time against what the limit permits (goal: ≤ 1.3 ×), the share of
429s (with Retry-After: 1) and the most tries that any call needed (nobody starves).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import openai  # noqa: F401 - its import is not what is measured

from adapters.clock import SystemClock
from adapters.providers.registry import provider_for
from adapters.store import open_store
from benchmarks.soak_kill import experiment
from engine.access import Access
from engine.run import run
from tests.fakes.llm import FakeLlm


async def campaign(rate: float, cases: int, latency_s: float, folder: Path) -> str:
    """One row of the table."""
    async with FakeLlm(latency_s=latency_s, rate=rate, retry_after="1") as fake:
        fake.keep_heads = False
        one = experiment(cases, fake.url)
        store, clock = open_store(str(folder / "outcomes.db")), SystemClock()
        access = Access(lambda model: provider_for(model, {"FAKE_KEY": "k"}), clock)
        started = time.perf_counter()
        (result,) = await run([one], access=access, store=store, clock=clock)
        took = time.perf_counter() - started
        await access.aclose()
        await store.aclose()
    assert result.decision is not None
    assert result.spending.made == 2 * cases
    tries = max(outcome.result.attempts for outcome in result.outcomes)
    permitted = (2 * cases - rate) / rate  # a second's worth is permitted at once
    share = fake.throttled / fake.requests
    return f"| {rate:g} | {2 * cases} | {latency_s} | {took:.1f} | {took / permitted:.2f} | {share:.0%} | {tries} |"


def main() -> None:
    print("| permitted a second | calls | latency s | took s | × permitted | 429 | most tries |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for rate, cases, latency_s in ((20, 100, 0.05), (50, 300, 0.05), (200, 1000, 0.05), (100, 1000, 0.5)):
        with tempfile.TemporaryDirectory() as name:
            print(asyncio.run(campaign(rate, cases, latency_s, Path(name))), flush=True)


if __name__ == "__main__":
    main()
