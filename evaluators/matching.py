"""Matches members of two collections: the F1 of what they share, and the best one-to-one assignment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def set_f1(common: float, expected: int, given: int) -> float:
    """Returns the F1 of two sets from their sizes, 2·common / (expected + given); 1 for two empty sets."""
    return 2 * common / (expected + given) if expected + given else 1.0


def assignment(scores: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Returns the one-to-one assignment of rows to columns with the highest sum, in cubic time.

    The Hungarian method (Kuhn 1955) with shortest augmenting paths (Jonker and Volgenant 1987).
    """
    costs = -np.array(scores, dtype=float).reshape(len(scores), -1)
    if turned := costs.shape[0] > costs.shape[1]:
        costs = costs.T
    rows, columns = costs.shape
    # Column 0 stands for "no column yet", so rows and columns count from 1.
    row_price, column_price = np.zeros(rows + 1), np.zeros(columns + 1)
    taken = np.zeros(columns + 1, dtype=int)
    for row in range(1, rows + 1):
        taken[0], column = row, 0
        slack, before = np.full(columns + 1, np.inf), np.zeros(columns + 1, dtype=int)
        used = np.zeros(columns + 1, dtype=bool)
        while taken[column]:
            used[column] = True
            current = taken[column]
            reduced = np.append(np.inf, costs[current - 1] - row_price[current] - column_price[1:])
            closer = ~used & (reduced < slack)
            slack[closer], before[closer] = reduced[closer], column
            column = int(np.argmin(np.where(used, np.inf, slack)))
            least = slack[column]
            row_price[taken[used]] += least
            column_price[used] -= least
            slack[~used] -= least
        while column:
            taken[column] = taken[before[column]]
            column = int(before[column])
    found = [(int(row) - 1, column) for column, row in enumerate(taken[1:].tolist()) if row]
    return sorted((column, row) for row, column in found) if turned else sorted(found)
