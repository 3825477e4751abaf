"""Suggests the slice of the most similar cases: character n-grams with TF-IDF weights and cosine similarity.

The n-grams are hashed (Weinberger et al. 2009), so that memory is bounded whatever the texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from schemas.testsets import TestCase

LEAST_LABELED = 20
"""Cases with slices that are needed before any are compared with."""
MOST_LABELED = 2_000
"""Cases with slices that are compared with: more are thinned out evenly."""
NEAREST = 5
LEAST_SHARE = 0.6
"""Share of the nearest cases' similarity that a slice needs. Below, the vote is open and nothing is suggested."""
LONGEST = 4_000
"""Characters of a case's inputs that are compared."""
SIZES = (3, 4, 5)
"""Characters of an n-gram."""
BUCKETS = 4_096
CHUNK = 256
_PRIME = np.uint64(1_099_511_628_211)

Floats = np.ndarray[tuple[int, int], np.dtype[np.float32]]


class Vote(NamedTuple):
    """The slice that most of a case's nearest cases have."""

    slice: str
    nearest: str
    """The id of the most similar case in that slice."""


def neighbor_votes(labeled: Sequence[TestCase], others: Sequence[TestCase]) -> tuple[dict[str, Vote], dict[str, Vote]]:
    """Returns votes by case id: for ``others``, and for the labeled cases, each without its own label.

    A case with an open vote is left out. Empty with fewer than ``LEAST_LABELED`` labeled cases.
    """
    if len(labeled) < LEAST_LABELED:
        return {}, {}
    step = -(-len(labeled) // MOST_LABELED)
    known = labeled[::step]
    counted = np.stack([_counts(case) for case in known])
    idf = np.log((1 + len(known)) / (1 + (counted > 0).sum(axis=0))).astype(np.float32) + 1
    base = _weighted(counted, idf)
    own = _votes(known, base, base, itself=True)
    voted: dict[str, Vote] = {}
    for start in range(0, len(others), CHUNK):
        part = others[start : start + CHUNK]
        rows = _weighted(np.stack([_counts(case) for case in part]), idf)
        voted |= {case.id: vote for case, vote in zip(part, _votes(known, base, rows), strict=True) if vote}
    return voted, {case.id: vote for case, vote in zip(known, own, strict=True) if vote}


def _votes(known: Sequence[TestCase], base: Floats, rows: Floats, *, itself: bool = False) -> Iterator[Vote | None]:
    similarity = rows @ base.T
    if itself:
        np.fill_diagonal(similarity, -1)
    for row in similarity:
        nearest = np.argsort(-row, kind="stable")[:NEAREST]
        weights: dict[str, float] = {}
        for index in nearest:
            for name in known[index].slices:
                weights[name] = weights.get(name, 0) + max(float(row[index]), 0)
        total = float(np.maximum(row[nearest], 0).sum())
        best = max(weights, key=lambda name: weights[name], default=None)
        if best is None or weights[best] < LEAST_SHARE * total or not total:
            yield None
        else:
            yield Vote(best, next(known[index].id for index in nearest if best in known[index].slices))


def _counts(case: TestCase) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Returns how often each bucket's n-grams occur in the case's inputs."""
    values = (value if isinstance(value, str) else json.dumps(value) for _, value in sorted(case.inputs.items()))
    text = f" {' '.join(' '.join(values)[:LONGEST].casefold().split())} "
    signs = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    found = np.zeros(BUCKETS, dtype=np.float32)
    for size in SIZES:
        if len(signs) >= size:
            hashed = np.full(len(signs) - size + 1, size, dtype=np.uint64)
            for at in range(size):  # Fowler-Noll-Vo; the product wraps around on purpose
                hashed = (hashed ^ signs[at : len(signs) - size + 1 + at]) * _PRIME
            np.add.at(found, ((hashed >> np.uint64(20)) % np.uint64(BUCKETS)).astype(np.int64), 1)
    return found


def _weighted(counted: Floats, idf: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Floats:
    weighted = np.where(counted > 0, 1 + np.log(np.maximum(counted, 1)), 0) * idf
    lengths = np.linalg.norm(weighted, axis=1, keepdims=True)
    scaled: Floats = (weighted / np.maximum(lengths, 1e-9)).astype(np.float32)
    return scaled
