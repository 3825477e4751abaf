"""The evidence that two sets of counts have different shares, and the size of the difference."""

from __future__ import annotations

from math import lgamma

from engine.drift.counts import Floats


def log_evidence(before: Floats, now: Floats) -> float:
    """Returns the log of the evidence (a Bayes factor) for two different shares against one common share.

    Both arguments are counts by label, divided by their dispersion. Above 0 they speak for a change.

        log e = log B(1 + before) + log B(1 + now) - log B(1 + before + now) - log B(1)

    B is the multivariate beta function: each side has shares of its own with a uniform Dirichlet prior, or both have
    common ones (Gunel & Dickey 1974, “Bayes factors for independence in contingency tables”). With ``before`` fixed,
    the factor is a nonnegative martingale of mean 1 under common shares drawn from the prior. So it may be checked
    each day, and exceeds 1/α with a chance of at most α (Ville 1939; for multinomial counts Lindon & Malek 2022,
    “Anytime-valid inference for multinomial count data”). Fixed shares, dispersion and restarts are approximations:
    ``benchmarks/drift.py`` measures what they cost.
    """
    # A label that never occurs says nothing, but as a possible value it would cost evidence.
    there = (before + now) > 0
    before, now = before[there], now[there]
    if len(before) < 2:
        return 0.0
    return _log_beta(before) + _log_beta(now) - _log_beta(before + now) + lgamma(len(before))


def _log_beta(counts: Floats) -> float:
    """Returns log B(1 + counts)."""
    parts = counts.tolist()
    return sum(lgamma(1.0 + part) for part in parts) - lgamma(len(parts) + sum(parts))


def shift(before: Floats, now: Floats) -> float:
    """Returns the total variation distance: the share of decisions that moved to other labels, from 0 to 1."""
    if not before.sum() or not now.sum():
        return 0.0
    return float(abs(before / before.sum() - now / now.sum()).sum() / 2)
