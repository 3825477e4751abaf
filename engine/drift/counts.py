"""Decisions by day, and the few labels by which they are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
OTHER = "other"
"""All labels that are too rare to be compared by themselves."""
MOST_LABELS = 12
RARE = 0.01
"""Share below which a label is counted as ``OTHER``. Each label more costs power."""


@dataclass(frozen=True)
class DayCounts:
    """The decisions of one day (UTC)."""

    day: date
    counts: Mapping[str, int]
    """Number of decisions by label."""

    @property
    def total(self) -> int:
        """Number of decisions."""
        return sum(self.counts.values())


def vocabulary(days: Iterable[DayCounts]) -> tuple[str, ...]:
    """Returns the labels to compare, the most frequent first, and ``OTHER`` as the last one."""
    total: Counter[str] = Counter()
    for one in days:
        total.update(one.counts)
    everything = total.total()
    # By name where the counts are equal, so that the same counts give the same order.
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    kept = [label for label, count in ranked if count >= RARE * everything and label != OTHER]
    return (*kept[: MOST_LABELS - 1], OTHER)


def table(days: Sequence[DayCounts], labels: Sequence[str]) -> Floats:
    """Returns ``[days, labels]``: the number of decisions. Labels that aren't listed count as the last one."""
    index = {label: k for k, label in enumerate(labels)}
    result = np.zeros((len(days), len(labels)))
    for row, one in enumerate(days):
        for label, count in one.counts.items():
            result[row, index.get(label, len(labels) - 1)] += count
    return result
