"""How long a decision takes. The bounds are wide: the machine may be busy; benchmarks/gate.py measures."""

import tracemalloc
from time import process_time

import numpy as np
import pytest

from engine.gate.cells import Observations
from engine.gate.protocol import protocol
from engine.gate.signflip import FLIPS
from schemas.gate_config import GateConfig, Margins
from tests.gate.play import plan_of

GROUPS = [("typical",), ("edge",), ("rare",), ("long",), ("short",), ("odd",), ("even",)]


def decide(n):
    """CPU seconds inside the protocol, for a comparison that needs all four looks."""
    plan = plan_of(
        n, slices=[GROUPS[i % 7] for i in range(n)], gate=GateConfig(margin=Margins(overall=0.0001)), flips=FLIPS
    )
    rng = np.random.default_rng(1)
    chance = rng.beta(0.4, 0.1, n)
    conversation, given, inside = protocol(plan), None, 0.0
    while True:
        start = process_time()
        try:
            batch = next(conversation) if given is None else conversation.send(given)
        except StopIteration as end:
            return end.value, inside + process_time() - start
        inside += process_time() - start
        k = len(batch)
        scores = (rng.random(k) < chance[batch.cases] - 0.003 * batch.arms).astype(float)[:, None]
        ones = np.ones(k)
        cost_usd, latency_s = 1 + 0.1 * rng.random(k), 1 + 0.1 * rng.random(k)
        given = Observations(scores, np.zeros(k, bool), np.zeros(k, bool), ones, ones, cost_usd, latency_s, ones)


def test_a_thousand_cases_eight_hypotheses_and_four_looks_take_less_than_a_second():
    decision, seconds = decide(1000)
    assert (decision.confidence.hypotheses, decision.confidence.looks) == (8, 4)
    assert seconds < 1.0


@pytest.mark.slow
def test_twenty_thousand_cases_stay_within_bounds():
    tracemalloc.start()
    decision, seconds = decide(20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decision.confidence.hypotheses == 8
    assert seconds < 15
    assert peak < 300e6
