"""Removes secrets from texts, in any form in which they may appear."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus


def encodings(secret: str) -> tuple[str, ...]:
    """Returns the forms of a secret: plain, base64 at each alignment and URL-safe, URL-, JSON- and HTML-encoded, and
    hexadecimal. For a secret of several lines, also those of each line."""
    forms: list[str] = []
    for text in dict.fromkeys([secret, *secret.splitlines()]):
        raw = text.encode()
        # Masking very short secrets would blank out ordinary text.
        if len(raw) < 4:
            continue
        forms += [text, quote(text), quote(text, safe=""), quote_plus(text), escape(text), repr(text)[1:-1]]
        forms += [raw.hex(), raw.hex().upper()]
        forms += [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")]
        for before in range(3):  # the letters that depend only on the secret, after this many other bytes
            # In base64, the text of a secret depends on its position modulo 3.
            whole = base64.b64encode(b"\0" * before + raw).decode()
            inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            forms += [inner, inner.replace("+", "-").replace("/", "_")]
    return tuple(dict.fromkeys(form for form in forms if len(form) >= 4))


def masked(text: str, secrets: Iterable[str]) -> str:
    """Returns ``text`` without any of the secrets in any encoding. Longer forms are removed first, since they may
    contain shorter ones."""
    for form in sorted({form for secret in secrets for form in encodings(secret)}, key=len, reverse=True):
        text = text.replace(form, "•••")
    return text
