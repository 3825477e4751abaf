"""Who is asking: users, the Actions token, Apps and their installations."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from functools import cache

LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True)
class Identity:
    """The owner of a token. ``permissions`` is None for a user: then the role in the repository counts."""

    login: str
    kind: str = "User"
    permissions: dict[str, str] | None = None
    repositories: frozenset[str] | None = None
    app_id: int | None = None
    expires_at: float | None = None

    def may(self, scope: str, level: str, role: str) -> bool:
        held = self.permissions.get(scope, "none") if self.permissions is not None else role
        return LEVELS.get(held, 0) >= LEVELS[level]


@dataclass
class App:
    """A GitHub App with its key pair."""

    id: int
    slug: str
    permissions: dict[str, str]
    private_key: str
    public_key: str
    installations: dict[int, frozenset[str]] = field(default_factory=dict)
    """Installation id → the repositories' full names."""
    suspended: set[int] = field(default_factory=set)
    """Installations that an owner suspended: no tokens for them."""
    granted: dict[int, dict[str, str]] = field(default_factory=dict)
    """Installation id → permissions, where the account hasn't accepted all that the App asks for by now."""
    events: tuple[str, ...] = ()
    callback_urls: tuple[str, ...] = ()
    client_secret: str = "client-secret"

    @property
    def client_id(self) -> str:
        return f"Iv23li{self.id}"

    @property
    def login(self) -> str:
        return f"{self.slug}[bot]"

    @classmethod
    def make(cls, app_id: int, slug: str, permissions: dict[str, str], key: int = 0) -> App:
        """An App with the process's ``key``-th key pair."""
        return cls(app_id, slug, permissions, *key_pair(key))

    def refuses(self, token: str) -> str | None:
        """Why GitHub would turn this JWT down; None when it is good."""
        import jwt

        try:
            claims = jwt.decode(
                token, self.public_key, algorithms=["RS256"], options={"require": ["exp", "iat", "iss"]}, leeway=0
            )
        except jwt.PyJWTError as error:
            return f"A JSON web token could not be decoded: {error}"
        if claims["exp"] - time.time() > 600:
            return "'Expiration time' claim ('exp') is too far in the future"
        return None


@cache
def key_pair(number: int) -> tuple[str, str]:
    """A private and a public key in PEM; each number has its own, made once in a process."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def new_token(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(18)}"
