"""Does a case cost more? The ratio Σ candidate / Σ baseline over the same cells, against its limit, with t bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.gate.cells import Floats
from engine.gate.spending import normal_quantile


def t_quantile(p: float, degrees: int) -> float:
    """Student's t quantile for p in (0.5, 1), to about 1e-4 (exact for 1 and 2 degrees; Cornish-Fisher expansion,
    Abramowitz & Stegun 26.7.5, from 3 on)."""
    if degrees == 1:
        return math.tan(math.pi * (p - 0.5))
    if degrees == 2:
        return (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    z = normal_quantile(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + float(sum(term / degrees ** (k + 1) for k, term in enumerate(terms)))


@dataclass(frozen=True)
class Ratio:
    """Candidate over baseline, with one-sided bounds."""

    estimate: float
    low: float
    high: float


def ratio(baseline: Floats, candidate: Floats, weights: Floats, tail: float) -> Ratio | None:
    """Fieller's bounds of Σ w·candidate / Σ w·baseline, each one-sided at ``tail``.

    All three are by cluster; where ``weights`` is 0 nothing was seen. A bound R holds where the t test of
    w·(candidate − R·baseline) can't tell it from 0. ``None`` where the baseline costs nothing or there are fewer than
    3 clusters.
    """
    live = weights > 0
    b, c = baseline[live], candidate[live]
    total_b, total_c = float(b.sum()), float(c.sum())
    n = len(b)
    if n < 3 or total_b <= 0:
        return None
    t = t_quantile(1 - tail, n - 1)
    share = weights[live] / weights[live].sum()
    b_centred, c_centred = b - share * total_b, c - share * total_c
    scale = n / (n - 1) * t * t
    vbb, vcc, vbc = (scale * float((x * y).sum()) for x, y in (
        (b_centred, b_centred), (c_centred, c_centred), (b_centred, c_centred)))  # fmt: skip
    a2, a1, a0 = total_b**2 - vbb, total_b * total_c - vbc, total_c**2 - vcc
    estimate = total_c / total_b
    if a2 <= 0:
        return Ratio(estimate, 0.0, math.inf)
    root = math.sqrt(max(a1 * a1 - a2 * a0, 0.0))
    return Ratio(estimate, max((a1 - root) / a2, 0.0), (a1 + root) / a2)


def reading(bounds: Ratio | None, limit: float) -> str:
    """``fails`` above the limit, ``passes`` below it, ``cant_tell`` where the bounds enclose it."""
    if bounds is None:
        return "cant_tell"
    if bounds.low > 1 + limit:
        return "fails"
    return "passes" if bounds.high < 1 + limit else "cant_tell"


def finite(value: float) -> float | None:
    """``None`` for infinities, which JSON does not know."""
    return value if np.isfinite(value) else None
