"""Decides which failed calls are retried, and when."""

from __future__ import annotations

import hashlib

from schemas.outcomes import CompletionError, ErrorKind

MAX_TRIES = 4
"""Most tries of a call that fails at the provider. A 429 is not such a failure: only the run's deadline bounds its
retries, since a busy key would otherwise lose cells."""
BASE_S = 0.5
CAP_S = 20.0

TRANSIENT = frozenset({ErrorKind.TIMEOUT, ErrorKind.SERVER, ErrorKind.TRANSPORT})
HOPELESS = frozenset(
    {ErrorKind.QUOTA, ErrorKind.AUTHENTICATION, ErrorKind.BAD_REQUEST, ErrorKind.REDIRECT, ErrorKind.UNPRICED}
)
"""Errors that every further call would repeat: the experiment stops."""


def may_retry(error: CompletionError, tries: int) -> bool:
    """Returns whether to retry a call whose ``tries``-th try failed with ``error``."""
    if error.kind is ErrorKind.RATE_LIMITED:
        return True
    # A proxy's error page may be gone at the next try. A wrong address stays wrong.
    if error.kind is ErrorKind.MALFORMED:
        return tries < 2
    return error.kind in TRANSIENT and tries < MAX_TRIES


def wait_s(error: CompletionError, tries: int, seed: str) -> float:
    """Returns the seconds to wait after the ``tries``-th failed try.

    The provider's ``Retry-After`` comes first. Otherwise the wait is exponential with full jitter (AWS Architecture
    Blog, "Exponential Backoff And Jitter"), seeded by the call so that it can be reproduced. A ``Retry-After`` near 0,
    such as a date in the past, is raised; otherwise the call would be repeated without pause.
    """
    # Jitter by hash instead of a random generator: a replay waits equally long.
    share = int.from_bytes(hashlib.sha256(f"{seed}:{tries}".encode()).digest()[:8], "big") / 2**64
    asked = error.retry_after_s or 0.0
    # Never before the provider's time. The jitter keeps refused calls from returning all at once.
    if asked >= BASE_S:
        return asked * (1 + 0.1 * share)
    # The exponent is bounded, because the number of 429s isn't and a large power is no float.
    return max(asked, float(min(CAP_S, BASE_S * 2 ** min(tries - 1, 10)) * share))
