"""Hashes a session's cookie and encrypts the reader's tokens with a key derived from it.

The database holds only the hash and the encrypted tokens. So a copy of the database opens no session and shows no
token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

from adapters.github.sign_in import UserTokens


def new_secret() -> str:
    """Returns a value that can't be guessed."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Returns the hash under which a session is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def derived(secret: str, purpose: str) -> str:
    """Returns another secret, of 43 characters, for one purpose."""
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """Returns the PKCE challenge of a verifier (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def sealed(secret: str, purpose: str, value: object, at: float) -> bytes:
    """Encrypts a value. ``at``: seconds since 1970."""
    from cryptography.fernet import Fernet

    return Fernet(derived(secret, purpose) + "=").encrypt_at_time(json.dumps(value).encode(), int(at))


def opened(secret: str, purpose: str, data: bytes, at: float, *, within_s: int | None = None) -> object:
    """Decrypts a value that is not older than ``within_s``; ``None`` for anything else."""
    from cryptography.fernet import Fernet, InvalidToken

    fernet = Fernet(derived(secret, purpose) + "=")
    try:
        text = fernet.decrypt(data) if within_s is None else fernet.decrypt_at_time(data, within_s, int(at))
        value: object = json.loads(text)
    except (InvalidToken, ValueError):
        return None
    return value


def sealed_tokens(secret: str, tokens: UserTokens, at: float) -> bytes:
    """Encrypts a person's tokens with their cookie."""
    return sealed(secret, "tokens", list(tokens), at)


def opened_tokens(secret: str, data: bytes, at: float) -> UserTokens | None:
    """Decrypts a person's tokens."""
    value = opened(secret, "tokens", data, at)
    return UserTokens(*value) if isinstance(value, list) and len(value) == len(UserTokens._fields) else None
