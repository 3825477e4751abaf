"""Plays a comparison: a design, and a function that answers cells."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from engine.gate.cells import Observations
from engine.gate.design import History, design
from engine.gate.protocol import protocol
from schemas.gate_config import GateConfig
from schemas.outcomes import MetricSpec

EXACT = (MetricSpec(name="exact"),)


@dataclass
class Answers:
    """Scores by cell: ``score(case, arm, repetition)`` gives a number, a tuple of numbers, or ``None`` for a missing cell.
    ``forbidden`` tells likewise whether an answer holds what its case forbids."""

    score: object
    cost: object = field(default=lambda case, arm, repetition: 0.001)
    seconds: object = field(default=lambda case, arm, repetition: 1.0)
    forbidden: object = field(default=lambda case, arm, repetition: False)
    made_at: float = 0.0
    """When the candidate answered; the baseline did at 0."""

    def __call__(self, batch, metrics):
        cells = list(zip(batch.cases.tolist(), batch.arms.tolist(), batch.repetitions.tolist(), strict=True))
        given = [self.score(*cell) for cell in cells]
        missing = np.array([g is None for g in given], dtype=bool)
        rows = [
            np.full(metrics, np.nan) if g is None else np.broadcast_to(np.asarray(g, float), (metrics,)) for g in given
        ]
        k = len(cells)
        return Observations(
            scores=np.array(rows).reshape(k, metrics),
            missing=missing,
            forbidden=np.array([bool(self.forbidden(*cell)) for cell in cells], dtype=bool),
            input_tokens=np.full(k, 100.0),
            output_tokens=np.full(k, 10.0),
            cost_usd=np.array([self.cost(*cell) for cell in cells], dtype=float),
            latency_s=np.array([self.seconds(*cell) for cell in cells], dtype=float),
            made_at=np.array([self.made_at if arm else 0.0 for _, arm, _ in cells]),
        )


def play(plan, answers, width=None):
    """The decision, and the batches that were asked for. ``width``: how many metrics a cell has, if more than those that gate."""
    answers = answers if isinstance(answers, Answers) else Answers(answers)
    conversation, batches, given = protocol(plan), [], None
    while True:
        try:
            batch = next(conversation) if given is None else conversation.send(given)
        except StopIteration as end:
            return end.value, batches
        batches.append(batch)
        given = answers(batch, width or max(plan.columns) + 1)


def plan_of(
    n, *, slices=None, gate=None, digest="d" * 64, ids=None, clusters=None, protected=None, metrics=EXACT, identical=None,
    flips=999, **more,
):  # fmt: skip
    """A design with everything that a test doesn't care about filled in."""
    return design(
        ids or [f"c{i}" for i in range(n)],
        slices or [()] * n,
        clusters=clusters or [None] * n,
        protected=protected or [False] * n,
        metrics=metrics,
        identical=identical or [False] * n,
        gate=gate or GateConfig(),
        digest=digest,
        flips=flips,
        **more,
    )  # fmt: skip


def steady_history(n, metrics=1, score=1.0):
    """A baseline that has always given the same score."""
    shape = (n, metrics)
    return History(np.full(shape, score), np.zeros(shape))


def chance(seed, case, arm, repetition):
    """A uniform number that belongs to a cell."""
    digest = hashlib.sha256(f"{seed} {case} {arm} {repetition}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def noisy(seed, passes):
    """Scores of cells that pass with ``passes(case, arm)``."""
    return lambda case, arm, repetition: float(chance(seed, case, arm, repetition) < passes(case, arm))
