"""What the protocol asks for and what it is told: plain arrays, that a run, a replay or a simulation can answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BASELINE, CANDIDATE = 0, 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Cells to run now, in this order: the arms of one case and repetition are neighbours.

    Repetitions up to 99 are shared by every experiment that sends the same request, so a store may answer them. Higher
    ones belong to this design alone: they are fresh by construction, and a second run of the same design finds them.
    """

    cases: Ints
    """Index of the case in the order that ``design`` was given."""
    arms: NDArray[np.int8]
    """0 baseline, 1 candidate."""
    repetitions: Ints
    purpose: str
    """``look``, ``smoke``, ``replication``, ``lock``, ``breaks``, ``watch`` or ``protected``."""

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True)
class Observations:
    """Answers to a batch, in its order."""

    scores: Floats
    """``[cells, metrics]`` in [0, 1]; NaN is a metric that could not be computed, or no answer."""
    missing: Bools
    """No answer at all (a transport failure)."""
    forbidden: Bools
    """The answer holds a text that its case forbids."""
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    """Cache-neutral."""
    latency_s: Floats
    made_at: Floats
    """When the answer came, in seconds since 1970, however long it has been in the store; NaN: not known."""
