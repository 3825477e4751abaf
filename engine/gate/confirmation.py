"""Confirmation: a significant test blocks only if the same cases fall again when they are re-run."""

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
"""With more cases than this, a first stage runs this many at half the level. Most harm shows by then."""
RUNS = 3
LEVEL = 0.10
AGAIN = 0.05
"""Level after a failed confirmation. Several attempts at 10% each would confirm the drift of a provider."""


def confirm_harm(state: ComparisonState) -> Generator[Batch, Observations, bool | None]:
    """Re-runs up to 40 random cases that differ, 3 times in each arm.

    The cases belong to the rejected hypothesis with the largest statistic. Returns True if they fall again: fresh p ≤
    0.10, or p ≤ 0.05 in each of two stages when there are more than 20 cases. Returns ``None`` if only the missing
    cells decide, counted against the candidate.

    Confirmation guards against chance, and against a provider that changed between a stored baseline and today. Runs of
    an earlier confirmation of this comparison count too. A second signal is tested at half the level.
    """
    design, result = state.design, state.result
    assert result is not None  # the block test came first
    # The clearest rejection has the most power to be confirmed. The others are no evidence of their own.
    h = design.hypotheses[int(np.argmax(np.where(result.rejected, result.statistics, -np.inf)))]
    inside = design.inside(h.slice) & ~design.identical
    # A second signal of the same run gets a stricter level: two tries at 10% would confirm noise in 19% of runs.
    level = AGAIN if state.confirmed_runs else LEVEL
    # Cases that never differed carry no sign, so re-running them would only dilute the test.
    moved = np.nan_to_num(state.ledger.differences()[:, h.metric]) != 0
    cases = _drawn(state, np.flatnonzero(moved & inside))
    # Real harm mostly shows in the first half, which saves the other half's calls.
    stages = [cases[:FIRST], cases[FIRST:]] if len(cases) > FIRST else [cases]
    # The p if every missing cell counts against the candidate.
    feared = 1.0
    for stage in stages:
        yield from _run(state, stage)
        if _p(state, h, inside, (np.nan, np.nan)) <= level / len(stages):
            return True
        feared = _p(state, h, inside, (1.0, 0.0))
    return None if feared <= level / len(stages) else False


def _run(state: ComparisonState, cases: Ints) -> Generator[Batch, Observations, None]:
    asked = state.ledger.fresh_batch({int(i): (RUNS, RUNS) for i in cases}, "confirmation")
    given = state.ledger.record_fresh(asked, (yield asked))
    for case, (baseline, candidate) in given.items():
        before = state.confirmed_runs.get(case)
        rows = np.stack([baseline, candidate])
        # Earlier fresh runs stay in the test: a second try must outweigh the first, not replace it.
        state.confirmed_runs[case] = rows if before is None else np.concatenate([before, rows], axis=1)


def _p(state: ComparisonState, h: Hypothesis, inside: Bools, missing: tuple[float, float]) -> float:
    """Returns p of a fall in all fresh runs so far.

    ``missing`` holds the scores that replace a missing baseline and a missing candidate.
    """
    design = state.design
    falls = np.zeros(len(design.unit_names))
    for case, runs in state.confirmed_runs.items():
        if inside[case]:
            # Cases of a cluster share one sign, as in the test that is being confirmed.
            falls[design.units[case]] += _difference(runs[:, :, h.metric], missing)
    # "lock" is part of a seed: another text would draw other signs and change recorded verdicts.
    return single_p(falls, design.unit_names, f"{design.seed} lock", design.flips)


def _difference(runs: Floats, missing: tuple[float, float]) -> float:
    """Returns mean candidate − baseline over the pairs of ``[arms, runs]``, or 0 without any.

    ``missing`` holds the scores that replace NaN in each arm.
    """
    baseline, candidate = (np.where(np.isnan(runs[arm]), missing[arm], runs[arm]) for arm in (BASELINE, CANDIDATE))
    # Pairs by position: both runs of a pair were made side by side.
    pairs = (candidate - baseline)[~np.isnan(candidate - baseline)]
    return float(pairs.mean()) if len(pairs) else 0.0


def _drawn(state: ComparisonState, cases: Ints) -> Ints:
    """Returns up to 40 of ``cases``, ordered by hash. Cases that no confirmation has run come first."""
    design = state.design
    order = sorted(
        cases.tolist(),
        key=lambda i: (
            i in state.confirmed_runs,
            hashlib.sha256(f"{design.seed}\0lock\0{design.ids[i]}".encode()).digest(),
        ),
    )
    return np.array(order[:CASES], dtype=np.int64)
