"""Batches that the protocol asks for and the observations it receives.

Both are plain arrays, so that a run, a replay or a simulation can answer.
"""

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
    """Cells to run now, in this order. The two arms of one case and repetition are neighbors.

    Experiments that send the same request share repetitions up to 99, so the store may answer them. Higher repetitions
    belong to one design: no other experiment uses them, and a second run of the same design finds them in the store.
    """

    cases: Ints
    """Index of the case, in the order given to ``design``."""
    arms: NDArray[np.int8]
    """0 baseline, 1 candidate."""
    repetitions: Ints
    purpose: str
    """``look``, ``smoke``, ``replication``, ``confirmation``, ``breaks``, ``watch`` or ``protected``."""

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True)
class Observations:
    """Answers to a batch, in the order of its cells."""

    scores: Floats
    """``[cells, metrics]`` in [0, 1]. NaN: the metric could not be computed, or there is no answer."""
    missing: Bools
    """The call gave no answer (a transport failure)."""
    forbidden: Bools
    """The answer contains text that its case forbids."""
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    """What the call costs without a provider's prompt cache."""
    latency_s: Floats
    made_at: Floats
    """When the provider answered, in seconds since 1970, also for stored answers. NaN: unknown."""
