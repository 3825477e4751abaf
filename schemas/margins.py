"""The margins that hold where a configuration writes none: the one place for these numbers."""

from __future__ import annotations

OVERALL = 0.05
"""Of the whole test set (5 points)."""
SLICE = 0.10
"""Of every slice."""
WIDEST = 0.25
"""A small test set widens its default margin up to this. A slice that needs more is not judged by its mean."""


def default_margin(slice_name: str | None) -> float:
    """Returns the margin of a slice where none is written, as a fraction. ``None``: the whole test set."""
    return OVERALL if slice_name is None else SLICE
