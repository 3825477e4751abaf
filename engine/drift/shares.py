"""Which labels moved."""

from __future__ import annotations

from collections.abc import Sequence

from engine.drift.counts import Floats
from engine.drift.reading import Move

SHOWN = 4


def moves_of(labels: Sequence[str], before: Floats, now: Floats) -> tuple[Move, ...]:
    """Returns the labels whose shares differ most, largest first."""
    old, new = before / before.sum(), now / now.sum()
    ranked = sorted(range(len(labels)), key=lambda k: (-abs(new[k] - old[k]), labels[k]))
    return tuple(Move(label=labels[k], before=float(old[k]), after=float(new[k])) for k in ranked[:SHOWN])
