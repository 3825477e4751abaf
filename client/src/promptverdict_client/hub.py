"""Asks the hub for a prompt set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from promptverdict_client.document import MAX_BYTES
from promptverdict_client.errors import SettingsError

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
TOTAL_S = 10.0
"""Most seconds that an answer may take, however slowly it drips."""
MAX_RETRY_S = 3600.0
"""Most seconds for which a hub can ask to be left alone."""
HINTS = {
    401: "check PROMPTVERDICT_TOKEN or token=",
    404: "check the tag, and whether the token is of this repository",
}


class HubError(Exception):
    """The hub can't be reached, or doesn't give a prompt set."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Seconds for which the hub wants no further request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A document and its ETag."""

    body: bytes
    etag: str
    """Empty: none that could be sent again."""


class Hub:
    """The address of one prompt set, and a token to read it."""

    def __init__(self, url: str, token: str, repository: str, tag: str) -> None:
        self.url = url.rstrip("/")
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise SettingsError(f"the hub's address {url!r} is not valid: {error}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise SettingsError(f"the hub's address {url!r} must look like https://prompts.example.com")
        if not token or not (token.isascii() and token.isprintable()):
            raise SettingsError("the token is empty or has characters that no token has: check PROMPTVERDICT_TOKEN")
        # Made once, since it takes longer than a request. Without TLS nothing is to be verified.
        self._verify = httpx.create_ssl_context() if parsed.scheme == "https" else False
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/json", "accept-encoding": "gzip"}
        self._address = f"{self.url}/v1/{repository}/tags/{quote(tag, safe='')}"

    def get(self, etag: str) -> Answer | None:
        """Returns the prompt set, or ``None`` if it still is that of ``etag``. Raises HubError."""
        headers = self._headers | ({"if-none-match": etag} if etag else {})
        try:
            # One connection for each request: requests are rare, and a connection must not be shared with a fork.
            # The token goes to this host only, so redirects are not followed.
            with (
                httpx.Client(verify=self._verify, timeout=TIMEOUT, follow_redirects=False) as client,
                client.stream("GET", self._address, headers=headers) as response,
            ):
                if response.status_code == 304 and etag:
                    return None
                if response.status_code != 200:
                    raise _refused(response)
                etag = response.headers.get("etag", "")
                return Answer(_body(response), etag if etag.isascii() else "")
        except httpx.HTTPError as error:
            raise HubError(f"{type(error).__name__}: {error}") from error


def _body(response: httpx.Response) -> bytes:
    end = time.monotonic() + TOTAL_S
    pieces = []
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MAX_BYTES:
            raise HubError(f"the answer is larger than {MAX_BYTES // 2**20} MiB")
        if time.monotonic() > end:
            raise HubError(f"the answer takes longer than {TOTAL_S:.0f} s")
        pieces.append(piece)
    return b"".join(pieces)


def _refused(response: httpx.Response) -> HubError:
    status = response.status_code
    if response.has_redirect_location:
        return HubError(f"it redirects ({status}), which is not followed: set hub= to the final address")
    hint = f" ({HINTS[status]})" if status in HINTS else ""
    return HubError(f"it answers {status}{hint}", _retry_after(response.headers.get("retry-after", "")))


def _retry_after(value: str) -> float:
    """Returns the seconds that a ``Retry-After`` asks for, as a number or as a date (RFC 9110, 10.2.3); 0 without."""
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_S)
    try:
        wait = (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wait, 0.0), MAX_RETRY_S)
