"""The forms in which a secret may turn up in a text, and the text without them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus


def encodings(secret: str) -> tuple[str, ...]:
    """The ways in which a secret may show up: as it is, base64 at each alignment and URL-safe, URL-, JSON- and
    HTML-encoded, in hexadecimal; each line of a secret of several lines as well."""
    forms: list[str] = []
    for text in dict.fromkeys([secret, *secret.splitlines()]):
        raw = text.encode()
        if len(raw) < 4:
            continue
        forms += [text, quote(text), quote(text, safe=""), quote_plus(text), escape(text), repr(text)[1:-1]]
        forms += [raw.hex(), raw.hex().upper()]
        forms += [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")]
        for before in range(3):  # the letters that depend on the secret alone, after so many bytes of something else
            whole = base64.b64encode(b"\0" * before + raw).decode()
            inner = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
            forms += [inner, inner.replace("+", "-").replace("/", "_")]
    return tuple(dict.fromkeys(form for form in forms if len(form) >= 4))


def masked(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of the secrets in any encoding; the longest forms go first, for one may lie in another."""
    for form in sorted({form for secret in secrets for form in encodings(secret)}, key=len, reverse=True):
        text = text.replace(form, "•••")
    return text
