"""Checks of requests that do something, and of addresses that come from a request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from fastapi import Request

LONGEST_TARGET = 2_000


def is_from_us(request: Request, origin: str) -> bool:
    """Returns whether a form was sent from a page of this site.

    Browsers name the sender's origin with every form, and no website can change that. A request without an origin is
    refused.
    """
    given = request.headers.getlist("origin")
    fetched = request.headers.getlist("sec-fetch-site")
    return given == [origin] and fetched in ([], ["same-origin"])


def local_target(text: str) -> str:
    """Returns a path of this site, or ``/`` for anything that a browser could take for another one."""
    parts = urlsplit(text) if text.isascii() and text.isprintable() and len(text) <= LONGEST_TARGET else None
    # Browsers read a backslash as a slash, and two slashes as the start of a host.
    safe = parts is not None and not parts.scheme and not parts.netloc and text.startswith("/")
    return text if safe and not text.startswith("//") and "\\" not in text else "/"
