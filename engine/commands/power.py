"""Statistical power of a test set, before any call."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.gate.bounds import cases_for, certifiable, planning_sample
from engine.gate.design import Design
from schemas.gate_config import SlicePolicy

Z_DETECT = 2.33 + 0.84
"""Normal quantiles of a one-sided test at 1% (the share of one of several hypotheses) with 80% power."""


@dataclass(frozen=True)
class Power:
    """Power for one slice (``None``: overall) on the first metric. Drops are fractions."""

    slice: str | None
    cases: int
    clusters: int
    policy: SlicePolicy
    margin: float
    written: bool
    can_rule_out: float
    """The smallest drop that an unchanged prompt is certified against in 95 of 100 runs."""
    detects: float | None
    """The smallest drop that is blocked in 80 of 100 runs. ``None`` if not even a total loss would be."""
    more_cases: int
    """Cases that are missing to certify the default margin (or the configured one); 0 if there are enough."""


def power(design: Design, targets: tuple[float, float]) -> tuple[Power, ...]:
    """Returns one row for overall and one for every slice.

    ``targets`` holds the drops to rule out, overall and in a slice, if the configuration sets no margin.
    """
    rows = []
    for h in design.hypotheses:
        if h.metric:
            continue
        inside = design.inside(h.slice)
        sizes = np.unique(design.units[inside], return_counts=True)[1].tolist()
        units, (effective, variance) = len(sizes), planning_sample(sizes)
        wanted = h.margin if h.written else targets[0 if h.slice is None else 1]
        needed = cases_for(wanted, variance) if wanted > 0 else 0
        rows.append(
            Power(
                slice=h.slice,
                cases=h.cases,
                clusters=units,
                policy=h.policy,
                margin=h.margin,
                written=h.written,
                can_rule_out=min(certifiable(effective, variance), 1.0),
                detects=detectable(effective, variance),
                more_cases=max(needed - units, 0),
            )
        )
    return tuple(rows)


def detectable(cases: float, variance: float) -> float | None:
    """Returns the smallest drop d against which ``cases`` (clusters) have 80% power: max(v, d)·(2.33 + 0.84)² / d².

    ``variance`` is that of a case's difference between two runs. A drop of d makes at least a share of d of the cases
    differ. ``None``: no drop.
    """
    if not cases:
        return None
    drop = Z_DETECT**2 / cases
    if drop < variance:
        drop = math.sqrt(variance * Z_DETECT**2 / cases)
    return drop if drop <= 1 else None
