"""Latency: a sign-flip test on the log ratios of pairs of calls made side by side."""

from __future__ import annotations

import math

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Bools, Floats
from engine.gate.signflip import single_p
from engine.gate.spending import tail
from engine.gate.state import ComparisonState
from engine.gate.weights import by_unit
from schemas.effects import LatencyEffect, LimitResult

LEVEL = 0.05
SECONDS = 3
"""Index of the latency in ``Ledger.usage``."""
MADE_AT = 4
SIDE_BY_SIDE_S = 600.0
"""Largest time between the answers of a pair. Providers have faster and slower hours. The time comes from the rows, so
called and stored outcomes give the same decision."""


def latency_gates(state: ComparisonState) -> bool:
    """Returns whether latency gates: the policy says so and at least one gating case is called. Unchanged requests take
    as long as before."""
    design = state.design
    return design.gate.latency == "gate" and bool((design.counted & ~design.identical).any())


def latency_effect(state: ComparisonState) -> LatencyEffect:
    """Returns the median seconds of pairs called side by side, and p of the candidate being slower.

    As advice, p tests "not slower at all". As a gate, it tests "not slower than the limit". The limit passes if the
    opposite is as certain, even if missing cells were the slowest.
    """
    seconds, pairs = state.ledger.usage[SECONDS], _side_by_side(state)
    if not pairs.any():
        return LatencyEffect(baseline_s=None, candidate_s=None, pairs=0, p=None, result=LimitResult.NO_DATA)
    beyond = _beyond(state)
    p = _p(state, -beyond)
    # Medians for people: a single slow call would distort a mean.
    medians = [float(np.median(seconds[arm][pairs])) for arm in (BASELINE, CANDIDATE)]
    common = LatencyEffect(
        baseline_s=medians[0], candidate_s=medians[1], pairs=int(pairs.sum()), p=p, result=LimitResult.ADVISORY
    )
    if not latency_gates(state):
        return common
    level = tail(state.critical(LEVEL))
    passes = _p(state, _at_worst(state, beyond)) <= level
    return common.model_copy(
        update={
            "result": LimitResult.FAILS if p <= level else LimitResult.PASSES if passes else LimitResult.TOO_FEW_CASES
        }
    )


def latency_in_doubt(state: ComparisonState) -> bool:
    """Returns whether the known cells can't decide on the limit and the missing ones may break it."""
    if not latency_gates(state) or not state.ledger.unmeasured().any() or not _side_by_side(state).any():
        return False
    beyond, level = _beyond(state), tail(state.critical(LEVEL))
    open_still = min(_p(state, beyond), _p(state, -beyond)) > level
    return open_still and bool(_at_worst(state, beyond).sum() > 0)


def _side_by_side(state: ComparisonState) -> Bools:
    """Returns ``[cases, runs]``: planned pairs of gating cases that can be compared."""
    design, ledger = state.design, state.ledger
    apart = np.abs(ledger.usage[MADE_AT][CANDIDATE] - ledger.usage[MADE_AT][BASELINE])
    # NaN compares as false, so pairs without a time of one answer drop out too.
    pairs = (apart <= SIDE_BY_SIDE_S) & (np.nan_to_num(ledger.usage[SECONDS]).min(axis=0) > 0)
    return np.asarray(
        pairs & (np.arange(pairs.shape[1]) < ledger.planned[:, None]) & (design.counted & ~design.identical)[:, None]
    )


def _beyond(state: ComparisonState) -> Floats:
    """Returns, by case, the mean log ratio of its pairs minus the log of the limit, if any. 0 without a pair."""
    seconds, pairs, gate = state.ledger.usage[SECONDS], _side_by_side(state), state.design.gate
    # Logarithms, because latencies are skewed: one slow call would dominate a mean of differences.
    ratios = np.where(pairs, np.log(np.where(pairs, seconds[CANDIDATE] / seconds[BASELINE], 1.0)), 0.0)
    runs = pairs.sum(axis=1)
    of_case = np.divide(ratios.sum(axis=1), runs, out=np.zeros(len(runs)), where=runs > 0)
    limit = math.log1p(gate.max_latency_increase) if latency_gates(state) else 0.0
    # Zero, so that cases without a pair take no part in the sign flips.
    return np.where(runs > 0, of_case - limit, 0.0)


def _at_worst(state: ComparisonState, beyond: Floats) -> Floats:
    """Returns ``beyond`` as if every case with a missing cell were twice as slow as the slowest."""
    missing = state.ledger.unmeasured().any(axis=(0, 2)) & state.design.counted
    return np.where(missing, max(float(beyond.max()), 0.0) + math.log(2), beyond)


def _p(state: ComparisonState, changes: Floats) -> float:
    """Returns the one-sided p of a fall, from the changes by case."""
    design = state.design
    return single_p(by_unit(design, changes), design.unit_names, f"{design.seed} latency", design.flips)
