"""How well a rate limit is used: the provider answers 429 with ``Retry-After: 1`` to many calls.

    python -m benchmarks.throttled

Two reasons, and both together: it permits so many requests a second and refuses what exceeds them; it refuses a share
of the calls at random, however slowly they come. For each: every call is answered in the end, the time against what is
permitted (goal: ≤ 1.3 ×), the share of 429s and the most tries that any call needed (nobody starves).

What is permitted: calls / rate, less the second's worth that may be spent at once; without a rate, the calls and their
refusals one after the other on the slots that there are. A call that is refused for the nth time in a row has waited n
seconds, whatever the client does: the unluckiest call's waits are added.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import openai  # noqa: F401 - its import is not what is measured

from adapters.clock import SystemClock
from adapters.providers.registry import provider_for
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
