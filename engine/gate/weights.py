"""Weights of the cases: a stratum keeps its share of the test set, however much of it was seen."""

from __future__ import annotations

import numpy as np

from engine.gate.cells import Bools, Floats
from engine.gate.design import Design


def weights(design: Design, name: str | None, present: Bools) -> Floats:
    """Returns ``[cases]``: weights of the ``present`` cases for the mean over a slice (``None``: all gating cases).

    They sum to 1, or are all 0 without any case. A stratum without a present case is left out, and the others represent
    it.
    """
    inside = design.inside(name)
    here = inside & present
    size = np.bincount(design.strata[inside], minlength=int(design.strata.max(initial=0)) + 1)
    got = np.bincount(design.strata[here], minlength=len(size))
    # Early looks see a hash-ordered part of each stratum. Weighting by its full size keeps the mix of the test set.
    share = np.divide(size, got, out=np.zeros(len(size)), where=got > 0)
    result: Floats = np.where(here, share[design.strata], 0.0)
    total = result.sum()
    # Strata without a present case leave a gap, so the rest is scaled up to 1.
    return result / total if total > 0 else result


def by_unit(design: Design, values: Floats) -> Floats:
    """Returns the sum over the cases of each cluster."""
    return np.bincount(design.units, weights=values, minlength=len(design.unit_names)).astype(np.float64)
