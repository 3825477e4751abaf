"""Tests which features are more frequent among broken cases than chance explains.

The p of a feature is Fisher's. It is adjusted for all features together by permuting which cases are broken (Westfall
and Young 1993, minP): the chance that any feature of harmless data would be found is at most the level.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from engine.gate.cells import Bools, Floats, Ints

PERMUTATIONS = 999
TIE = 1e-9


def adjusted_ps(
    features: Mapping[str, Bools], broken: Bools, clusters: Sequence[Hashable], seed: int
) -> dict[str, float]:
    """Returns the adjusted p of each feature. Cases of a cluster are permuted together, among clusters of its size."""
    if not features or not broken.any():
        return dict.fromkeys(features, 1.0)
    has = np.stack(list(features.values()), axis=1)
    shuffled = _shuffled(broken, clusters, np.random.default_rng(seed))
    # In single precision, which counts exactly to 16 million.
    counts = (np.vstack([broken[None, :], shuffled]).astype(np.float32) @ has.astype(np.float32)).astype(np.int64)
    ps = _fisher(counts, has.sum(axis=0), int(broken.sum()), len(broken))
    smallest = ps.min(axis=1)
    # The observed labels count as one permutation, so p is never 0.
    worse = (smallest[None, :] <= ps[0][:, None] + TIE).sum(axis=1)
    return dict(zip(features, (worse / len(smallest)).tolist(), strict=True))


def _shuffled(broken: Bools, clusters: Sequence[Hashable], generator: np.random.Generator) -> Bools:
    """Returns ``[permutations, cases]``: who is broken."""
    members: dict[Hashable, list[int]] = {}
    for n, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(n)
    result = np.repeat(broken[None, :], PERMUTATIONS, axis=0)
    for size in {len(group) for group in members.values()}:
        places = np.array([group for group in members.values() if len(group) == size])
        order = np.argsort(generator.random((PERMUTATIONS, len(places))), axis=1)
        result[:, places] = broken[places][order]
    return result


def _fisher(counts: Ints, sizes: Ints, broken: int, cases: int) -> Floats:
    """Returns the p of at least these counts, by permutation and feature (the tail of the hypergeometric)."""
    logs = np.array([math.lgamma(n + 1) for n in range(cases + 1)])
    result: Floats = np.ones(counts.shape)
    for size in np.unique(sizes).tolist():
        k = np.arange(max(0, size + broken - cases), min(size, broken) + 1)
        inside = logs[size] - logs[k] - logs[size - k]
        outside = logs[cases - size] - logs[broken - k] - logs[cases - size - broken + k]
        chance = np.exp(inside + outside + logs[broken] + logs[cases - broken] - logs[cases])
        tails = np.cumsum(chance[::-1])[::-1]
        of = sizes == size
        result[:, of] = tails[counts[:, of] - k[0]]
    return result
