"""Classifies GitHub's refusals: a temporary rate limit, a missing permission, a lost answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import HostError, HostUnavailable, NotFound, PermissionMissing

LONGEST_ERROR = 300


class AnswerLost(HostUnavailable):
    """A write was sent and its answer was lost (or a 5xx), so it may have happened. Read again, then repeat."""


@dataclass(frozen=True)
class TokenHints:
    """The fix for a refused token, which differs for an Action and an App."""

    unknown: str = "check the input github-token"
    lacking: str = "add `{permission}` to `permissions:`"


ACTION = TokenHints()
APP = TokenHints(
    unknown="check the App's id and private key, and that it is still installed",
    lacking="grant `{permission}` in the App's settings and accept it in the installation",
)


class TokenUnknown(HostError):  # noqa: N818 - named after what it says
    """GitHub doesn't know the token, or no longer does."""


class NotAccepted(HostError):  # noqa: N818 - named after what it says
    """GitHub rejects the content: it is invalid, too long, or has characters that GitHub can't store."""


def _message(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text[:LONGEST_ERROR]
    if not isinstance(value, dict):
        return ""
    details = "; ".join(str(e.get("message", e)) if isinstance(e, dict) else str(e) for e in value.get("errors") or ())
    return f"{value.get('message', '')}{': ' if details else ''}{details}"[:LONGEST_ERROR]


def pause_s(status: int, headers: Mapping[str, str], text: str, limited: int, now: float) -> float | None:
    """Returns the seconds to wait after a rate limit, or ``None`` for any other refusal.

    docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: ``retry-after``, else ``x-ratelimit-reset`` if
    nothing remains, else a minute, doubled each time.
    """
    message = _message(text).lower()
    primary = headers.get("x-ratelimit-remaining") == "0"
    limited_by_us = "retry-after" in headers or primary or "rate limit" in message or "abuse detection" in message
    if status != 429 and not (status == 403 and limited_by_us):
        return None
    after = headers.get("retry-after", "")
    if after.isdigit():
        return max(1.0, float(after))
    reset = headers.get("x-ratelimit-reset", "")
    if primary and reset.isdigit():
        # One second more, because the times are in whole seconds.
        return max(1.0, float(reset) - now + 1.0)
    return 60.0 * 2.0**limited


def refusal(where: str, status: int, headers: Mapping[str, str], text: str, hints: TokenHints) -> HostError:
    """Returns the error for a status from 400 that is not a rate limit. ``where`` is the call."""
    message = _message(text)
    if status == 401:
        return TokenUnknown("GitHub doesn't know this token", where=where, hint=hints.unknown)
    # GitHub answers 404 for a missing permission too. It doesn't tell whether something exists.
    if status in (404, 410):
        return NotFound(message or "Not Found", where=where)
    accepted = [one.strip() for one in headers.get("x-accepted-github-permissions", "").replace(",", ";").split(";")]
    wanted = next((one for one in accepted if one.startswith("pull_requests")), accepted[0])
    if status == 403 and ("not accessible" in message or "Must have" in message):
        permission = wanted.replace("_", "-").replace("=", ": ") or "write"
        return PermissionMissing(permission, where=where, hint=hints.lacking.format(permission=permission))
    kind = NotAccepted if status in (400, 413, 422) else HostError
    return kind(f"GitHub refused ({status}): {message}", where=where)
