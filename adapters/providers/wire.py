"""Reads providers' raw answers strictly: JSON, errors, limits. Everything in them is untrusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.masking import masked
from adapters.providers.usage import UsageReading
from schemas.conversations import ToolCall
from schemas.outcomes import Allowance, Completion, ErrorKind, Finish

MESSAGE_LENGTH = 300
QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"}
FILTER_CODES = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}
BY_STATUS = dict.fromkeys((408, 409, 425), ErrorKind.SERVER) | {
    401: ErrorKind.AUTHENTICATION,
    403: ErrorKind.AUTHENTICATION,
    429: ErrorKind.RATE_LIMITED,
}
EXHAUSTED = re.compile(
    r"(exceed|exhaust|insufficient|used (up|all)|run out|reached|too low|no remaining|not enough|depleted)\w*\W.{0,80}"
    r"\b(quota|credits?|balance|budget|funds|spending|usage limits?|spend limit|monthly)\b"
    r"|\b(quota|credits?|balance|budget|spending limit|usage limits?)\b.{0,80}"
    r"(exceed|exhaust|used up|reached|too low|insufficient|depleted|empty)"
    r"|per[ _-]?(day|month)|\b(daily|monthly) (\w+ )?(limit|quota)"
)
"""Messages about a quota that a short wait doesn't restore."""
SOON = re.compile(
    r"per[ _-]?(minute|second|hour)|/ ?(min|sec)|\b[rt]p[ms]\b|(retry|try again|wait).{0,20} [0-9.]+ ?(ms|s|m)\b"
)
"""Messages about a limit that is soon restored."""
GOOGLE_QUOTA = re.compile(r'"quotaId": ?"([A-Za-z_-]{1,80})"')
MARKUP = re.compile(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
MOST_WAIT_S = 600.0
"""Longest requested wait, in seconds, that is obeyed. Beyond it, only the run's deadline counts."""


class MalformedError(ValueError):
    """An answer that is not what the provider documents."""


class BrokenOffError(ValueError):
    """An answer that the server broke off."""


def strict_json(body: bytes, content_type: str) -> dict[str, Any]:
    """Returns the object in ``body``. A lone surrogate (an answer cut off within an emoji) becomes U+FFFD.

    Raises MalformedError for another content type, duplicate keys, NaN, infinities, excessive nesting, text after the
    end, and bytes that aren't UTF-8.
    """
    if "json" not in content_type.lower():
        raise MalformedError(f"the answer is {content_type[:60] or 'of no type'}, not JSON")
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_refused)
        # Only bodies with an escaped surrogate need the slow second pass.
        if b"\\ud" in body.lower():
            value = json.loads(_whole(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the answer is not strict JSON: {str(error)[:120]}") from None
    if not isinstance(value, dict):
        raise MalformedError("the answer is not a JSON object")
    return value


def _whole(text: str) -> str:
    """Returns ``text`` with U+FFFD for lone surrogates, which files, databases and terminals reject."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedError("a key occurs twice")
    return value


def _refused(name: str) -> float:
    raise MalformedError(f"{name} is not a number")


def error_kind(status: int, codes: frozenset[str], message: str) -> ErrorKind:
    """Returns the kind of a refusal. ``codes`` holds the ``type`` and ``code`` of its body."""
    said = message.lower()
    # Before the status: a used-up account often comes as 429, where waiting doesn't help.
    if status == 402 or codes & QUOTA_CODES:
        return ErrorKind.QUOTA
    # Providers report an exhausted account with various codes. Retrying would never succeed.
    if status in (400, 403, 429) and EXHAUSTED.search(said) and not (status == 429 and SOON.search(said)):
        return ErrorKind.QUOTA
    if 300 <= status < 400:
        return ErrorKind.REDIRECT
    return BY_STATUS.get(status, ErrorKind.SERVER if status >= 500 else ErrorKind.BAD_REQUEST)


def error_details(body: bytes) -> tuple[frozenset[str], str]:
    """Returns the codes and the message of an error's body, in any form."""
    try:
        # An error page may have any size, and only its beginning is shown.
        value = json.loads(body[:100_000])
    except (ValueError, RecursionError):
        return frozenset(), _plain(body[:20_000].decode(errors="replace"))
    if isinstance(value, list) and value:  # Google's
        value = value[0]
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return frozenset(), str(error)
    inner = error.get("innererror")
    codes = [error.get("type"), error.get("code"), inner.get("code") if isinstance(inner, dict) else None]
    message = error.get("message") or error.get("detail") or ""
    quota = GOOGLE_QUOTA.search(json.dumps(error.get("details", "")))
    named = f"{message} ({quota[1]})" if quota else str(message)
    return frozenset(str(code) for code in codes if code is not None), named


def _plain(text: str) -> str:
    """Returns the text of an HTML page, without markup."""
    if "<" not in text:
        return text[:MESSAGE_LENGTH]
    return " ".join(MARKUP.sub(" ", text).split())[:MESSAGE_LENGTH]


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Returns the seconds that the provider asks to wait: ``Retry-After-Ms``, or ``Retry-After`` as seconds or a date
    (RFC 9110)."""
    text, exact = headers.get("retry-after", "").strip(), headers.get("retry-after-ms", "").strip()
    try:
        if NUMBER.fullmatch(exact):
            seconds = float(exact) / 1000
        elif NUMBER.fullmatch(text):
            seconds = float(text)
        elif text:
            then = parsedate_to_datetime(text)
            seconds = ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MOST_WAIT_S)


def allowance(headers: Mapping[str, str], now: datetime) -> Allowance | None:
    """Returns the rest of the key's rate limits from OpenAI's or Anthropic's headers."""
    if "x-ratelimit-remaining-requests" in headers or "x-ratelimit-remaining-tokens" in headers:
        return Allowance(
            requests=_count(headers.get("x-ratelimit-remaining-requests")),
            requests_reset_s=_duration(headers.get("x-ratelimit-reset-requests")),
            tokens=_count(headers.get("x-ratelimit-remaining-tokens")),
            tokens_reset_s=_duration(headers.get("x-ratelimit-reset-tokens")),
        )
    if "anthropic-ratelimit-requests-remaining" in headers or "anthropic-ratelimit-tokens-remaining" in headers:
        return Allowance(
            requests=_count(headers.get("anthropic-ratelimit-requests-remaining")),
            requests_reset_s=_until(headers.get("anthropic-ratelimit-requests-reset"), now),
            tokens=_count(headers.get("anthropic-ratelimit-tokens-remaining")),
            tokens_reset_s=_until(headers.get("anthropic-ratelimit-tokens-reset"), now),
        )
    return None


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,15}", text) else None


def _duration(text: str | None) -> float | None:
    """Returns the seconds of a duration: ``1s``, ``6m0s``, ``120ms``."""
    match = DURATION.fullmatch(text or "")
    if not text or match is None:
        return None
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return min(days * 86400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000, MOST_WAIT_S)


def _until(text: str | None, now: datetime) -> float | None:
    try:
        then = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return min(max((then - now).total_seconds(), 0.0), MOST_WAIT_S) if then.tzinfo else None


def safe_message(text: str, secret: str) -> str:
    """Returns a provider's message for display: one bounded line without the key in any encoding."""
    line = " ".join(_whole(masked(text, [secret])).split())
    return line if len(line) <= MESSAGE_LENGTH else line[: MESSAGE_LENGTH - 1] + "…"


def arguments_text(given: str | dict[str, Any] | None) -> str:
    """Returns the arguments of a tool call as JSON: some servers send an object where OpenAI sends text."""
    return given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)


def completion(
    finish: Finish,
    text: str,
    calls: tuple[ToolCall, ...],
    usage: UsageReading,
    *,
    model: str,
    latency_s: float,
    fingerprint: str | None = None,
) -> Completion:
    """Returns an answer; an EMPTY one where it stopped by itself and says nothing."""
    # A tool call without text is an answer too.
    empty = finish is Finish.STOP and not text.strip() and not calls
    return Completion(
        text=text,
        finish=Finish.EMPTY if empty else finish,
        usage=usage.usage,
        usage_problem=usage.problem,
        tool_calls=calls,
        model=model,
        fingerprint=fingerprint,
        latency_s=latency_s,
    )
