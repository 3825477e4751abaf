"""Confirmation: a signal from a test blocks only if the same cases fall again when they are re-run."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Batch, Bools, Floats, Ints, Observations
from engine.gate.hypotheses import Hypothesis
from engine.gate.signflip import single_p
from engine.gate.state import ComparisonState

CASES = 40
FIRST = 20
"""Where there are more cases than this, half of the level is spent on so many of them: most harm is seen by then."""
RUNS = 3
LEVEL = 0.10
AGAIN = 0.05
"""Level after a failed confirmation: several attempts at 10% each would confirm a provider that drifted."""


def confirm_harm(state: ComparisonState) -> Generator[Batch, Observations, bool | None]:
    """Runs up to 40 random cases that differ, of the hypothesis that was rejected most clearly, 3 times in each arm.

    True where they fall again (fresh p ≤ 0.10, or ≤ 0.05 after 20 and again after 40 cases); ``None`` where they would,
    had every missing cell gone against the candidate. It guards against a provider that drifted between a stored
    baseline and today, and against chance. What an earlier lock of this comparison saw counts too, and a second signal
    is tested at half the level: it doesn't get a second roll of the dice.
    """
    design, result = state.design, state.result
    assert result is not None  # the block test came first
    h = design.hypotheses[int(np.argmax(np.where(result.rejected, result.statistics, -np.inf)))]
    inside = design.inside(h.slice) & ~design.identical
    # A second signal of the same run gets a stricter level: two tries at 10% would confirm noise in 19% of runs.
    level = AGAIN if state.locked else LEVEL
    moved = np.nan_to_num(state.ledger.differences()[:, h.metric]) != 0
    cases = _drawn(state, np.flatnonzero(moved & inside))
    # Real harm mostly shows in the first half, which saves the other half's calls.
    stages = [cases[:FIRST], cases[FIRST:]] if len(cases) > FIRST else [cases]
    feared = 1.0
    for stage in stages:
        yield from _run(state, stage)
        if _p(state, h, inside, (np.nan, np.nan)) <= level / len(stages):
            return True
        feared = _p(state, h, inside, (1.0, 0.0))
    return None if feared <= level / len(stages) else False


def _run(state: ComparisonState, cases: Ints) -> Generator[Batch, Observations, None]:
    asked = state.ledger.fresh_batch({int(i): (RUNS, RUNS) for i in cases}, "lock")
    given = state.ledger.record_fresh(asked, (yield asked))
    for case, (baseline, candidate) in given.items():
        before = state.locked.get(case)
        rows = np.stack([baseline, candidate])
        state.locked[case] = rows if before is None else np.concatenate([before, rows], axis=1)


def _p(state: ComparisonState, h: Hypothesis, inside: Bools, missing: tuple[float, float]) -> float:
    """p of a fall in all fresh runs so far. ``missing``: what stands for a missing baseline and candidate."""
    design = state.design
    falls = np.zeros(len(design.unit_names))
    for case, runs in state.locked.items():
        if inside[case]:
            falls[design.units[case]] += _difference(runs[:, :, h.metric], missing)
    return single_p(falls, design.unit_names, f"{design.seed} lock", design.flips)


def _difference(runs: Floats, missing: tuple[float, float]) -> float:
    """Mean candidate − baseline over the pairs of ``[arms, runs]``; 0 without any. ``missing``: what stands for NaN."""
    baseline, candidate = (np.where(np.isnan(runs[arm]), missing[arm], runs[arm]) for arm in (BASELINE, CANDIDATE))
    pairs = (candidate - baseline)[~np.isnan(candidate - baseline)]
    return float(pairs.mean()) if len(pairs) else 0.0


def _drawn(state: ComparisonState, cases: Ints) -> Ints:
    """Up to 40 of ``cases``, by hash; those that no confirmation has run yet come first."""
    design = state.design
    order = sorted(
        cases.tolist(),
        key=lambda i: (i in state.locked, hashlib.sha256(f"{design.seed}\0lock\0{design.ids[i]}".encode()).digest()),
    )
    return np.array(order[:CASES], dtype=np.int64)
