"""Decides what the opinions of one or several judges add up to: their median, if enough of them answered."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from evaluators.judging import Reading, T
from schemas.outcomes import ErrorKind

UNREACHED = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.TRANSPORT})
"""Failures of a provider, which no answer can cause."""


def undecided(opinions: Sequence[Reading[T]]) -> Reading[T] | None:
    """Returns the failure that keeps the judges from deciding, or ``None``.

    More than half of the judges must have answered, and only unreachable ones may be left out. An unreadable reply may
    be the doing of the answer that it grades: leaving it out could help that answer.
    """
    failed = [one for one in opinions if one.value is None]
    unreadable = next((one for one in failed if one.kind not in UNREACHED), None)
    if unreadable is not None:
        return unreadable
    return failed[0] if failed and 2 * len(failed) >= len(opinions) else None


def verdict(votes: Sequence[float | None]) -> float:
    """Returns the median of the votes that were given."""
    return median(vote for vote in votes if vote is not None)


def spoken(votes: Sequence[float | None]) -> tuple[float | None, ...]:
    """Returns the votes to keep beside their median. A single judge's vote is the score itself."""
    return tuple(votes) if len(votes) > 1 else ()
