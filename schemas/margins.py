"""The default margins. This is the only place for these numbers."""

from __future__ import annotations

OVERALL = 0.05
"""Default margin of the whole test set (5 points)."""
SLICE = 0.10
"""Default margin of every slice."""
WIDEST = 0.25
"""Widest default margin for a small test set. A slice that needs more is not judged by its mean."""


def default_margin(slice_name: str | None) -> float:
    """Returns the default margin of a slice as a fraction. ``None``: the whole test set."""
    return OVERALL if slice_name is None else SLICE
