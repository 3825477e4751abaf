"""Which failed calls are retried, and when."""

from __future__ import annotations

import hashlib

from schemas.outcomes import CompletionError, ErrorKind

MAX_TRIES = 4
"""Tries of one call that fails for the provider's reasons. Being told to slow down (429) is not such a failure: it is
bounded by the run's deadline alone, or a busy key would lose cells that a little patience gets."""
BASE_S = 0.5
CAP_S = 20.0

TRANSIENT = frozenset({ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.TRANSPORT})
HOPELESS = frozenset(
    {ErrorKind.QUOTA, ErrorKind.AUTHENTICATION, ErrorKind.BAD_REQUEST, ErrorKind.REDIRECT, ErrorKind.UNPRICED}
)
"""Errors that every further call would repeat: the experiment stops."""


def may_retry(error: CompletionError, tries: int) -> bool:
    """Returns whether a call that failed with ``error`` at its ``tries``-th try is worth another one."""
    if error.kind is ErrorKind.RATE_LIMITED:
        return True
    if error.kind is ErrorKind.MALFORMED:
        return tries < 2
    return error.kind in TRANSIENT and tries < MAX_TRIES


def wait_s(error: CompletionError, tries: int, seed: str) -> float:
    """Seconds to wait after the ``tries``-th failed try: what the provider asked for, else exponential with full jitter
    (AWS Architecture Blog, «Exponential Backoff And Jitter»), with a seed of the call so that it can be reproduced.

    A ``Retry-After`` close to 0 (a date in the past, say) is raised: the same call would be repeated forever."""
    share = int.from_bytes(hashlib.sha256(f"{seed}:{tries}".encode()).digest()[:8], "big") / 2**64
    asked = error.retry_after_s or 0.0
    if asked >= BASE_S:
        return asked * (1 + 0.1 * share)
    return max(asked, float(min(CAP_S, BASE_S * 2 ** min(tries - 1, 10)) * share))
