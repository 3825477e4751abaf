"""The smallest shift that a volume of decisions can show."""

from __future__ import annotations

from math import sqrt

from engine.drift.counts import Floats
from engine.drift.evidence import log_evidence
from engine.drift.reading import ALERT_AT, FLOOR

WITHIN = 14
"""Days within which a shift should be seen."""
BEFORE = 3
"""Quiet days that the window holds before the shift, on average: it begins anew once a week."""
POWER_Z = 0.8416
"""4 out of 5 times (a normal quantile)."""


def sees_from(before: Floats, per_day: float, dispersion: float, *, days: int = WITHIN) -> float | None:
    """Returns the smallest shift, from 0 to 1, that ``days`` days show 4 out of 5 times; ``None`` if none does.

    ``before``: counts divided by their dispersion. ``per_day``: decisions, not divided. The shift goes from the most
    frequent label to the next. Twice the log evidence is about a noncentral χ² whose noncentrality follows from the
    expected counts (Cohen 1988, “Statistical power analysis”, chapter 7), taken as normal here. The figures of
    ``benchmarks/drift.py`` check it.
    """
    counts = before[before > 0]
    if len(counts) < 2 or per_day <= 0:
        return None
    shares = counts / counts.sum()
    first, second = sorted(range(len(shares)), key=lambda k: -shares[k])[:2]
    amount, quiet_amount = per_day * days / dispersion, per_day * BEFORE / dispersion
    diluted = days / (days + BEFORE)
    free = len(shares) - 1
    quiet = log_evidence(counts, (amount + quiet_amount) * shares)
    spread = shares[first] * (1 - shares[first]) * (1 / (amount + quiet_amount) + 1 / counts.sum())
    # The measured shift varies around the true one, and must pass the floor too.
    least = (FLOOR + POWER_Z * sqrt(spread)) / diluted

    def seen(size: float) -> bool:
        moved = shares.copy()
        moved[first] -= size
        moved[second] += size
        noncentral = max(2 * (log_evidence(counts, amount * moved + quiet_amount * shares) - quiet), 0.0)
        typical = quiet + (noncentral + free) / 2
        return bool(typical - POWER_Z * sqrt(2 * free + 4 * noncentral) / 2 >= ALERT_AT)

    low, high = 0.0, float(shares[first])
    if least > high or not seen(high):
        return None
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return max(high, least)
