"""The one-sided sign-flip test with max-T over hypotheses (Westfall & Young 1993), at successive looks.

If nothing changed, the arms of a case can be swapped without changing the distribution of the data. The signs of its
differences are then coin flips. Cases of one cluster flip together. All metrics and slices use the same flips, so the
test accounts for their correlation. It needs no model of the variance.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.gate.cells import Bools, Floats, Ints
from engine.gate.spending import tail

FLIPS = 9_999
CHUNK = 256
"""Clusters whose signs are in memory at a time (about 256 × 10,000 × 9 bytes)."""
TIE = 1e-5
"""Statistics closer than this are ties; ties count against rejection."""

Signs = NDArray[np.int8]
"""Coins (0, 1) or signs (±1)."""


def coins(seed: str, clusters: Sequence[str], flips: int) -> Signs:
    """Returns ``[clusters, flips]`` of 0 and 1.

    A cluster's row depends only on the seed and its name, not on the order or presence of other cases.
    """
    # Hashing instead of a random generator: its stream would depend on how many cases come before.
    width = (flips + 7) // 8
    raw = b"".join(hashlib.shake_256(f"{seed}\0{name}".encode()).digest(width) for name in clusters)
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8).reshape(len(clusters), width), axis=1, count=flips)
    return bits.view(np.int8)


def coins_in_chunks(seed: str, clusters: Sequence[str], flips: int) -> Iterator[tuple[slice, Signs]]:
    """Yields the rows of ``coins`` in chunks that fit into memory."""
    for start in range(0, len(clusters), CHUNK):
        some = clusters[start : start + CHUNK]
        yield slice(start, start + len(some)), coins(seed, some, flips)


def every_sign(clusters: int) -> Signs:
    """Returns all 2^k sign vectors of k clusters for exact tests. The observed one (all +1) comes first."""
    codes = np.arange(2**clusters, dtype=np.int64)
    return (1 - 2 * ((codes[None, :] >> np.arange(clusters)[:, None]) & 1)).astype(np.int8)


def whole(values: Floats) -> Floats:
    """Returns ``values[clusters, …]``, rounded to multiples of a power of two.

    The step is small enough to lose nothing, and large enough to make every sum of a column exact. Without it, a
    processor that adds in another order would give other last digits, and a replay could differ.
    """
    largest = float(np.abs(values).sum(axis=0).max(initial=0.0))
    # 52 bits for the sum of all magnitudes: within that range, doubles add without rounding.
    step = 2.0 ** max(math.frexp(largest)[1] - 52, -1022)
    return np.rint(values / step) * step


def statistics(sums: Floats) -> Floats:
    """Returns T_h = −Σ E / sqrt(Σ E²) for ``sums[clusters, hypotheses]``. Larger is worse; 0 if nothing differs."""
    scale = np.sqrt((sums**2).sum(axis=0))
    result: Floats = np.zeros(sums.shape[1])
    # Scaled by the root of the squares, so small and large slices have comparable statistics in the maximum.
    np.divide(-sums.sum(axis=0), scale, out=result, where=scale > 0)
    return result


def flipped(sums: Floats, chunks: Iterable[tuple[slice, Signs]], flips: int) -> Floats:
    """Returns ``[hypotheses, flips]``: T_h under each flip; 0 if nothing differs.

    ``chunks`` yields coins for rows of ``sums``: 1 keeps a sign, 0 flips it.
    """
    scale = np.sqrt((sums**2).sum(axis=0))
    live = scale > 0
    result: Floats = np.zeros((sums.shape[1], flips))
    if live.any():
        scaled = whole(sums[:, live] / scale[live])
        totals = np.zeros((int(live.sum()), flips))
        for rows, chunk in chunks:
            totals -= scaled[rows].T @ chunk.astype(np.float64)
        # A flipped sign is 2·coin − 1, so one product with 0/1 coins gives the sums of signed values.
        result[live] = 2 * totals + scaled.sum(axis=0)[:, None]
    return result


def exact_p(differences: Floats) -> float:
    """Returns the one-sided p of a fall of the mean, by all 2^k flips of the k clusters that differ.

    Ties count. 1 if no cluster differs.
    """
    # Flipping a 0 changes nothing, so such clusters only double every count.
    moved = differences[differences != 0]
    if len(moved) == 0:
        return 1.0
    totals = -(whole(moved) @ every_sign(len(moved)).astype(np.float64))
    return float((totals >= totals[0] - TIE).mean())


EXACT_UP_TO = 13
"""Most differing clusters that are tested exactly: 2^13 = 8,192 flips are fewer than 9,999 random ones."""
NORMAL_FROM = 5_000


def single_p(differences: Floats, names: Sequence[str], seed: str, flips: int) -> float:
    """Returns the one-sided sign-flip p of one set of differences at one look.

    The test is exact for few clusters and uses ``flips`` random flips for more. From ``NORMAL_FROM`` clusters, it uses
    the normal approximation, which is as good and takes no seconds.
    """
    moved: Ints = np.flatnonzero(differences)
    if len(moved) <= EXACT_UP_TO:
        return exact_p(differences)
    # By the central limit theorem, the flipped sums are normal at this size.
    if len(moved) >= NORMAL_FROM:
        return tail(float(-differences[moved].sum() / np.sqrt((differences[moved] ** 2).sum())))
    values = whole(differences[moved])
    totals = np.full(flips, values.sum())
    for rows, chunk in coins_in_chunks(seed, [names[i] for i in moved], flips):
        totals -= 2 * (values[rows] @ chunk.astype(np.float64))
    # The observed signs count as one of the flips, so p is never 0.
    return float((1 + (totals >= -values.sum() - TIE).sum()) / (flips + 1))


@dataclass
class SignFlipTest:
    """The sequential test. It remembers which flipped paths crossed a bound at an earlier look."""

    seed: str
    names: Sequence[str]
    """Names of the clusters."""
    flips: int = FLIPS
    _alive: Bools = field(init=False)
    _latest: tuple[Floats, Floats, Floats] | None = field(init=False, default=None)
    """Cache of the latest flips and their results: a look often follows a peek at the same data."""

    def __post_init__(self) -> None:
        self._alive = np.ones(self.flips, dtype=np.bool_)

    def peek(self, sums: Floats) -> Floats:
        """Returns p by hypothesis, adjusted for all hypotheses and looks so far, without spending error rate.

        ``sums[clusters, hypotheses]`` holds the clusters' shares E = Σ a·D of the mean differences.
        """
        return self._ranked(sums)[2]

    def look(self, sums: Floats, alpha: float) -> LookResult:
        """Tests ``sums`` and spends error rate. ``alpha`` is cumulative over the looks.

        Rejects a hypothesis if its p is at most ``alpha``. That p counts the paths that crossed at earlier looks.
        """
        observed, maxima, p, alone = self._ranked(sums)
        alive = np.sort(maxima[self._alive])[::-1]
        # The observed data count as one of the flips (+1), which keeps the test exact.
        allowed = math.floor(alpha * (self.flips + 1) + 1e-9) - 1 - int(self.flips - self._alive.sum())
        # Nothing is left to spend at this look: the released error rate is smaller than one flip.
        if allowed < 0:
            return LookResult(observed, p, alone, math.inf)
        critical = max(float(alive[allowed]) + TIE, 0.0) if allowed < len(alive) else 0.0
        # A path that crosses at this look has spent its share: it counts against every later look.
        self._alive &= maxima <= critical
        return LookResult(observed, p, alone, critical)

    def _ranked(self, sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        observed = statistics(sums)
        maxima, alone = self._flipped(sums, observed)
        alive = np.sort(maxima[self._alive])
        # Paths that crossed at an earlier look count as at least as large: their error is already spent.
        as_large = len(alive) - np.searchsorted(alive, observed - TIE, side="left")
        return observed, maxima, (1 + int(self.flips - self._alive.sum()) + as_large) / (self.flips + 1), alone

    def _flipped(self, sums: Floats, observed: Floats) -> tuple[Floats, Floats]:
        """Returns max_h T_h under each flip, and the p of each hypothesis by itself."""
        # Comparing arrays is cheap; flipping them 10,000 times is not.
        if self._latest is None or not np.array_equal(self._latest[0], sums):
            # Clusters without any difference add 0 under every flip. Leaving them out saves their hashing.
            moved: Ints = np.flatnonzero((sums != 0).any(axis=1))
            chunks = coins_in_chunks(self.seed, [self.names[i] for i in moved], self.flips)
            each = flipped(sums[moved], chunks, self.flips)
            alone = (1 + (each >= observed[:, None] - TIE).sum(axis=1)) / (self.flips + 1)
            # The maximum over hypotheses controls the error of all of them together.
            self._latest = sums, each.max(axis=0), alone
        return self._latest[1:]


@dataclass(frozen=True)
class LookResult:
    """The result of one look, by hypothesis."""

    statistics: Floats
    p: Floats
    """Adjusted for all hypotheses and all looks so far."""
    alone: Floats
    """p at this look as if it were the only hypothesis. Never above ``p``."""
    critical: float
    """Hypotheses with a larger statistic are rejected. Infinity: nothing may be spent yet."""

    @property
    def rejected(self) -> Bools:
        """Hypotheses that are significantly worse."""
        return self.statistics > self.critical
