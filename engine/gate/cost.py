"""The change of cost per case: the ratio Σ candidate / Σ baseline over the same cells, with t bounds and its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np

from engine.gate.cells import BASELINE, CANDIDATE, Floats
from engine.gate.spending import normal_quantile, tail
from engine.gate.state import ComparisonState
from engine.gate.weights import by_unit, weights
from schemas.effects import CostEffect, LimitResult
from schemas.verdicts import Interval

EXPANDED = 200
"""From this many degrees of freedom, the expansion of Student's t is exact to 1e-10."""
NEWTON_STEPS = 60
LEVEL = 0.05
USD = 2
"""Index of the cost in ``Ledger.usage``."""


@dataclass(frozen=True)
class Ratio:
    """Candidate / baseline, with one-sided bounds."""

    estimate: float
    low: float
    high: float


def cost_effect(state: ComparisonState, usd: Floats | None = None) -> CostEffect:
    """Returns the cost per 1,000 cases, and whether its increase is within the limit.

    Only planned runs that both arms answered count. ``usd[arms, cases]`` replaces the measured costs.
    """
    design = state.design
    usd = state.ledger.paired_usage(USD) if usd is None else usd
    limit = None if design.gate.max_cost_increase is None else float(design.gate.max_cost_increase)
    share = weights(design, None, np.asarray(~np.isnan(usd).any(axis=0)))
    if not share.any():
        called = bool((design.counted & ~design.identical).any())
        return no_cost(limit if called else None)  # an unchanged request costs the same
    means = [by_unit(design, share * np.nan_to_num(usd[arm])) for arm in (BASELINE, CANDIDATE)]
    totals = [float(of_arm.sum()) for of_arm in means]
    # By cluster, because the t bounds need independent values.
    bounds = ratio(means[0], means[1], by_unit(design, share), tail(state.critical(LEVEL)))
    # An unbounded ratio has no number to show.
    high = None if bounds is None or math.isinf(bounds.high) else bounds.high - 1
    return CostEffect(
        baseline_per_1000=_usd(totals[0]),
        candidate_per_1000=_usd(totals[1]),
        increase=totals[1] / totals[0] - 1 if totals[0] > 0 else None,
        interval=Interval(low=bounds.low - 1, high=high) if bounds else None,
        limit=limit,
        result=_limit_result(bounds, totals, limit),
    )


def no_cost(limit: float | None) -> CostEffect:
    """Returns the effect when no cost is known."""
    nothing: dict[str, None] = dict.fromkeys(("baseline_per_1000", "candidate_per_1000", "increase", "interval"))
    return CostEffect(**nothing, limit=limit, result=LimitResult.NO_DATA)


def careful_cost(state: ComparisonState) -> CostEffect:
    """Returns ``cost_effect``, but lets it pass only if it would also pass with the dearest costs in the missing
    cells."""
    effect = cost_effect(state)
    if effect.result is not LimitResult.PASSES or not state.ledger.unmeasured().any():
        return effect
    # A provider that fails on the expensive calls must not make the candidate look cheap.
    worst = cost_effect(state, _at_worst(state))
    return (
        effect
        if worst.result is LimitResult.PASSES
        else effect.model_copy(update={"result": LimitResult.TOO_FEW_CASES})
    )


def cost_in_doubt(state: ComparisonState) -> bool:
    """Returns whether the known cells can't decide on the limit and the missing ones may break it."""
    effect = cost_effect(state)
    if effect.limit is None or effect.result is not LimitResult.TOO_FEW_CASES or not state.ledger.unmeasured().any():
        return False
    usd = _at_worst(state)
    share = weights(state.design, None, np.asarray(~np.isnan(usd).any(axis=0)))
    baseline, candidate = (float((share * np.nan_to_num(of_arm)).sum()) for of_arm in usd)
    return candidate > (1 + effect.limit) * baseline


def _at_worst(state: ComparisonState) -> Floats:
    """Returns costs ``[arms, cases]`` with the worst case for missing cells.

    A missing candidate cell costs twice the dearest one; a missing baseline cell costs nothing.
    """
    usd = state.ledger.paired_usage(USD)
    # A case with any failed run counts as missing: the runs that came back may be its cheap ones.
    missing = state.ledger.unmeasured().any(axis=(0, 2))
    usd[:, missing] = [[0.0], [2 * float(np.nan_to_num(usd[CANDIDATE]).max())]]
    return usd


def ratio(baseline: Floats, candidate: Floats, weights: Floats, level: float) -> Ratio | None:
    """Returns Fieller's bounds of Σ candidate / Σ baseline, each one-sided at ``level``.

    ``baseline`` and ``candidate`` hold weighted costs by cluster. ``weights`` is 0 for clusters that were not seen. A
    ratio R lies within the bounds if a t test can't tell candidate − R·baseline from 0. Returns ``None`` if the
    baseline costs nothing or there are fewer than 3 clusters.
    """
    live = weights > 0
    b, c, share = baseline[live], candidate[live], weights[live]
    total_b, total_c, n = float(b.sum()), float(c.sum()), int(live.sum())
    # With two clusters, the t quantile has one degree of freedom, and the bounds would say nothing.
    if n < 3 or total_b <= 0:
        return None
    b_off, c_off = b - share * total_b, c - share * total_c
    scale = n / (n - 1) * t_quantile(1 - level, n - 1) ** 2
    # The bounds are the roots of a quadratic in R: (candidate − R·baseline)² = t²·variance (Fieller 1954).
    square = total_b**2 - scale * float((b_off**2).sum())
    linear = total_b * total_c - scale * float((b_off * c_off).sum())
    constant = total_c**2 - scale * float((c_off**2).sum())
    # The baseline's own total isn't distinguishable from 0, so no ratio can be ruled out above.
    if square <= 0:
        return Ratio(total_c / total_b, 0.0, math.inf)
    root = math.sqrt(max(linear**2 - square * constant, 0.0))
    return Ratio(total_c / total_b, max((linear - root) / square, 0.0), (linear + root) / square)


@lru_cache(maxsize=256)
def t_quantile(p: float, degrees: int) -> float:
    """Returns Student's t quantile for p in (0.5, 1). The relative error is below 1e-9 for p ≤ 0.999.

    From ``EXPANDED`` degrees, it is the Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5), whose error falls with
    the fifth power of the degrees. Below, the expansion is up to 3% off, so Newton's method on the distribution
    function refines it.
    """
    t = _expanded(p, degrees)
    if degrees >= EXPANDED:
        return t
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(math.pi * degrees) / 2
    for _ in range(NEWTON_STEPS):
        density = math.exp(log_scale - (degrees + 1) / 2 * math.log1p(t * t / degrees))
        step = (p - _t_distribution(t, degrees)) / density
        t = max(t + step, 0.0)
        if abs(step) <= 1e-13 * t:
            break
    return t


def _expanded(p: float, degrees: int) -> float:
    z = normal_quantile(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + float(sum(term / degrees ** (k + 1) for k, term in enumerate(terms)))


def _t_distribution(t: float, degrees: int) -> float:
    """Returns P(T ≤ t) for t ≥ 0: a finite sum in cos θ, tan θ = t / √degrees (Abramowitz & Stegun 26.7.3, 26.7.4)."""
    odd = degrees % 2
    square = degrees / (degrees + t * t)
    term = math.sqrt(square) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= square * (k - 1) / k
        total += term
    between = math.sqrt(1 - square) * total
    if odd:
        between = 2 / math.pi * (math.atan(t / math.sqrt(degrees)) + between)
    return 0.5 + between / 2


def _limit_result(bounds: Ratio | None, totals: list[float], limit: float | None) -> LimitResult:
    if limit is None:
        return LimitResult.NOT_GATED
    # No ratio to a free baseline exists. Any cost at all exceeds its limit.
    if totals[BASELINE] <= 0:
        return LimitResult.FAILS if totals[CANDIDATE] > 0 else LimitResult.PASSES
    if bounds is None:
        return LimitResult.TOO_FEW_CASES
    if bounds.low > 1 + limit:
        return LimitResult.FAILS
    return LimitResult.PASSES if bounds.high < 1 + limit else LimitResult.TOO_FEW_CASES


def _usd(per_case: float) -> Decimal:
    """Returns dollars per 1,000 cases to 12 significant digits, the precision of the protocol's floats."""
    return Decimal(f"{per_case * 1000:.12g}")
