"""Error spending: how much of an error rate each look may spend, and the bound for it (Lan & DeMets 1983)."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from engine.gate.cells import Floats

EXPONENT = 1.5
"""Exponent of cumulative spending, total · t^1.5. It lies between Pocock's (1) and O'Brien and Fleming's (3)."""

GRID = 160
FAR = 8.0
"""Standard deviations beyond which a normal density counts as zero."""


def spent(total: float, share: float) -> float:
    """Returns the part of ``total`` that may be spent when a ``share`` (0 … 1) of the information is available."""
    # Shares may be off by rounding, and a share above 1 would spend more than the total.
    return float(total * min(max(share, 0.0), 1.0) ** EXPONENT)


def boundary(shares: tuple[float, ...], total: float) -> float:
    """Returns the critical value of the last of several looks at a Brownian motion.

    ``shares`` holds the information shares of all looks so far, rising; the last one is now. With these values, the
    chance of crossing by now is ``spent(total, shares[-1])``. It is integrated numerically over a grid (Armitage,
    McPherson & Rowe 1969). Infinity if nothing may be spent.
    """
    return _state(shares, total)[2]


@lru_cache(maxsize=4096)
def _state(shares: tuple[float, ...], total: float) -> tuple[Floats, Floats, float]:
    """Returns grid points, the weight of the paths there that have not crossed, and the last look's critical value."""
    # Before the first look, all paths are at 0.
    if not shares:
        return np.zeros(1), np.ones(1), math.inf
    share, earlier = shares[-1], shares[:-1]
    points, mass, _ = _state(earlier, total)
    before = earlier[-1] if earlier else 0.0
    allowed = spent(total, share) - spent(total, before)
    # Brownian motion: variance grows with the information, and increments are independent.
    step = math.sqrt(share - before)
    scale = math.sqrt(share)
    # Paths that crossed earlier are gone from `mass`, so each look spends only its own part.
    value = _crossing(points, mass, step, allowed, scale)
    # The grid ends at the critical value: only paths that have not crossed go on.
    grid = np.linspace(-FAR * scale, value * scale, GRID)
    # The density of paths at this look: that of the last look, convolved with the step between them.
    kernel = np.exp(-0.5 * ((grid[:, None] - points[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
    width = np.full(GRID, grid[1] - grid[0])
    # Trapezoidal rule.
    width[[0, -1]] /= 2
    return grid, (kernel @ mass) * width, value


def _crossing(points: Floats, mass: Floats, step: float, allowed: float, scale: float) -> float:
    low, high = 0.0, FAR
    # Bisection, 32 halvings of 8: the error is far below that of the grid.
    for _ in range(32):
        middle = (low + high) / 2
        crossing = float(mass @ upper_tail((middle * scale - points) / step))
        low, high = (middle, high) if crossing > allowed else (low, middle)
    return (low + high) / 2


def upper_tail(z: Floats) -> Floats:
    """Returns P(Z > z), with an error below 1e-7 (Abramowitz & Stegun 26.2.17)."""
    x = np.abs(z)
    k = 1.0 / (1.0 + 0.2316419 * x)
    series = k * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))))
    tail = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) * series
    return np.where(z >= 0, tail, 1.0 - tail)


def tail(z: float) -> float:
    """Returns P(Z > z)."""
    return NormalDist().cdf(-z)


def normal_quantile(p: float) -> float:
    """Returns the standard normal quantile of ``p`` in (0, 1)."""
    return NormalDist().inv_cdf(p)
