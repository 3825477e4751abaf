"""Tests of a 2 × 2 table: broken cases in a slice and elsewhere.

They are one-sided, against "the slice's cases break more often". Arguments count ``broken`` of ``passing`` in the slice
and ``others_broken`` of ``others`` elsewhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from engine.gate.cells import Floats

RATES = np.linspace(0.0025, 0.9975, 399)
"""Grid of common break rates over which the chance is maximized."""
MANY = 2_000
"""From this many cases, Fisher's p replaces Boschloo's. It is never smaller."""
TIE = 1e-9


def fisher_p(broken: int, passing: int, others_broken: int, others: int) -> float:
    """Returns P(at least ``broken`` of all breaks fall into the slice), if they hit the passing cases at random.

    This is the tail of the hypergeometric distribution (Fisher's exact test). 1 without a break.
    """
    breaks = broken + others_broken
    # Even the fewest possible breaks in the slice are at least this many, so the chance is 1.
    if broken <= max(0, breaks - others):
        return 1.0
    terms = (_chance(k, passing, breaks, others) for k in range(broken, min(passing, breaks) + 1))
    # `fsum`, because hundreds of small terms would add up their rounding errors.
    return min(math.fsum(terms), 1.0)


@lru_cache(maxsize=1024)
def boschloo_p(broken: int, passing: int, others_broken: int, others: int) -> float:
    """Returns the largest chance, over all common break rates, of a table with a Fisher p this small (Boschloo 1970).

    It is exact and closer to its nominal level than Fisher's p, which is an upper bound of it.
    """
    p = fisher_p(broken, passing, others_broken, others)
    everyone = passing + others
    # With many cases the two tests agree, and the grid would take seconds.
    if p > 1 - TIE or everyone > MANY:
        return p
    attained = _attained(passing, others, p)
    # In logarithms: binomial coefficients of many cases don't fit into a double.
    logs = np.array([math.lgamma(k + 1) for k in range(everyone + 1)])
    k = np.arange(everyone + 1)
    chance = logs[-1] - logs - logs[::-1] + np.outer(np.log(RATES), k) + np.outer(np.log1p(-RATES), everyone - k)
    # Fisher's p is an upper bound, so rounding on the grid must not exceed it.
    return min(float((np.exp(chance) @ attained).max()), p)


def _attained(passing: int, others: int, p: float) -> Floats:
    """Returns, by number of breaks, the chance of a Fisher p of at most ``p``."""
    logs = np.array([math.lgamma(k + 1) for k in range(passing + others + 1)])
    k, breaks = np.arange(passing + 1)[:, None], np.arange(passing + others + 1)[None, :]
    elsewhere = breaks - k
    possible = (elsewhere >= 0) & (elsewhere <= others)
    # Impossible cells get a valid argument here and are set to 0 below.
    rest = np.clip(elsewhere, 0, others)
    chance = logs[passing] - logs[k] - logs[passing - k] + logs[others] - logs[rest] - logs[others - rest]
    chance -= logs[-1] - logs[breaks] - logs[::-1][breaks]
    # Column b holds, for b breaks in total, the chance of at least k of them in the slice.
    tails = np.cumsum(np.where(possible, np.exp(chance), 0.0)[::-1], axis=0)[::-1]
    # The tolerance keeps the observed table among those that are as extreme as itself.
    result: Floats = np.where(tails <= p + TIE, tails, 0.0).max(axis=0)
    return result


def _chance(k: int, passing: int, breaks: int, others: int) -> float:
    return math.exp(_log_choose(passing, k) + _log_choose(others, breaks - k) - _log_choose(passing + others, breaks))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
