"""Kills a run 200 times and shows that nothing that was stored is ever paid again.

    make soak                                          200 kills, 26,000 calls
    python -m benchmarks.soak_kill --kills 5 --cases 300

A run of one experiment (gate: fixed) against a local provider is killed with SIGKILL at random moments and started
again, until it ends. The provider notes every request. Shown, or the exit code is 1:

- no request was sent again after its answer had been stored;
- repeated requests ≤ kills × concurrency (what was in flight);
- the store holds each answer once;
- the verdict is byte-equal to that of an undisturbed run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import openai  # noqa: F401 - before the fork: its import takes longer than a life lasts

from adapters.call_process.client import Caller
from adapters.clock import SystemClock
from adapters.store import open_store
from engine.gate.decision import Decision
from engine.gate.design import design
from engine.gate.protocol import protocol
from engine.runner.access import Access
from engine.runner.experiment import ArmPlan, Endpoint, Experiment
from engine.runner.run import run
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig, ModelConfig, RunConfig
from schemas.gate_config import GateConfig
from schemas.outcomes import Arm
from schemas.pricing import Price
from schemas.prompts import Dialect, Message, Parameters, PromptFile, Request
from schemas.testsets import TestCase

LABELS = ("billing", "refunds", "technical", "account")


def experiment(cases: int, url: str) -> Experiment[Decision]:
    """Returns a classification in which the candidate fails a few percent of the cases that the baseline passes."""
    model = ModelConfig(
        provider="openai", model="fake", base_url=f"{url}/v1", api_key_env="FAKE_KEY", price=Price(input=1, output=4)
    )
    lineage = LineageConfig(use_case="classification", prompt="p.txt", labels=LABELS)
    prompt = PromptFile(
        path="p.txt", format="plain", dialect=Dialect.JINJA, messages=(Message(role="user", content="x"),)
    )
    evaluator = evaluator_for(lineage, prompt, None, None)
    tests = [
        TestCase(id=f"c{at}", inputs={"at": at}, expected=LABELS[at % 4], slices=("typical",)) for at in range(cases)
    ]

    def request(arm: str, at: int) -> Request:
        wrong = (arm == "candidate" and at % 37 == 0) or at % 11 == 0
        answer = LABELS[(at + wrong) % 4]
        messages = (
            Message(role="system", content=f"Sort tickets ({arm})."),
            Message(role="user", content=f"{at} {answer}"),
        )
        return Request(
            provider="openai", origin=model.origin, model="fake", messages=messages, parameters=Parameters(max_tokens=8)
        )

    arms = {arm: ArmPlan(Endpoint(model, model.price), [request(arm.value, at) for at in range(cases)]) for arm in Arm}
    planned = design(
        [case.id for case in tests],
        [case.slices for case in tests],
        clusters=[None] * cases,
        protected=[False] * cases,
        metrics=evaluator.metrics,
        identical=[False] * cases,
        gate=GateConfig(mode="fixed"),
        digest="soak",
    )
    return Experiment(
        lineage="soak", name="fake", cases=tests, arms=arms, evaluator=evaluator, protocol=lambda: protocol(planned)
    )


async def live(one: Experiment[Decision], path: Path, concurrency: int) -> str:
    """Runs the process under test once. Returns the verdict if it finishes."""
    store, clock = open_store(str(path)), SystemClock()
    caller = Caller()
    access = Access(lambda model: caller.provider(model, {"FAKE_KEY": "k"}), clock, max_concurrency=concurrency)
    settings = RunConfig(max_concurrency=concurrency)
    (result,) = await run([one], access=access, store=store, clock=clock, settings=settings, budget_usd=Decimal(100))
    assert result.decision is not None, result.stopped
    await access.aclose()
    await store.aclose()
    decision = asdict(result.decision)
    del decision["latency"]  # measured anew in every run; advisory, and not part of the verdict
    return json.dumps(decision, default=str, sort_keys=True)


def stored(path: Path) -> Counter[str]:
    """Rows of the store by request digest."""
    if not path.exists():
        return Counter()
    with closing(sqlite3.connect(path)) as connection:  # none may be open when a child is forked
        try:
            return Counter(dict(connection.execute("SELECT request_digest, count(*) FROM completions GROUP BY 1")))
        except sqlite3.OperationalError:
            return Counter()


def progress(path: Path) -> int:
    """Rows so far."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        try:
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM completions").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def asked(url: str) -> list[str]:
    """Requests since the last time."""
    with urllib.request.urlopen(f"{url}/asked") as answer:
        return list(json.load(answer)["asked"])


def campaign(kills: int, cases: int, concurrency: int, latency_ms: float, seed: int) -> dict[str, object]:
    """Runs it. Raises AssertionError for a broken promise."""
    dice = random.Random(seed)
    command = [sys.executable, "-m", "tests.fakes.llm", "--latency-ms", str(latency_ms), "--keep-asked"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        one = experiment(cases, url)
        digest_of = {
            "\n".join(message.content for message in request.messages): request.digest
            for plan in one.arms.values() for request in plan.requests
        }  # fmt: skip
        calm, killed = Path(folder) / "calm", Path(folder) / "killed"
        try:
            started = time.monotonic()
            calm.write_text(asyncio.run(live(one, calm.with_suffix(".db"), concurrency)))
            undisturbed_s = time.monotonic() - started
            asked(url)
            moments = sorted(dice.randrange(2 * cases - concurrency) for _ in range(kills))
            requests: list[str] = []
            done, known = 0, Counter[str]()
            while not killed.exists():
                child = os.fork()
                if child == 0:
                    killed.write_text(asyncio.run(live(one, killed.with_suffix(".db"), concurrency)))
                    os._exit(0)
                if done < kills:
                    while progress(killed.with_suffix(".db")) < moments[done]:
                        assert os.waitpid(child, os.WNOHANG) == (0, 0), "a life ended by itself"
                        time.sleep(0.005)
                    time.sleep(dice.uniform(0, 0.05))
                    os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                done += os.WIFSIGNALED(status)
                time.sleep(latency_ms / 1000 + 0.01)  # calls in flight arrive
                now = [digest_of[text] for text in asked(url)]
                again = [digest for digest in now if digest in known]
                assert not again, f"{len(again)} calls were made again although they were stored"
                requests += now
                known = stored(killed.with_suffix(".db"))
        finally:
            server.kill()
        repeated = len(requests) - len(set(requests))
        assert set(known.values()) == {1}, "an answer was stored twice"
        assert len(known) == 2 * cases, "an answer is not in the store"
        assert repeated <= done * concurrency, f"{repeated} repeated calls"
        assert calm.read_bytes() == killed.read_bytes(), "the verdict is another one"
    return {
        "kills": done, "calls": len(requests), "distinct": len(set(requests)), "repeated": repeated,
        "repeated_at_most": done * concurrency, "stored_calls_made_again": 0, "verdict": "byte-equal",
        "seconds_undisturbed": round(undisturbed_s, 1),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cases", type=int, default=13_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(campaign(given.kills, given.cases, given.concurrency, given.latency_ms, given.seed)))
