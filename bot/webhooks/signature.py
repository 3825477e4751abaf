"""Verifies that a webhook was signed with the secret.

docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

HEADER = "x-hub-signature-256"
PREFIX = b"sha256="


def signature(body: bytes, secret: str) -> bytes:
    """Returns the header for ``body``: ``sha256=`` and the HMAC-SHA256 of the raw bytes in hexadecimal."""
    return PREFIX + hmac.digest(secret.encode(), body, "sha256").hex().encode()


def signed(body: bytes, given: bytes, secrets: Sequence[str]) -> bool:
    """Returns whether ``given``, the header's bytes, is the signature of ``body`` under one of ``secrets``.

    Every secret is compared in constant time, so the duration reveals neither a match nor its position. Without secrets
    nothing is accepted.
    """
    matches = [hmac.compare_digest(signature(body, secret), given) for secret in secrets if secret]
    return any(matches)
