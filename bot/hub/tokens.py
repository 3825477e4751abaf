"""Tokens of applications, each for one repository."""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "pv_"
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


def new_token() -> str:
    """Returns a new token with 256 random bits. It is shown once, and only its hash is kept."""
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str | None:
    """Returns the hash by which a token is found; ``None`` for a text that can't be one of ours."""
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None
