"""Whether two models differ on the same cases."""

from __future__ import annotations

from math import comb, erfc, sqrt

EXACT = 1_000
"""Cases up to which the binomial is summed. Beyond, the normal approximation is exact to many digits."""


def sign_test(better: int, worse: int) -> float:
    """Returns the two-sided p-value of the exact sign test on the cases that differ (Dixon and Mood 1946)."""
    number, fewer = better + worse, min(better, worse)
    if not number:
        return 1.0
    if number > EXACT:
        return min(1.0, erfc((number / 2 - fewer - 0.5) / sqrt(number / 4) / sqrt(2)))
    return min(1.0, 2.0 * sum(comb(number, count) for count in range(fewer + 1)) / float(2**number))
