"""Checks of requests that do something, and of addresses that come from a request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from fastapi import Request

LONGEST_TARGET = 2_000
LARGEST_FORM = 512 * 1024
MOST_FIELDS = 100


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


async def form_of(request: Request) -> dict[str, str] | None:
    """Returns the fields of a form; ``None`` for one that is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            return None
    try:
        # Browsers send line ends as two characters.
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: value.replace("\r\n", "\n") for name, value in fields}
