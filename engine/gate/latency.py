"""Is it slower? Sign flips on the log ratios of pairs of calls that were made side by side."""

from __future__ import annotations

import math

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE
from engine.gate.course import Course
from engine.gate.signflip import single_p
from engine.gate.spending import tail
from engine.gate.weights import by_unit
from schemas.scorecard import LatencyEffect

LEVEL = 0.05
SECONDS = 3
"""Index of the latency in ``Ledger.usage``."""
MADE_AT = 4
SIDE_BY_SIDE_S = 600.0
"""Both calls of a pair were answered within this time of each other: a provider's day has faster and slower hours. The
rows themselves say so, so that the same outcomes give the same decision, whether they were called or stored."""


def latency_gates(course: Course) -> bool:
    """Whether the limit is to be kept: the policy says so, and a gating case is called at all. What is sent unchanged
    takes as long as it did."""
    design = course.design
    return design.gate.latency == "gate" and bool((design.counted & ~design.identical).any())


def latency_effect(course: Course) -> LatencyEffect:
    """Median seconds of the pairs that were called side by side, and how sure it is that the candidate is slower.

    Advisory: p of «not slower at all». As a gate: p of «not slower than the limit»; it passes when the opposite is as
    sure.
    """
    design, ledger = course.design, course.ledger
    seconds = ledger.usage[SECONDS]
    apart = np.abs(ledger.usage[MADE_AT][CANDIDATE] - ledger.usage[MADE_AT][BASELINE])
    pairs = (apart <= SIDE_BY_SIDE_S) & (np.nan_to_num(seconds).min(axis=0) > 0)
    pairs &= (np.arange(pairs.shape[1]) < ledger.planned[:, None]) & design.counted[:, None]
    count = int(pairs.sum())
    gating = latency_gates(course)
    if not count:
        return LatencyEffect(baseline_s=None, candidate_s=None, pairs=0, p=None, reading="no_data")
    ratios = np.where(pairs, np.log(np.where(pairs, seconds[CANDIDATE] / seconds[BASELINE], 1.0)), 0.0)
    runs = pairs.sum(axis=1)
    of_case = np.divide(ratios.sum(axis=1), runs, out=np.zeros(len(runs)), where=runs > 0)
    limit = math.log1p(design.gate.max_latency_increase) if gating else 0.0
    beyond = by_unit(design, np.where(runs > 0, of_case - limit, 0.0))
    seed = f"{design.seed} latency"
    p = single_p(-beyond, design.unit_names, seed, design.flips)
    medians = [float(np.median(seconds[arm][pairs])) for arm in (BASELINE, CANDIDATE)]
    if not gating:
        return LatencyEffect(baseline_s=medians[0], candidate_s=medians[1], pairs=count, p=p, reading="advisory")
    level = tail(course.critical(LEVEL))
    passes = single_p(beyond, design.unit_names, seed, design.flips) <= level
    said = "fails" if p <= level else "passes" if passes else "cant_tell"
    return LatencyEffect(baseline_s=medians[0], candidate_s=medians[1], pairs=count, p=p, reading=said)
