"""Measures how well a rate limit is used if the provider answers many calls with 429 and ``Retry-After: 1``.

    python -m benchmarks.throttled

The provider refuses calls beyond a rate, a random share of all calls, or both. The table shows for each of these: the
time compared with the shortest possible one (goal: ≤ 1.3 ×), the share of 429s, and the most tries of any call, which
shows whether a call starves. In the end every call is answered.

With a rate, the shortest possible time is calls / rate, less the calls that may be made at once at the start. Without
a rate, it is that of all calls and their refusals on the available slots. A call refused n times in a row must wait n
seconds whatever the client does, so the waits of the unluckiest call are added.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import openai  # noqa: F401 - its import is not what is measured

from adapters.clock import SystemClock
from adapters.providers.open_provider import provider_for
from adapters.store import open_store
from benchmarks.soak_kill import experiment
from engine.runner.access import Access
from engine.runner.run import run
from schemas.config import RunConfig
from tests.fakes.llm import FakeLlm

SLOTS = 64
CAMPAIGNS = (  # permitted a second, share refused at random, cases, latency
    (20, 0.0, 100, 0.05), (50, 0.0, 300, 0.05), (200, 0.0, 1000, 0.05), (100, 0.0, 1000, 0.5),
    (None, 0.4, 3000, 0.5), (None, 0.1, 3000, 0.5), (100, 0.4, 1000, 0.05),
)  # fmt: skip


async def campaign(rate: float | None, refused: float, cases: int, latency_s: float, folder: Path) -> str:
    """Measures one row of the table."""
    async with FakeLlm(latency_s=latency_s, rate=rate, refused=refused, retry_after="1") as fake:
        fake.keep_heads = False
        one = experiment(cases, fake.url)
        store, clock = open_store(str(folder / "outcomes.db")), SystemClock()
        access = Access(lambda model: provider_for(model, {"FAKE_KEY": "k"}), clock)
        settings = RunConfig(max_concurrency=SLOTS)
        started = time.perf_counter()
        (result,) = await run([one], access=access, store=store, clock=clock, settings=settings)
        took = time.perf_counter() - started
        await access.aclose()
        await store.aclose()
    assert result.decision is not None
    assert result.spending.made == 2 * cases
    tries = max(outcome.result.attempts for outcome in result.outcomes)
    permitted = 2 * cases * latency_s / SLOTS + (tries - 1)
    if rate is not None:
        permitted = (2 * cases / (1 - refused) - rate) / rate
    share = fake.throttled / fake.requests
    return (
        f"| {'any' if rate is None else f'{rate:g}'} | {refused:.0%} | {2 * cases} | {latency_s} | {took:.1f}"
        f" | {took / permitted:.2f} | {share:.0%} | {tries} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, help="one campaign, by its number")
    only = parser.parse_args().only
    print("| permitted a second | refused at random | calls | latency s | took s | × permitted | 429 | most tries |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for rate, refused, cases, latency_s in CAMPAIGNS if only is None else CAMPAIGNS[only - 1 : only]:
        with tempfile.TemporaryDirectory() as name:
            print(asyncio.run(campaign(rate, refused, cases, latency_s, Path(name))), flush=True)


if __name__ == "__main__":
    main()
